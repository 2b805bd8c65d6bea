//! How far the person has read each group, at whichever screen.

use std::collections::BTreeMap;

use muster_roles::GroupId;

use crate::control::Position;
use crate::disk::Mark;

/// The last message read of each group.
#[derive(Debug)]
pub(super) struct Seen {
    marks: BTreeMap<GroupId, Mark>,
    changed: BTreeMap<GroupId, Mark>,
}

impl Seen {
    pub(super) fn new(marks: BTreeMap<GroupId, Mark>) -> Self {
        Self { marks, changed: BTreeMap::new() }
    }

    /// Returns how far a group has been read.
    pub(super) fn upto(&self, group: &GroupId) -> Option<Position> {
        self.marks.get(group).map(|(time, id)| Position { time: *time, id: (*id).into() })
    }

    /// A group has been read up to here; tells whether that is further than before.
    pub(super) fn read(&mut self, group: &GroupId, upto: Position) -> bool {
        let mark = (upto.time, upto.id.into());
        let is_further = self.marks.get(group).is_none_or(|seen| *seen < mark);
        if is_further {
            self.marks.insert(group.clone(), mark);
            self.changed.insert(group.clone(), mark);
        }
        is_further
    }

    /// Returns the marks that have moved since this was last asked.
    pub(super) fn take_changed(&mut self) -> BTreeMap<GroupId, Mark> {
        std::mem::take(&mut self.changed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use muster_roles::Timestamp;

    use super::*;

    fn position(ms: u64) -> Position {
        Position { time: Timestamp::from_ms(ms), id: "0".repeat(64).parse().unwrap() }
    }

    #[test]
    fn a_mark_moves_forward_only_and_is_told_once() {
        let army: GroupId = "army".parse().unwrap();
        let mut seen = Seen::new(BTreeMap::new());
        assert_eq!(seen.upto(&army), None);
        assert!(seen.read(&army, position(3)));
        assert!(!seen.read(&army, position(2)) && !seen.read(&army, position(3)));
        assert_eq!(seen.upto(&army), Some(position(3)));
        assert_eq!(seen.take_changed().len(), 1);
        assert!(seen.take_changed().is_empty());
    }
}
