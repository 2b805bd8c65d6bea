//! Which messages a screen has shown, so that none appears twice.

use std::collections::{BTreeMap, BTreeSet};

use muster_roles::GroupId;

use crate::control::{Message, PAGE_LEN, Position, SCREEN_QUEUE_LEN};

/// Messages remembered a group, the newest by their own time.
///
/// A page holds the newest [`PAGE_LEN`] of its moment, and at most two channels full of newer messages can be shown
/// before it arrives: a message that is older than all those remembered comes on no page any more.
const REMEMBERED: usize = PAGE_LEN + 2 * SCREEN_QUEUE_LEN;

/// The messages a screen has shown, as far as they can come again.
#[derive(Debug, Default)]
pub(super) struct Shown {
    groups: BTreeMap<GroupId, BTreeSet<Position>>,
}

impl Shown {
    /// Takes note of a message; tells whether it is to be shown now.
    pub(super) fn note(&mut self, message: &Message) -> bool {
        let shown = self.groups.entry(message.group.clone()).or_default();
        let is_new = shown.insert(message.position());
        if shown.len() > REMEMBERED {
            shown.pop_first();
        }
        is_new
    }

    /// Returns where the newest message of a group stands that has been shown.
    pub(super) fn newest(&self, group: &GroupId) -> Option<Position> {
        self.groups.get(group)?.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::sample::message;

    #[test]
    fn a_message_is_shown_once() {
        let mut shown = Shown::default();
        assert!(shown.note(&message(1, "army", "Army1", "hello")));
        assert!(!shown.note(&message(1, "army", "Army1", "hello")));
        assert!(shown.note(&message(2, "army", "Army1", "hello")));
        assert!(shown.note(&message(1, "navy", "Navy1", "hello")));
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_newest() {
        let mut shown = Shown::default();
        let last = u32::try_from(3 * REMEMBERED).unwrap_or(u32::MAX);
        for number in (1..=last).rev() {
            assert!(shown.note(&message(number, "army", "Army1", "hello")));
        }
        assert!(shown.groups.values().all(|shown| shown.len() <= REMEMBERED));
        let newest = last - u32::try_from(PAGE_LEN).unwrap_or(u32::MAX);
        assert!((newest..=last).all(|number| !shown.note(&message(number, "army", "Army1", "hello"))));
    }
}
