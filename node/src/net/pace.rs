//! How fast one gossip message of a group follows another: a lone one goes at once, those of a busy group collect records.
//!
//! A message costs every node as many copies as it has neighbours, whatever is in it. The engine collects records while it
//! waits to hear how the last message went, so that answer is what sets the pace.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use muster_roles::GroupId;

use crate::engine::io::PublishOutcome;
use crate::engine::wire::MAX_BATCH_LEN;

/// What lies between two messages of a busy group: less than anybody notices, and at a thousand records a second twenty of them.
const GAP: Duration = Duration::from_millis(20);

/// A group is busy when its last message is no older than this; people are not so quick.
const BUSY: Duration = GAP.saturating_mul(2);

/// A message of so many bytes is as good as full: the next one has no reason to wait.
const FULL: usize = MAX_BATCH_LEN / 4 * 3;

/// When each group's messages went, and what has not been told of them.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Of the groups that the node has published to.
    groups: BTreeMap<GroupId, Group>,
}

#[derive(Debug)]
struct Group {
    last: Instant,
    /// How the last message went, and when it is told; the engine publishes nothing to the group until then.
    held: Option<(Instant, PublishOutcome)>,
}

impl Pace {
    /// Notes how a message went; returns that if it is to be told at once.
    pub(crate) fn published(
        &mut self,
        group: &GroupId,
        outcome: PublishOutcome,
        len: usize,
        now: Instant,
    ) -> Option<PublishOutcome> {
        let new = Group { last: now, held: None };
        let Some(before) = self.groups.insert(group.clone(), new) else { return Some(outcome) };
        let is_busy = now.saturating_duration_since(before.last) < BUSY;
        if !is_busy || len >= FULL || outcome != PublishOutcome::Sent {
            return Some(outcome);
        }
        self.groups.insert(group.clone(), Group { last: now, held: Some((now + GAP, outcome)) });
        None
    }

    /// Returns when there is something to tell again.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.groups.values().filter_map(|group| group.held).map(|(due, _)| due).min()
    }

    /// Returns what is to be told now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<(GroupId, PublishOutcome)> {
        let due = self.groups.iter_mut().filter_map(|(group, state)| {
            let (_, outcome) = state.held.take_if(|(due, _)| *due <= now)?;
            Some((group.clone(), outcome))
        });
        due.collect()
    }

    /// Forgets groups that the node does not carry any more; what was held of them is returned.
    pub(crate) fn retain(&mut self, is_carried: impl Fn(&GroupId) -> bool) -> Vec<(GroupId, PublishOutcome)> {
        let gone = self.groups.extract_if(.., |group, _| !is_carried(group));
        gone.filter_map(|(group, state)| state.held.map(|(_, outcome)| (group, outcome))).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn army() -> GroupId {
        "army".parse().unwrap()
    }

    #[test]
    fn a_lone_message_is_told_at_once_and_those_that_follow_closely_at_the_pace() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(pace.published(&army(), PublishOutcome::Sent, 300, start), Some(PublishOutcome::Sent));
        assert_eq!(pace.published(&army(), PublishOutcome::Sent, 300, after(1)), None);
        assert_eq!(pace.due(), Some(after(1) + GAP));
        assert!(pace.take_due(after(20)).is_empty());
        assert_eq!(pace.take_due(after(21)), [(army(), PublishOutcome::Sent)]);
        assert_eq!(pace.due(), None);
        // A steady stream stays at the pace.
        assert_eq!(pace.published(&army(), PublishOutcome::Sent, 300, after(22)), None);
        assert_eq!(pace.take_due(after(42)), [(army(), PublishOutcome::Sent)]);
        assert_eq!(pace.published(&army(), PublishOutcome::Sent, 300, after(100)), Some(PublishOutcome::Sent));
    }

    #[test]
    fn what_follows_a_full_message_waits_for_nothing() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for ms in 0..5 {
            let now = start + Duration::from_millis(ms);
            assert_eq!(pace.published(&army(), PublishOutcome::Sent, FULL, now), Some(PublishOutcome::Sent));
        }
        assert_eq!(pace.published(&army(), PublishOutcome::Sent, FULL - 1, start + Duration::from_millis(5)), None);
    }

    #[test]
    fn groups_do_not_wait_for_one_another() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for group in [army(), GroupId::heads()] {
            assert!(pace.published(&group, PublishOutcome::Sent, 300, start).is_some());
        }
    }

    #[test]
    fn that_nobody_listens_or_something_was_lost_is_told_at_once() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for outcome in [PublishOutcome::Sent, PublishOutcome::NobodyListens, PublishOutcome::Dropped] {
            assert_eq!(pace.published(&army(), outcome, 300, start), Some(outcome));
        }
    }

    #[test]
    fn what_is_held_of_a_group_is_told_when_the_group_goes() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert!(pace.published(&army(), PublishOutcome::Sent, 300, start).is_some());
        assert!(pace.published(&army(), PublishOutcome::Sent, 300, start).is_none());
        assert!(pace.retain(|group| *group == army()).is_empty());
        assert_eq!(pace.retain(|_| false), [(army(), PublishOutcome::Sent)]);
        assert_eq!(pace.due(), None);
    }
}
