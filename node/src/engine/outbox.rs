//! Records on their way out: what waits for a listener, and what travels together.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use muster_roles::GroupId;

use super::io::PublishOutcome;
use super::sync::SyncId;
use super::wire::{MAX_BATCH_LEN, MAX_BATCH_RECORDS, batched_len, encode_batch};

/// Records that may wait to be published, over all groups; the least urgent and of these the oldest give way, for they are
/// in the store.
pub(super) const MAX_WAITING: usize = 1024;

/// So often in a row nobody has listened before it is believed that nobody does: a member that has just come says what
/// it listens to a moment later. Tries are a second apart.
const ENOUGH_REFUSALS: u32 = 3;

/// The bytes around the records of a gossip message.
const BATCH_OVERHEAD: usize = 3;

/// Records at which no more of others' are taken in, so that one's own never give way to them.
const MAX_RELAYED: usize = MAX_WAITING / 2;

/// A record on its way out.
#[derive(Debug)]
struct Outgoing {
    name: SyncId,
    /// The record as it travels.
    record: Arc<[u8]>,
    /// Whether it is somebody else's, for which no listener is waited.
    relayed: bool,
}

/// One group's records on their way out.
#[derive(Debug, Default)]
struct Queue {
    /// The most urgent first, and of one rank the oldest.
    waiting: VecDeque<Outgoing>,
    /// The records of the message that has been handed out and not answered for.
    in_flight: Vec<Outgoing>,
    /// Nobody listened when it was last tried.
    lonely: bool,
    /// How often in a row nobody did.
    refusals: u32,
}

impl Queue {
    /// Takes in a record behind all that are as urgent.
    fn queue(&mut self, outgoing: Outgoing) {
        let rank = outgoing.name.rank();
        let at = self.waiting.partition_point(|other| other.name.rank() >= rank);
        self.waiting.insert(at, outgoing);
    }

    /// Drops the oldest of the least urgent; returns its name.
    fn give_way(&mut self) -> Option<SyncId> {
        let lowest = self.waiting.back()?.name.rank();
        let at = self.waiting.partition_point(|other| other.name.rank() > lowest);
        self.waiting.remove(at).map(|outgoing| outgoing.name)
    }
}

/// Collects records for one gossip message a group at a time: while one is being published, the next one grows.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queues: BTreeMap<GroupId, Queue>,
}

impl Outbox {
    /// Takes in a record to be published; returns the one that gave way to it, if there is no room.
    pub(super) fn push(&mut self, group: &GroupId, name: SyncId, record: Arc<[u8]>) -> Option<(GroupId, SyncId)> {
        self.queues.entry(group.clone()).or_default().queue(Outgoing { name, record, relayed: false });
        if self.waiting() <= MAX_WAITING {
            return None;
        }
        let lowest = |queue: &Queue| queue.waiting.back().map(|last| (Reverse(last.name.rank()), queue.waiting.len()));
        let (group, queue) = self.queues.iter_mut().max_by_key(|(_, queue)| lowest(queue))?;
        queue.give_way().map(|name| (group.clone(), name))
    }

    /// Takes in somebody else's record, to be published if anybody listens; left to synchronisation if there is no room.
    pub(super) fn relay(&mut self, group: &GroupId, name: SyncId, record: Arc<[u8]>) {
        if self.waiting() < MAX_RELAYED {
            self.queues.entry(group.clone()).or_default().queue(Outgoing { name, record, relayed: true });
        }
    }

    /// Returns the next gossip message for a group, if one may go out now; [`Outbox::answered`] must follow.
    pub(super) fn next_message(&mut self, group: &GroupId) -> Option<Vec<u8>> {
        let queue = self.queues.get_mut(group)?;
        if queue.lonely || !queue.in_flight.is_empty() {
            return None;
        }
        let mut len = BATCH_OVERHEAD;
        while queue.in_flight.len() < MAX_BATCH_RECORDS
            && let Some(next) = queue.waiting.front()
            && len + batched_len(&next.record) <= MAX_BATCH_LEN
        {
            len += batched_len(&next.record);
            queue.in_flight.extend(queue.waiting.pop_front());
        }
        let records: Vec<Arc<[u8]>> = queue.in_flight.iter().map(|outgoing| outgoing.record.clone()).collect();
        (!records.is_empty()).then(|| encode_batch(&records))
    }

    /// Tells whether a message of a group has been handed out and not answered for.
    pub(super) fn is_under_way(&self, group: &GroupId) -> bool {
        self.queues.get(group).is_some_and(|queue| !queue.in_flight.is_empty())
    }

