//! What a node's writer does, when it gets round to it.

use std::collections::BTreeMap;

use muster::disk::writer::{Job, Outcome};
use muster::engine::io::{Input, SyncInput};
use muster::engine::policy::{Permitted, permit_record};
use muster::engine::store::Stored;

use super::World;
use super::happening::Happening;

impl World {
    /// Asks a node's writer for something.
    pub fn ask(&mut self, node: usize, job: Job) {
        if self.nodes[node].store.ask(job) {
            self.let_work(node);
        }
    }

    pub(super) fn let_work(&mut self, node: usize) {
        let delay = self.rng.u64(1..=5) + self.nodes[node].pace_ms;
        self.schedule(delay, Happening::Work { node });
    }

    /// A node's writer does what it does next.
    pub(super) fn work(&mut self, node: usize) {
        let (outcome, more) = self.nodes[node].store.step();
        if more {
            self.let_work(node);
        }
        if self.nodes[node].store.platter.is_cut() {
            // The power went before anybody could be told.
            return self.crash(node);
        }
        match outcome {
            Some(Outcome::Committed(records)) => {
                self.note_stored(node, &records);
                self.feed(node, Input::Committed { records });
            }
            Some(Outcome::Shed { before }) => self.feed(node, Input::Shed { before }),
            Some(Outcome::Withdrawn(withdrawn)) => {
                for (group, names) in withdrawn {
                    self.feed(node, Input::Sync(SyncInput::Withdrawn { group, names }));
                }
            }
            Some(Outcome::Failed(records)) => self.feed(node, Input::CommitFailed { records }),
            None => {}
        }
    }

    /// Nothing is stored that the node's roster does not permit.
    pub(super) fn check_permitted(&mut self, node: usize, records: &[Permitted]) {
        let roster = self.nodes[node].state.roster().clone();
        for record in records {
            let header = record.frame().header();
            assert!(permit_record(&roster, header).is_ok());
            let cited = roster.versions_for(&header.group);
            let is_fresh =
                (header.charter_version, header.sheet_version) == (cited.charter_version, cited.sheet_version);
            // What a node that was restored gets back of its own is older than its roster.
            if header.author == self.key(node) && is_fresh {
                let by = self.sealed.entry(roster.digest()).or_insert_with(|| (roster.clone(), BTreeMap::new()));
                by.1.insert((header.group.clone(), header.epoch), Stored::from(record));
            }
        }
    }
}
