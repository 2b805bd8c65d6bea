//! Authentic records that cite a roster this node has not got yet.
//!
//! News of a roster and the first record that goes by it cross the mesh at the same time, and either may be first. Where
//! it is the record, the verdict on the gossip message that brought it waits too, so that it travels on when the roster
//! has come.

use std::collections::VecDeque;

use super::io::GossipHandle;
use super::time::UnixMillis;
use super::verify::Verified;

/// Records held: enough for what a troop says while a roster crosses the mesh, 4 MiB at the very most.
const CAPACITY: usize = 512;

/// How long a verdict may wait, in milliseconds: gossip forgets a message that has had none for twelve seconds.
const VERDICT_WAIT_MS: u64 = 8000;

/// A record that is held.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) record: Verified,
    /// The gossip message that brought it, if that has had no verdict.
    pub(super) message: Option<GossipHandle>,
    pub(super) since: UnixMillis,
}

/// Records waiting for a newer roster to explain them; the oldest gives way.
#[derive(Debug, Default)]
pub(super) struct Held {
    records: VecDeque<Waiting>,
    /// Messages whose record gave way, and whose verdict must not wait any longer.
    given_up: Vec<GossipHandle>,
}

impl Held {
    /// Holds a record that came at this time; tells whether the verdict on the message that brought it waits with it.
    pub(super) fn hold(&mut self, record: Verified, message: Option<GossipHandle>, since: UnixMillis) -> bool {
        let id = record.frame().id();
        if let Some(held) = self.records.iter_mut().find(|held| held.record.frame().id() == id) {
            // One message is enough to bring it to the others.
            if held.message.is_none() {
                held.message = message;
            }
            return message.is_some() && held.message == message;
        }
        if self.records.len() >= CAPACITY
            && let Some(oldest) = self.records.pop_front()
            && let Some(message) = oldest.message
        {
            self.forget(message);
            self.given_up.push(message);
        }
        self.records.push_back(Waiting { record, message, since });
        message.is_some()
    }

    /// Learns that a message has had its verdict; its records are still held.
    pub(super) fn forget(&mut self, message: GossipHandle) {
        for held in &mut self.records {
            held.message = held.message.filter(|other| *other != message);
        }
    }

    /// Returns messages that have waited too long for a verdict, or whose records gave way.
    pub(super) fn overdue(&mut self, now: UnixMillis) -> Vec<GossipHandle> {
        let mut overdue = std::mem::take(&mut self.given_up);
        // A clock that was set back must not make any wait for longer.
        let is_overdue = |held: &&Waiting| now.0.abs_diff(held.since.0) >= VERDICT_WAIT_MS;
        overdue.extend(self.records.iter().filter(is_overdue).filter_map(|held| held.message));
        overdue.sort();
        overdue.dedup();
        overdue.iter().for_each(|message| self.forget(*message));
        overdue
    }

    /// Gives back everything held, to be judged anew.
    pub(super) fn release(&mut self) -> VecDeque<Waiting> {
        std::mem::take(&mut self.records)
    }
}
