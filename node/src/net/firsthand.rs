//! What came from its author waits a moment until it is passed on.
//!
//! An author gives what it says to everyone it is connected with. Where all are connected to one another, everybody has it
//! from there, and what they pass on is for nothing: at best it costs, at worst it holds up what is needed. So it goes
//! second. And as each waits another while, whoever passes it on first tells its neighbours that it has it, and gossipsub
//! spares them the copy back. Where somebody has missed it, or is not connected to the author, the moment is all that is lost.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use libp2p::gossipsub::MessageId;

use super::gossip::Brought;
use super::shape::{FIRSTHAND_SPREAD, FIRSTHAND_WAIT};

/// Messages that wait at most; what is more is passed on at once. A hundred authors who each give out a message every twenty
/// milliseconds, the pace of a busy group, have no more than this on the way.
const MAX_WAITING: usize = 512;

/// Messages that wait to be passed on.
#[derive(Debug, Default)]
pub(crate) struct Firsthand {
    /// By the time at which they go, and a number of their own.
    waiting: BTreeMap<(Instant, u64), Brought>,
    next: u64,
    /// Nodes are not to choose the same while for the same message.
    chance: RandomState,
}

impl Firsthand {
    /// Has a message wait; tells whether there is room for it.
    pub(crate) fn wait(&mut self, brought: &Brought, now: Instant) -> bool {
        if self.waiting.len() >= MAX_WAITING {
            return false;
        }
        let due = now + FIRSTHAND_WAIT + self.spread(&brought.id);
        self.waiting.insert((due, self.next), brought.clone());
        self.next = self.next.wrapping_add(1);
        true
    }

    /// Returns when there is something to pass on again.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes what has waited long enough.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Brought> {
        let later = self.waiting.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.waiting, later).into_values().collect()
    }

    fn spread(&self, id: &MessageId) -> Duration {
        let spread_us = u64::try_from(FIRSTHAND_SPREAD.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(self.chance.hash_one(id) % spread_us)
    }
}

#[cfg(test)]
mod tests {
    use libp2p::PeerId;

    use super::*;

    fn id(nth: usize) -> MessageId {
        MessageId::new(&nth.to_be_bytes())
    }

    fn brought(nth: usize, from: PeerId) -> Brought {
        Brought { id: id(nth), from, is_beacon: false }
    }

    #[test]
    fn a_message_waits_its_moment_and_no_longer() {
        let (mut firsthand, start, from) = (Firsthand::default(), Instant::now(), PeerId::random());
        for nth in 0..100 {
            assert!(firsthand.wait(&brought(nth, from), start));
        }
        assert!(firsthand.due() >= Some(start + FIRSTHAND_WAIT));
        assert!(firsthand.take_due(start + FIRSTHAND_WAIT - Duration::from_millis(1)).is_empty());
        let halfway = firsthand.take_due(start + FIRSTHAND_WAIT + FIRSTHAND_SPREAD / 2).len();
        assert!((1..100).contains(&halfway), "all at one time: {halfway}");
        let rest = firsthand.take_due(start + FIRSTHAND_WAIT + FIRSTHAND_SPREAD);
        assert_eq!(halfway + rest.len(), 100);
        assert!(rest.iter().all(|brought| brought.from == from));
        assert_eq!(firsthand.due(), None);
    }

    #[test]
    fn nodes_choose_different_moments_for_one_message() {
        let nodes: Vec<Firsthand> = (0..20).map(|_| Firsthand::default()).collect();
        let first = nodes.first().map(|node| node.spread(&id(1)));
        assert!(nodes.iter().any(|node| Some(node.spread(&id(1))) != first));
    }

    #[test]
    fn what_finds_no_room_does_not_wait() {
        let (mut firsthand, now) = (Firsthand::default(), Instant::now());
        let waiting = (0..MAX_WAITING + 10).filter(|nth| firsthand.wait(&brought(*nth, PeerId::random()), now)).count();
        assert_eq!(waiting, MAX_WAITING);
        assert_eq!(firsthand.take_due(now + FIRSTHAND_WAIT + FIRSTHAND_SPREAD).len(), MAX_WAITING);
    }
}
