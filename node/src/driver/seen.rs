//! How far the person has read, as far as the node can tell: what of the open group has gone to the screen.

use std::collections::BTreeMap;

use muster_roles::GroupId;

use crate::disk::Mark;
use crate::engine::view::Row;

/// The last message seen of each group.
pub(super) struct Seen {
    /// Whether a person is there to see anything.
    attended: bool,
    open: Option<GroupId>,
    marks: BTreeMap<GroupId, Mark>,
    changed: BTreeMap<GroupId, Mark>,
}

impl Seen {
    pub(super) fn new(attended: bool, marks: BTreeMap<GroupId, Mark>) -> Self {
        Self { attended, open: None, marks, changed: BTreeMap::new() }
    }

    /// A group has been opened: returns how far it has been read.
    pub(super) fn open(&mut self, group: &GroupId) -> Option<Mark> {
        self.open = Some(group.clone());
        self.marks.get(group).copied()
    }

    /// A row goes to the screen; it is seen where its group is the open one.
    pub(super) fn show(&mut self, row: &Row) {
        let (group, mark) = (row.group(), (row.time(), row.id()));
        let is_further = self.marks.get(group).is_none_or(|seen| *seen < mark);
        if self.attended && is_further && self.open.as_ref() == Some(group) {
            self.marks.insert(group.clone(), mark);
            self.changed.insert(group.clone(), mark);
        }
    }

    /// Returns the marks that have moved since this was last asked.
    pub(super) fn take_changed(&mut self) -> BTreeMap<GroupId, Mark> {
        std::mem::take(&mut self.changed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn row(number: u32, group: &str) -> Row {
        Row::sample(number, &group.parse().unwrap(), "Army1".parse().unwrap(), false, "hello")
    }

    fn mark(number: u32) -> Mark {
        (row(number, "army").time(), row(number, "army").id())
    }

    #[test]
    fn the_newest_row_of_the_open_group_is_how_far_has_been_read() {
        let mut seen = Seen::new(true, BTreeMap::new());
        let army: GroupId = "army".parse().unwrap();
        seen.show(&row(1, "army"));
        assert_eq!(seen.open(&army), None, "what was shown of a closed group has not been read");
        [3, 2].iter().for_each(|number| seen.show(&row(*number, "army")));
        seen.show(&row(4, "navy"));
        assert_eq!(seen.take_changed(), [(army.clone(), mark(3))].into());
        assert!(seen.take_changed().is_empty());
        assert_eq!(seen.open(&army), Some(mark(3)));
    }

    #[test]
    fn nothing_is_read_where_nobody_sits() {
        let army: GroupId = "army".parse().unwrap();
        let mut seen = Seen::new(false, [(army.clone(), mark(1))].into());
        assert_eq!(seen.open(&army), Some(mark(1)));
        seen.show(&row(2, "army"));
        assert!(seen.take_changed().is_empty());
        assert_eq!(seen.open(&army), Some(mark(1)));
    }
}