    /// Learns how the last message of a group went, and returns the names of its records; what nobody heard waits
    /// again, in its old order.
    pub(super) fn answered(&mut self, group: &GroupId, outcome: PublishOutcome) -> Vec<SyncId> {
        let Some(queue) = self.queues.get_mut(group) else { return Vec::new() };
        let records = std::mem::take(&mut queue.in_flight);
        let names = records.iter().map(|outgoing| outgoing.name).collect();
        // What was dropped on the way to some is repaired by synchronisation: the mesh refuses to carry it twice.
        queue.refusals = match outcome {
            PublishOutcome::NobodyListens => queue.refusals.saturating_add(1),
            PublishOutcome::Sent | PublishOutcome::Dropped => 0,
        };
        if outcome == PublishOutcome::NobodyListens {
            queue.lonely = true;
            queue.waiting.retain(|outgoing| !outgoing.relayed);
            // In their old places: before all that are as urgent and came later.
            for own in records.into_iter().rev().filter(|outgoing| !outgoing.relayed) {
                let at = queue.waiting.partition_point(|other| other.name.rank() > own.name.rank());
                queue.waiting.insert(at, own);
            }
        }
        names
    }

    /// Tells whether nobody listened to a group when it was last tried.
    pub(super) fn is_lonely(&self, group: &GroupId) -> bool {
        self.queues.get(group).is_some_and(|queue| queue.lonely)
    }

    /// Tells whether nobody has listened to a group for some time.
    pub(super) fn is_forsaken(&self, group: &GroupId) -> bool {
        self.queues.get(group).is_some_and(|queue| queue.refusals >= ENOUGH_REFUSALS)
    }

    /// Learns that somebody may listen to a group now.
    pub(super) fn listener(&mut self, group: &GroupId) {
        if let Some(queue) = self.queues.get_mut(group) {
            queue.lonely = false;
            queue.refusals = 0;
        }
    }

    /// Lets every group try again, and returns those with something to say.
    pub(super) fn retry(&mut self) -> Vec<GroupId> {
        let waiting = self.queues.iter_mut().filter(|(_, queue)| !queue.waiting.is_empty());
        waiting
            .map(|(group, queue)| {
                queue.lonely = false;
                group.clone()
            })
            .collect()
    }

    /// Returns how many records have not been handed to anyone.
    #[must_use]
    pub(super) fn waiting(&self) -> usize {
        self.queues.values().map(|queue| queue.waiting.len()).sum()
    }

