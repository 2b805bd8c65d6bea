//! Authentic records that cite a roster this node has not got yet.

use std::collections::VecDeque;

use super::verify::Verified;

/// Records held: enough for what a troop says while a roster crosses the mesh, 4 MiB at the very most.
const CAPACITY: usize = 512;

/// Records waiting for a newer roster to explain them; the oldest gives way.
#[derive(Debug, Default)]
pub(super) struct Held {
    records: VecDeque<Verified>,
}

impl Held {
    pub(super) fn hold(&mut self, record: Verified) {
        let id = record.frame().id();
        if self.records.iter().any(|held| held.frame().id() == id) {
            return;
        }
        if self.records.len() >= CAPACITY {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    /// Gives back everything held, to be judged anew.
    pub(super) fn release(&mut self) -> VecDeque<Verified> {
        std::mem::take(&mut self.records)
    }
}
