//! What the driver is told: events that must arrive wait here while its queue is full, gossip does not.

use std::collections::VecDeque;

use muster_keys::PublicKey;
use muster_roles::GroupId;
use tokio::sync::mpsc;

use super::Event;

/// Places of the driver's queue that gossip leaves to other events.
const RESERVED: usize = 64;

/// Events waiting for the driver at which the network is not read on; it is told of every connection after all.
const MAX_WAITING: usize = 1024;

/// Answers to fetches that may wait; each can be several MiB.
const MAX_DOCUMENTS_WAITING: usize = 2;

/// The way to the driver.
pub(crate) struct Reports {
    events: mpsc::Sender<Event>,
    waiting: VecDeque<Event>,
}

impl Reports {
    /// Makes the way from a queue's entrance.
    pub(crate) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { events, waiting: VecDeque::new() }
    }

    /// Tells an event, now or as soon as there is room.
    pub(crate) fn tell(&mut self, event: Event) {
        self.waiting.push_back(event);
        self.flush();
    }

    /// Tells a gossip message; returns false, having told nothing, where the driver does not keep up.
    #[must_use]
    pub(crate) fn gossip(&mut self, event: Event) -> bool {
        self.waiting.is_empty() && self.events.capacity() > RESERVED && self.events.try_send(event).is_ok()
    }

    /// Tells that a member listens to a group.
    pub(crate) fn listener(&mut self, group: GroupId, member: PublicKey) {
        let is_told =
            |event: &Event| matches!(event, Event::Listener { group: g, member: m } if (g, m) == (&group, &member));
        if !self.waiting.iter().any(is_told) {
            self.tell(Event::Listener { group, member });
        }
    }

    /// Hands on roster documents; returns false, having told nothing, where earlier ones still wait.
    #[must_use]
    pub(crate) fn documents(&mut self, documents: Vec<Vec<u8>>) -> bool {
        let waiting = self.waiting.iter().filter(|event| matches!(event, Event::Documents(_))).count();
        if waiting >= MAX_DOCUMENTS_WAITING {
            return false;
        }
        self.tell(Event::Documents(documents));
        true
    }

    /// Tells that a member is there, or gone.
    pub(crate) fn member(&mut self, member: PublicKey, up: bool) {
        self.tell(if up { Event::MemberUp(member) } else { Event::MemberDown(member) });
    }

    /// Returns whether so much waits that the network had better not be read.
    pub(crate) fn is_congested(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }

    /// Returns whether anything waits.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Waits for room in the driver's queue and fills it; false once the driver is gone. Can be dropped at any point.
    pub(crate) async fn send_waiting(&mut self) -> bool {
        {
            let Ok(permit) = self.events.reserve().await else { return false };
            if let Some(event) = self.waiting.pop_front() {
                permit.send(event);
            }
        }
        self.flush();
        true
    }

    fn flush(&mut self) {
        while !self.waiting.is_empty() {
            let Ok(permit) = self.events.try_reserve() else { return };
            if let Some(event) = self.waiting.pop_front() {
                permit.send(event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn group(name: &str) -> GroupId {
        name.parse().unwrap()
    }

    fn member(nth: u8) -> PublicKey {
        muster_keys::Identity::from_seed(&[nth; 32]).public()
    }

    fn gossip() -> Event {
        let handle = crate::engine::io::GossipHandle(0);
        Event::Gossip { handle, bearer: member(1), group: group("heads"), bytes: Vec::new() }
    }

    #[test]
    fn gossip_leaves_room_for_other_events() {
        let (events, _driver) = mpsc::channel(RESERVED + 2);
        let mut reports = Reports::new(events);
        assert!(reports.gossip(gossip()));
        assert!(reports.gossip(gossip()));
        assert!(!reports.gossip(gossip()));
        reports.listener(group("navy"), member(1));
        assert!(!reports.is_waiting());
    }

    #[test]
    fn what_finds_no_room_waits_in_order_and_listeners_only_once() {
        let (events, mut driver) = mpsc::channel(1);
        let mut reports = Reports::new(events);
        for (name, nth) in [("heads", 1), ("navy", 1), ("navy", 2), ("army", 1), ("navy", 1)] {
            reports.listener(group(name), member(nth));
        }
        assert!(!reports.gossip(gossip()));
        let mut told = Vec::new();
        while let Ok(event) = driver.try_recv() {
            told.push(event);
            reports.flush();
        }
        let told: Vec<_> = told
            .into_iter()
            .map(|event| match event {
                Event::Listener { group, member: who } => (group.as_str().to_owned(), who == member(2)),
                other => (format!("{other:?}"), false),
            })
            .collect();
        assert_eq!(
            told,
            [("heads", false), ("navy", false), ("navy", true), ("army", false)]
                .map(|(name, second)| (name.to_owned(), second))
        );
    }

    #[test]
    fn few_fetched_documents_wait_at_a_time() {
        let (events, _driver) = mpsc::channel(1);
        let mut reports = Reports::new(events);
        let accepted = (0..5).filter(|_| reports.documents(vec![vec![0]])).count();
        assert_eq!(accepted, 1 + MAX_DOCUMENTS_WAITING);
    }
}
