//! A node's store: the real one, on a disk in memory, worked on when the simulation says.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::OnceLock;

use fastrand::Rng;
use muster::disk::Disk;
use muster::disk::writer::{Job, Outcome, Work};
use muster::engine::store::{Store, Stored};
use muster::engine::sync::SyncId;
use muster::engine::wire::RecordId;
use muster_roles::{GroupId, Roster, Timestamp};

use crate::platter::Platter;

/// What errors call the store.
const NAME: &str = "simulated";

/// Later than every record.
const END: Timestamp = Timestamp::from_u64(u64::MAX);

pub struct SimStore {
    pub platter: Platter,
    /// There while the node runs.
    work: Option<Work>,
    /// What the writer has been asked to do.
    jobs: VecDeque<Job>,
    groups: Vec<GroupId>,
}

impl SimStore {
    /// An empty store.
    pub fn new(roster: &Roster) -> Self {
        static EMPTY: OnceLock<Platter> = OnceLock::new();
        let empty = EMPTY.get_or_init(|| {
            let platter = Platter::default();
            drop(Disk::with_backend(Path::new(NAME), platter.head()).expect("there is room"));
            platter
        });
        let platter = Platter::copy_of(empty);
        let mut groups: Vec<GroupId> = roster.groups().cloned().collect();
        groups.sort();
        let mut store = Self { platter, work: None, jobs: VecDeque::new(), groups };
        store.open();
        store
    }

    /// Opens it, which mends what a crash has left.
    pub fn open(&mut self) {
        // Whoever had it open lets go first.
        self.work = None;
        let disk = Disk::with_backend(Path::new(NAME), self.platter.head());
        self.work = Some(Work::new(disk.expect("what a crash leaves can be opened")));
    }

    /// The power goes.
    pub fn crash(&mut self, rng: &mut Rng) {
        self.platter.crash(rng);
        self.jobs.clear();
        self.work = None;
    }

    pub fn disk(&self) -> &Disk {
        self.work.as_ref().expect("the node runs").disk()
    }

    /// Asks the writer for something; tells whether it had nothing to do.
    pub fn ask(&mut self, job: Job) -> bool {
        self.jobs.push_back(job);
        self.jobs.len() == 1
    }

    /// Does what the writer does next; tells whether there is more to do.
    pub fn step(&mut self) -> (Option<Outcome>, bool) {
        let Some(job) = self.jobs.pop_front() else { return (None, false) };
        let work = self.work.as_mut().expect("the node runs");
        let (outcome, behind) = work.carry_out(job, || self.jobs.pop_front());
        if let Some(behind) = behind {
            self.jobs.push_front(behind);
        }
        (outcome, !self.jobs.is_empty())
    }

    /// Stores at once, past the engine, as a patched client would.
    pub fn slip_in(&mut self, job: Job) {
        self.work.as_mut().expect("the node runs").carry_out(job, || None);
    }

    /// Counts what the writer has been asked to do and has not done.
    pub fn jobs(&self) -> usize {
        self.jobs.len()
    }

    pub fn contains(&self, group: &GroupId, time: Timestamp, id: RecordId) -> bool {
        !self.find(group, &[SyncId::new(time, &id)]).is_empty()
    }

    /// The records that reconciliation knows by these names.
    pub fn find(&self, group: &GroupId, names: &[SyncId]) -> Vec<Vec<u8>> {
        // As the driver: what cannot be read is left out.
        self.disk().load(group, names).unwrap_or_default()
    }

    /// Bytes that the records of a group take.
    pub fn size(&self, group: &GroupId) -> u64 {
        self.disk().size(group).expect("it can be read")
    }

    /// All records, group by group.
    pub fn iter(&self) -> impl Iterator<Item = Stored> {
        self.groups.iter().flat_map(|group| self.all(group))
    }

    /// Counts the messages: receipts are none.
    pub fn messages(&self) -> usize {
        self.iter().filter(|stored| stored.frame().header().kind.is_message()).count()
    }

    /// All records of a group, receipts too.
    pub fn all(&self, group: &GroupId) -> Vec<Stored> {
        let rows = self.disk().rows(group, Timestamp::ZERO, END).expect("it can be read");
        rows.map(|row| row.expect("it can be read")).collect()
    }

    pub fn latest(&self, group: &GroupId, count: usize) -> Result<Vec<Stored>, muster::disk::DiskError> {
        self.disk().latest(group, count)
    }
}