    /// Tells whether gossip has all that it can take now; what nobody listens to waits on.
    pub(super) fn is_at_rest(&self) -> bool {
        self.queues.values().all(|queue| queue.in_flight.is_empty() && (queue.lonely || queue.waiting.is_empty()))
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.queues.values().all(|queue| queue.waiting.is_empty() && queue.in_flight.is_empty())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn army() -> GroupId {
        "army".parse().unwrap()
    }

    fn record(fill: u8, len: usize) -> Arc<[u8]> {
        vec![fill; len].into()
    }

    fn name(rank: u8, fill: u8) -> SyncId {
        let mut name = [fill; 32];
        name[8] = rank;
        SyncId::from_bytes(name)
    }

    /// Pushes a routine record of so many bytes, all alike; returns the first byte of the one that gave way.
    fn push(outbox: &mut Outbox, fill: u8, len: usize) -> Option<u8> {
        let gone = outbox.push(&army(), name(1, fill), record(fill, len));
        gone.map(|(_, name)| name.as_bytes()[0])
    }

    /// The records of a message, told by their first byte; the shape is checked, not the records.
    fn fills(message: &[u8]) -> Vec<u8> {
        let records: Vec<serde_bytes::ByteBuf> = serde_cbor::from_slice(message).unwrap();
        records.iter().map(|record| record[0]).collect()
    }

    #[test]
    fn records_that_wait_together_travel_together() {
        let mut outbox = Outbox::default();
        push(&mut outbox, 1, 300);
        let first = outbox.next_message(&army()).unwrap();
        push(&mut outbox, 2, 300);
        push(&mut outbox, 3, 300);
        assert_eq!(outbox.next_message(&army()), None, "one message is on its way");
        outbox.answered(&army(), PublishOutcome::Sent);
        let second = outbox.next_message(&army()).unwrap();
        assert_eq!((fills(&first), fills(&second)), (vec![1], vec![2, 3]));
    }

    #[test]
    fn a_message_never_exceeds_its_bound_in_bytes_or_records() {
        for len in [20, 300, 8 * 1024] {
            let mut outbox = Outbox::default();
            assert!((0..200).all(|_| push(&mut outbox, 7, len).is_none()));
            let mut seen = 0;
            while let Some(message) = outbox.next_message(&army()) {
                assert!(message.len() <= MAX_BATCH_LEN, "{} bytes", message.len());
                assert!(fills(&message).len() <= MAX_BATCH_RECORDS);
                seen += fills(&message).len();
                outbox.answered(&army(), PublishOutcome::Sent);
            }
            assert_eq!(seen, 200);
        }
    }

    #[test]
    fn what_nobody_heard_waits_in_order_for_a_listener() {
        let mut outbox = Outbox::default();
        push(&mut outbox, 1, 300);
        push(&mut outbox, 2, 300);
        assert!(outbox.next_message(&army()).is_some());
        let names = outbox.answered(&army(), PublishOutcome::NobodyListens);
        assert_eq!(names, [1, 2].map(|fill| name(1, fill)));
        assert!(outbox.is_lonely(&army()) && !outbox.is_forsaken(&army()));
        push(&mut outbox, 3, 300);
        assert_eq!(outbox.next_message(&army()), None);
        outbox.listener(&army());
        assert_eq!(fills(&outbox.next_message(&army()).unwrap()), vec![1, 2, 3]);
    }

    #[test]
    fn an_outbox_is_at_rest_when_gossip_has_all_or_nobody_listens() {
        let mut outbox = Outbox::default();
        assert!(outbox.is_at_rest());
        push(&mut outbox, 1, 300);
        assert!(!outbox.is_at_rest());
        assert!(outbox.next_message(&army()).is_some());
        push(&mut outbox, 2, 300);
        assert!(!outbox.is_at_rest());
        outbox.answered(&army(), PublishOutcome::Sent);
        assert!(!outbox.is_at_rest() && outbox.next_message(&army()).is_some());
        assert!(!outbox.is_at_rest());
        outbox.answered(&army(), PublishOutcome::NobodyListens);
        assert!(outbox.is_at_rest());
    }

    #[test]
    fn a_group_is_forsaken_when_nobody_has_listened_for_some_time() {
        let mut outbox = Outbox::default();
        assert!(push(&mut outbox, 1, 300).is_none());
        for tries in 1..=ENOUGH_REFUSALS {
            assert_eq!(outbox.retry(), [army()]);
            assert!(outbox.next_message(&army()).is_some());
            outbox.answered(&army(), PublishOutcome::NobodyListens);
            assert_eq!(outbox.is_forsaken(&army()), tries == ENOUGH_REFUSALS);
        }
        outbox.listener(&army());
        assert!(!outbox.is_forsaken(&army()));
    }

    #[test]
    fn what_some_queues_dropped_is_not_published_twice() {
        let mut outbox = Outbox::default();
        push(&mut outbox, 1, 300);
        assert!(outbox.next_message(&army()).is_some());
        outbox.answered(&army(), PublishOutcome::Dropped);
        assert!(outbox.is_empty());
    }

    /// As [`push`], with a rank.
    fn push_ranked(outbox: &mut Outbox, rank: u8, fill: u8) -> Option<u8> {
        let gone = outbox.push(&army(), name(rank, fill), record(fill, 10));
        gone.map(|(_, name)| name.as_bytes()[0])
    }

    #[test]
    fn what_is_urgent_goes_out_before_what_waited_longer() {
        let mut outbox = Outbox::default();
        for (rank, fill) in [(1, 1), (1, 2), (4, 3), (0, 4), (2, 5), (4, 6), (1, 7)] {
            push_ranked(&mut outbox, rank, fill);
        }
        let message = outbox.next_message(&army()).unwrap();
        assert_eq!(fills(&message), [3, 6, 5, 1, 2, 7, 4]);
        push_ranked(&mut outbox, 4, 8);
        outbox.answered(&army(), PublishOutcome::NobodyListens);
        outbox.listener(&army());
        assert_eq!(fills(&outbox.next_message(&army()).unwrap()), [3, 6, 8, 5, 1, 2, 7, 4]);
    }

    #[test]
    fn what_is_urgent_stays_where_a_full_outbox_lets_routine_go() {
        let mut outbox = Outbox::default();
        assert_eq!(push_ranked(&mut outbox, 4, 1), None);
        let gone: Vec<u8> = (0..MAX_WAITING).filter_map(|n| push_ranked(&mut outbox, 1, u8::from(n > 0) + 2)).collect();
        assert_eq!(gone, [2]);
        assert_eq!(push_ranked(&mut outbox, 3, 9), Some(3));
    }

    #[test]
    fn others_records_go_out_at_once_or_not_at_all_and_never_push_out_ones_own() {
        let mut outbox = Outbox::default();
        push(&mut outbox, 1, 300);
        outbox.relay(&army(), name(1, 2), record(2, 300));
        assert_eq!(fills(&outbox.next_message(&army()).unwrap()), vec![1, 2]);
        outbox.answered(&army(), PublishOutcome::NobodyListens);
        outbox.listener(&army());
        assert_eq!(fills(&outbox.next_message(&army()).unwrap()), vec![1], "nobody listened to the other");
        outbox.answered(&army(), PublishOutcome::Sent);
        (0..MAX_WAITING).for_each(|_| outbox.relay(&army(), name(1, 2), record(2, 10)));
        assert_eq!(outbox.waiting(), MAX_RELAYED);
        assert!((0..MAX_RELAYED).all(|_| push(&mut outbox, 1, 10).is_none()));
    }

    #[test]
    fn a_full_outbox_lets_the_oldest_go() {
        let mut outbox = Outbox::default();
        let gone: Vec<u8> = (0..MAX_WAITING + 2).filter_map(|n| push(&mut outbox, u8::from(n > 0), 10)).collect();
        assert_eq!((outbox.waiting(), gone), (MAX_WAITING, vec![0, 1]));
    }
}
