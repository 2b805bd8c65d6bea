//! How far the person has read each group, at whichever screen, and what is new since.

use std::collections::{BTreeMap, BTreeSet};

use muster_roles::GroupId;

use crate::control::{Message, Position};
use crate::disk::Mark;

/// Unread messages of a group that are known one by one; of those before them only how many there are.
pub(super) const MAX_UNREAD: usize = 1000;

/// The last message read of each group, and those after it.
#[derive(Debug)]
pub(super) struct Seen {
    marks: BTreeMap<GroupId, Mark>,
    changed: BTreeMap<GroupId, Mark>,
    unread: BTreeMap<GroupId, Unread>,
}

/// Messages of others that have not been read: the newest, and how many there are before them.
#[derive(Debug, Default)]
pub(super) struct Unread {
    pub(super) newest: BTreeSet<Position>,
    pub(super) older: u64,
}

impl Unread {
    pub(super) fn insert(&mut self, position: Position) {
        self.newest.insert(position);
        if self.newest.len() > MAX_UNREAD {
            self.newest.pop_first();
            self.older += 1;
        }
    }

    fn len(&self) -> u64 {
        self.older.saturating_add(self.newest.len() as u64)
    }

    fn read(&mut self, upto: Position) {
        if self.newest.first().is_none_or(|first| *first <= upto) {
            self.older = 0;
        }
        self.newest.retain(|position| *position > upto);
    }
}

impl Seen {
    pub(super) fn new(marks: BTreeMap<GroupId, Mark>) -> Self {
        Self { marks, changed: BTreeMap::new(), unread: BTreeMap::new() }
    }

    /// Returns how far a group has been read.
    pub(super) fn upto(&self, group: &GroupId) -> Option<Position> {
        self.marks.get(group).map(|(time, id)| Position { time: *time, id: (*id).into() })
    }

    /// Returns how many messages of others are newer than that.
    pub(super) fn unread(&self, group: &GroupId) -> u64 {
        self.unread.get(group).map_or(0, Unread::len)
    }

    /// A message has come.
    pub(super) fn came(&mut self, message: &Message) {
        let is_new = self.upto(&message.group).is_none_or(|seen| seen < message.position());
        if is_new && !message.is_mine() {
            self.unread.entry(message.group.clone()).or_default().insert(message.position());
        }
    }

    /// So many more have come, older than a screenful.
    pub(super) fn came_older(&mut self, group: &GroupId, count: u64) {
        if count > 0 {
            let unread = self.unread.entry(group.clone()).or_default();
            unread.older = unread.older.saturating_add(count);
        }
    }

    /// The store has been gone through for what is unread.
    pub(super) fn counted(&mut self, group: &GroupId, found: Unread) {
        let upto = self.upto(group);
        let unread = self.unread.entry(group.clone()).or_default();
        unread.older = unread.older.saturating_add(found.older);
        let is_new = |position: &Position| upto.is_none_or(|seen| seen < *position);
        found.newest.into_iter().filter(is_new).for_each(|position| unread.insert(position));
    }

    /// A group has been read up to here; tells whether that is further than before.
    pub(super) fn read(&mut self, group: &GroupId, upto: Position) -> bool {
        let mark = (upto.time, upto.id.into());
        let is_further = self.marks.get(group).is_none_or(|seen| *seen < mark);
        if is_further {
            self.marks.insert(group.clone(), mark);
            self.changed.insert(group.clone(), mark);
            if let Some(unread) = self.unread.get_mut(group) {
                unread.read(upto);
            }
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
    use super::*;

    fn message(number: u32) -> Message {
        Message::sample(number, "army", "Army1", "hello")
    }

    fn army() -> GroupId {
        "army".parse().unwrap()
    }

    #[test]
    fn a_mark_moves_forward_only_and_is_told_once() {
        let mut seen = Seen::new(BTreeMap::new());
        assert_eq!(seen.upto(&army()), None);
        assert!(seen.read(&army(), message(3).position()));
        assert!(!seen.read(&army(), message(2).position()) && !seen.read(&army(), message(3).position()));
        assert_eq!(seen.upto(&army()), Some(message(3).position()));
        assert_eq!(seen.take_changed().len(), 1);
        assert!(seen.take_changed().is_empty());
    }

    #[test]
    fn what_others_wrote_after_the_mark_is_unread_and_counted_once() {
        let mut seen = Seen::new(BTreeMap::new());
        seen.read(&army(), message(2).position());
        (1..=5).for_each(|number| seen.came(&message(number)));
        let mut found = Unread::default();
        [2, 4, 5, 6].into_iter().for_each(|number| found.insert(message(number).position()));
        seen.counted(&army(), found);
        seen.came(&Message { delivery: Some(crate::control::Delivery::Sent), ..message(7) });
        assert_eq!(seen.unread(&army()), 4);
        seen.read(&army(), message(4).position());
        assert_eq!(seen.unread(&army()), 2);
    }

    #[test]
    fn of_very_many_unread_the_oldest_are_only_counted() {
        let mut seen = Seen::new(BTreeMap::new());
        let most = u32::try_from(MAX_UNREAD).unwrap();
        (1..=most + 50).for_each(|number| seen.came(&message(number)));
        seen.came_older(&army(), 5);
        assert_eq!(seen.unread(&army()), u64::from(most) + 55);
        seen.read(&army(), message(60).position());
        assert_eq!(seen.unread(&army()), u64::from(most) - 10);
    }
}
