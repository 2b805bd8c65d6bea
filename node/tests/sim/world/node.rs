//! One node: its engine, its store, and what its member has been shown and told.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use muster::engine::io::{Effect, GossipHandle, Notice};
use muster::engine::order::Order;
use muster::engine::policy::Carry;
use muster::engine::store::Store;
use muster::engine::view::Row;
use muster::engine::wire::RecordId;
use muster::engine::{Boot, MAX_UNSENT, State};
use muster_keys::Identity;
use muster_roles::{GroupId, Role, Roster, Timestamp};

use crate::store::SimStore;

pub struct SimNode {
    pub state: State,
    /// The node's key, with which changes of the roster are signed.
    pub identity: Identity,
    /// The roster as it was last kept.
    pub kept: Vec<u8>,
    /// Which groups' records it carries.
    pub carry: Carry,
    pub quota_bytes: u64,
    /// Whether it runs; how often it has been started.
    pub is_up: bool,
    pub life: u64,
    /// So many milliseconds later than others it does what it does.
    pub pace_ms: u64,
    /// What its member has been told is stored.
    pub acknowledged: Vec<(GroupId, Timestamp, RecordId)>,
    /// What was stored when it was started last, and is read from there.
    pub paged: BTreeSet<RecordId>,
    /// Changes that it has made, and why it could not make others.
    pub changed: u64,
    pub not_changed: Vec<String>,
    /// As its own roster has it, or had it last.
    pub role: Role,
    /// The highest version of a roster that it has had: a disk that was full may have kept a lower one.
    pub had_version: u64,
    pub store: SimStore,
    pub shown: Vec<Row>,
    /// Late rows of which it has only been told how many they are.
    pub not_shown: u64,
    /// How many rows each block of late ones had, and whether they were written while the node was alone.
    pub blocks: Vec<(usize, bool)>,
    pub refused: u64,
    /// By how many milliseconds its clock is ahead of the true time.
    pub skew_ms: i64,
    pub notices: Vec<Notice>,
    /// The orders it has been shown, as they stand.
    pub orders: Vec<Order>,
    /// Messages of which it has been told that they waited and are sent.
    pub told_sent: u64,
    pub neighbours: Vec<usize>,
    pub(super) carries: HashSet<u64>,
    pub(super) waiting: BTreeMap<GossipHandle, (u64, Option<GroupId>, Vec<u8>)>,
    pub(super) next_handle: u64,
}

impl SimNode {
    /// A node that runs and has nothing yet.
    pub fn new(identity: Identity, roster: &Arc<Roster>, boot: &Boot) -> Self {
        Self {
            role: roster.member(&identity.public()).expect("a member").role,
            identity: Identity::from_seed(&identity.seed()),
            had_version: roster.version(),
            kept: roster.encode(),
            carry: boot.carry,
            quota_bytes: boot.quota_bytes,
            is_up: true,
            life: 0,
            pace_ms: 0,
            acknowledged: Vec::new(),
            paged: BTreeSet::new(),
            changed: 0,
            not_changed: Vec::new(),
            state: State::new(identity, roster.clone(), boot.clone()),
            store: SimStore::new(roster),
            shown: Vec::new(),
            not_shown: 0,
            blocks: Vec::new(),
            refused: 0,
            skew_ms: 0,
            notices: Vec::new(),
            orders: Vec::new(),
            told_sent: 0,
            neighbours: Vec::new(),
            carries: HashSet::new(),
            waiting: BTreeMap::new(),
            next_handle: 0,
        }
    }

    /// What the engine must know of the store when it starts.
    pub fn boot(&self, roster: &Roster) -> Boot {
        let (disk, me) = (self.store.disk(), self.identity.public());
        let last_seq = roster.groups().filter_map(|group| Some((group.clone(), disk.last_seq(group, &me).unwrap()?)));
        Boot {
            last_seq: last_seq.collect(),
            newest: disk.newest().unwrap(),
            waiting: disk.waiting(MAX_UNSENT).unwrap(),
            floors: disk.floors().unwrap(),
            carry: self.carry,
            quota_bytes: self.quota_bytes,
            is_discreet: false,
        }
    }

    /// Starts the engine on what is stored; what came before is forgotten.
    pub fn start(&mut self, identity: Identity, roster: Arc<Roster>) -> Vec<Effect> {
        let boot = self.boot(&roster);
        self.learn(&roster);
        self.state = State::new(identity, roster, boot);
        self.state.start()
    }

    /// Learns of a roster that is in force now: how new it is, and what the member is by it, if it is one.
    pub fn learn(&mut self, roster: &Roster) {
        self.had_version = self.had_version.max(roster.version());
        if let Some(member) = roster.member(&self.identity.public()) {
            self.role = member.role;
        }
    }

    /// Everything that a node keeps in memory alone is gone.
    pub fn forget(&mut self) {
        self.is_up = false;
        self.carries.clear();
        self.waiting.clear();
        self.orders.clear();
    }

    /// Counts the rows that it has been shown or been told of.
    pub fn seen(&self) -> usize {
        self.shown.len() + usize::try_from(self.not_shown).expect("a simulation is small")
    }
}
