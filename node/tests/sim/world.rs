//! A mesh in memory: real engines, a lossy network with delays, and one seed behind everything that happens.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use fastrand::Rng;
use muster::engine::change::Change;
use muster::engine::draft::Draft;
use muster::engine::io::{Effect, GossipHandle, Input, Notice, PublishOutcome, RequestId, SyncInput, Verdict};
use muster::engine::order::Order;
use muster::engine::policy::{Permitted, permit_record};
use muster::engine::recall::Recall;
use muster::engine::store::{RETENTION_MS, Shed, Store};
use muster::engine::sync::{MAX_FRAME_LEN, SessionId, SyncEffect, SyncId};
use muster::engine::time::UnixMillis;
use muster::engine::verify::check_records;
use muster::engine::view::Row;
use muster::engine::wire::Frame;
use muster::engine::{Boot, MAX_UNSENT, State};
use muster_keys::{Identity, PublicKey};
use muster_roles::{EditError, GroupId, Proposal, Role, Roster, Timestamp, draft, due_rekey};

use crate::store::MemStore;

/// When every simulation begins, in Unix milliseconds.
pub const START: UnixMillis = UnixMillis(1_800_000_000_000);

/// A clock that is off by so much is taken as it is.
pub const SKEW_ALLOWED_MS: u64 = 60_000;

/// Bytes around a gossip message: topic and lengths, encryption, streams, TCP and IP.
const GOSSIP_OVERHEAD: u64 = 140;

/// What the network does to messages.
#[derive(Clone, Copy)]
pub struct Weather {
    pub max_delay_ms: u64,
    /// Of 1,000 messages on a link, so many are lost.
    pub lost_per_mille: u32,
    /// Of 1,000 messages on a link, so many arrive twice.
    pub doubled_per_mille: u32,
}

pub struct SimNode {
    pub state: State,
    /// The node's key, with which changes of the roster are signed.
    identity: Identity,
    /// Changes that it has made, and why it could not make others.
    pub changed: u64,
    pub not_changed: Vec<String>,
    pub role: Role,
    pub store: MemStore,
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
    neighbours: Vec<usize>,
    carries: HashSet<u64>,
    waiting: BTreeMap<GossipHandle, (u64, Option<GroupId>, Vec<u8>)>,
    next_handle: u64,
}

impl SimNode {
    /// Counts the rows that it has been shown or been told of.
    pub fn seen(&self) -> usize {
        self.shown.len() + usize::try_from(self.not_shown).expect("a simulation is small")
    }
}

enum Happening {
    Say { node: usize, group: GroupId, draft: Draft },
    Gossip { node: usize, group: Option<GroupId>, message: Vec<u8> },
    Commit { node: usize, records: Vec<Permitted> },
    Shed { node: usize, shed: Shed },
    Published { node: usize, group: GroupId, outcome: PublishOutcome },
    Tick { node: usize },
    Meet { a: usize, b: usize },
    Up { node: usize, other: usize },
    Hears { node: usize, other: usize },
    Documents { node: usize, documents: Vec<Vec<u8>> },
    Part { a: usize, b: usize },
    Recalled { node: usize, group: GroupId, recall: Recall },
    Sync { node: usize, input: SyncInput },
    Signed { node: usize, signed: Result<Vec<Vec<u8>>, EditError> },
}

/// One end of a stream: whose, by which name, and until when what it sends is on its way.
#[derive(Clone, Copy)]
struct End {
    node: usize,
    session: SessionId,
    busy_until: u64,
}

pub struct World {
    /// Whether nodes tell their neighbours of a roster that the others have not got.
    pub tells_rosters: bool,
    /// The newest roster there is.
    roster: Arc<Roster>,
    pub nodes: Vec<SimNode>,
    pub rng: Rng,
    pub now: UnixMillis,
    pub verdicts: BTreeMap<(usize, &'static str), u64>,
    pub trace: DefaultHasher,
    weather: Weather,
    queue: BTreeMap<(u64, u64), Happening>,
    counter: u64,
    /// Whether gossip knows that nobody is there; else what is published to nobody counts as sent, and is lost.
    pub minds_listeners: bool,
    /// Whether nobody has said yet to what it listens.
    pub nobody_listens: bool,
    /// Links over which gossip does not flow yet, from one node to the other: that one has not said to what it listens.
    opening: HashSet<(usize, usize)>,
    /// So many copies of gossip messages have travelled.
    pub gossip_copies: u64,
    /// So many beacons have been sent.
    pub beacons: u64,
    /// Each end of every stream, and the other end's name.
    streams: BTreeMap<(usize, SessionId), End>,
    /// So many bytes of gossip have been published, with what travels around each message.
    pub gossip_bytes: u64,
    /// Whether a node that asks what its store holds is told; else it confirms nothing.
    pub answers_counts: bool,
    /// So many bytes of synchronisation have travelled.
    pub sync_bytes: u64,
    /// Records that sessions have brought, a node: what was asked for, whether new or not.
    pub brought: Vec<usize>,
}

impl World {
    /// A mesh of the given members; every node has a few random neighbours and all are connected.
    pub fn new(seed: u64, roster: &Arc<Roster>, identities: Vec<Identity>, weather: Weather) -> Self {
        Self::with_boot(seed, roster, identities, weather, &Boot::default())
    }

    /// The same, with nodes that begin like this.
    pub fn with_boot(
        seed: u64,
        roster: &Arc<Roster>,
        identities: Vec<Identity>,
        weather: Weather,
        boot: &Boot,
    ) -> Self {
        let mut rng = Rng::with_seed(seed);
        let links = links(identities.len(), &mut rng);
        let nodes = identities
            .into_iter()
            .zip(links)
            .map(|(identity, neighbours)| SimNode {
                role: roster.member(&identity.public()).expect("a member").role,
                identity: Identity::from_seed(&identity.seed()),
                changed: 0,
                not_changed: Vec::new(),
                state: State::new(identity, roster.clone(), boot.clone()),
                store: MemStore::default(),
                shown: Vec::new(),
                not_shown: 0,
                blocks: Vec::new(),
                refused: 0,
                skew_ms: 0,
                notices: Vec::new(),
                orders: Vec::new(),
                told_sent: 0,
                neighbours,
                carries: HashSet::new(),
                waiting: BTreeMap::new(),
                next_handle: 0,
            })
            .collect();
        Self {
            roster: roster.clone(),
            nodes,
            rng,
            now: START,
            verdicts: BTreeMap::new(),
            trace: DefaultHasher::new(),
            weather,
            queue: BTreeMap::new(),
            tells_rosters: false,
            counter: 0,
            minds_listeners: false,
            nobody_listens: false,
            opening: HashSet::new(),
            gossip_copies: 0,
            beacons: 0,
            streams: BTreeMap::new(),
            gossip_bytes: 0,
            answers_counts: true,
            sync_bytes: 0,
            brought: Vec::new(),
        }
        .begun()
    }

    fn begun(mut self) -> Self {
        self.brought = vec![0; self.nodes.len()];
        for node in 0..self.nodes.len() {
            let effects = self.nodes[node].state.start();
            effects.into_iter().for_each(|effect| self.carry_out(node, effect));
        }
        self
    }

    /// Neighbours become connected; synchronisation goes on from here.
    pub fn connect_all(&mut self) {
        for a in 0..self.nodes.len() {
            for b in self.nodes[a].neighbours.clone().into_iter().filter(|b| a < *b) {
                self.schedule(1, Happening::Meet { a, b });
            }
        }
    }

    /// Cuts every link of a node, or between two sets of nodes as `cut` tells.
    pub fn separate(&mut self, cut: impl Fn(usize, usize) -> bool) {
        for a in 0..self.nodes.len() {
            for b in self.nodes[a].neighbours.clone().into_iter().filter(|b| a < *b && cut(a, *b)) {
                self.happen(Happening::Part { a, b });
                self.nodes[a].neighbours.retain(|node| *node != b);
                self.nodes[b].neighbours.retain(|node| *node != a);
            }
        }
    }

    /// Joins two nodes.
    pub fn join(&mut self, a: usize, b: usize) {
        if !self.nodes[a].neighbours.contains(&b) {
            self.nodes[a].neighbours.push(b);
            self.nodes[b].neighbours.push(a);
        }
        self.schedule(1, Happening::Meet { a, b });
    }

    /// Joins two nodes as it really goes: either one is told that the other is there, and a moment later learns to what
    /// it listens; gossip flows from then on. Returns within how many milliseconds that is.
    pub fn join_slowly(&mut self, a: usize, b: usize, after_ms: u64) -> u64 {
        /// How long either step may take.
        const STEP_MS: u64 = 100;
        for (node, other) in [(a, b), (b, a)] {
            self.nodes[node].neighbours.push(other);
            self.opening.insert((node, other));
            let met = after_ms + self.rng.u64(1..=STEP_MS);
            let heard = met + self.rng.u64(0..=STEP_MS);
            self.schedule(met, Happening::Up { node, other });
            self.schedule(heard, Happening::Hears { node, other });
        }
        after_ms + 2 * STEP_MS
    }

    /// Gives a node a newer roster's documents after so many milliseconds.
    pub fn teach(&mut self, after_ms: u64, node: usize, roster: &Roster) {
        let documents = roster.documents().map(|(_, bytes)| bytes.to_vec()).collect();
        self.schedule(after_ms, Happening::Documents { node, documents });
    }

    /// Puts an older roster in force at a node that has nothing yet.
    pub fn set_back(&mut self, node: usize, identity: Identity, roster: &Arc<Roster>) {
        self.nodes[node].state = State::new(identity, roster.clone(), Boot::default());
        let effects = self.nodes[node].state.start();
        effects.into_iter().for_each(|effect| self.carry_out(node, effect));
    }

    /// Counts the gossip messages that have had no verdict.
    pub fn unanswered(&self) -> usize {
        self.nodes.iter().map(|node| node.waiting.len()).sum()
    }

    /// Stops a node that has no links, and starts it again from what it has stored.
    pub fn restart(&mut self, node: usize, identity: Identity) {
        let stopped = &mut self.nodes[node];
        let (roster, me) = (stopped.state.roster().clone(), identity.public());
        let last_seq = roster.groups().filter_map(|group| {
            let seq = stopped.store.last_seq(group, &me).expect("memory does not fail")?;
            Some((group.clone(), seq))
        });
        let boot = Boot {
            last_seq: last_seq.collect(),
            newest: stopped.store.newest().expect("memory does not fail"),
            waiting: stopped.store.waiting(MAX_UNSENT).expect("memory does not fail"),
            ..Boot::default()
        };
        stopped.state = State::new(identity, roster, boot);
        let effects = stopped.state.start();
        effects.into_iter().for_each(|effect| self.carry_out(node, effect));
    }

    /// Breaks every stream there is, in the middle of whatever it carries.
    pub fn break_streams(&mut self) -> usize {
        let ends: Vec<(usize, SessionId)> = self.streams.keys().copied().collect();
        for (node, session) in &ends {
            self.streams.remove(&(*node, *session));
            self.feed(*node, Input::Sync(SyncInput::Closed(*session)));
        }
        ends.len()
    }

    /// Lets so much time pass, with a tick a second for everyone.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.0 + ms;
        for second in 1..=ms / 1000 {
            (0..self.nodes.len()).for_each(|node| self.schedule(second * 1000, Happening::Tick { node }));
        }
        self.run_until(end);
        self.now = UnixMillis(end);
    }

    /// A member says something after so many milliseconds.
    pub fn say(&mut self, after_ms: u64, node: usize, group: &GroupId, text: &str) {
        self.post(after_ms, node, group, Draft::text(text));
    }

    /// A member posts something after so many milliseconds.
    pub fn post(&mut self, after_ms: u64, node: usize, group: &GroupId, draft: Draft) {
        self.schedule(after_ms, Happening::Say { node, group: group.clone(), draft });
    }

    /// The person at a node has read a group up to a time.
    pub fn read(&mut self, node: usize, group: &GroupId, upto: Timestamp) {
        self.feed(node, Input::Read { group: group.clone(), upto });
    }

    /// A message made elsewhere reaches a node, as a patched client would send it.
    pub fn inject(&mut self, after_ms: u64, node: usize, group: &GroupId, message: Vec<u8>) {
        self.schedule(after_ms, Happening::Gossip { node, group: Some(group.clone()), message });
    }

    /// Lets everything happen that is going to; safety holds after every step.
    pub fn run(&mut self) {
        self.run_until(u64::MAX);
    }

    /// Lets everything happen that is going to up to a time.
    pub fn run_until(&mut self, end: u64) {
        let mut steps = 0_u64;
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), happening) = entry.remove_entry();
            steps += 1;
            assert!(steps < 2_000_000, "the simulation does not come to rest");
            self.now = UnixMillis(at);
            self.happen(happening);
        }
    }

    fn schedule(&mut self, after_ms: u64, happening: Happening) {
        self.counter += 1;
        self.queue.insert((self.now.0 + after_ms, self.counter), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Say { node, group, draft } => {
                let mut nonce = [0; 24];
                self.rng.fill(&mut nonce);
                self.feed(node, Input::Post { request: RequestId(0), group, draft, nonce });
            }
            Happening::Gossip { node, group, message } => self.hear(node, group, message),
            Happening::Commit { node, records } => {
                let fates = self.nodes[node].store.append(&records).expect("memory does not fail");
                self.feed(node, Input::Committed { records: records.into_iter().zip(fates).collect() });
            }
            Happening::Shed { node, shed } => {
                if let Some(before) = self.nodes[node].store.shed(&shed).expect("memory does not fail") {
                    self.feed(node, Input::Shed { before });
                }
            }
            Happening::Published { node, group, outcome } => self.feed(node, Input::Published { group, outcome }),
            Happening::Tick { node } => {
                let random = self.rng.u64(..);
                self.feed(node, Input::Tick { random });
            }
            Happening::Meet { a, b } => {
                for node in [a, b] {
                    self.tell_roster(node, &self.nodes[node].state.roster().clone());
                }
                for (node, other) in [(a, b), (b, a)] {
                    self.feed(node, Input::MemberUp(self.key(other)));
                    self.compare_clocks(node, other);
                    if self.minds_listeners {
                        self.hears(node, other);
                    }
                }
            }
            Happening::Up { node, other } => {
                self.feed(node, Input::MemberUp(self.key(other)));
                self.compare_clocks(node, other);
            }
            Happening::Hears { node, other } => {
                self.opening.remove(&(node, other));
                self.hears(node, other);
            }
            Happening::Documents { node, documents } => self.feed(node, Input::Documents { documents }),
            Happening::Part { a, b } => {
                let ends: Vec<(usize, SessionId)> = self.streams.keys().copied().collect();
                for (node, session) in ends {
                    let other = self.streams.get(&(node, session)).map(|end| end.node);
                    if (node == a && other == Some(b)) || (node == b && other == Some(a)) {
                        self.feed(node, Input::Sync(SyncInput::Closed(session)));
                    }
                }
                self.streams.retain(|(node, _), end| !((*node == a && end.node == b) || (*node == b && end.node == a)));
                self.feed(a, Input::MemberDown(self.key(b)));
                self.feed(b, Input::MemberDown(self.key(a)));
            }
            Happening::Recalled { .. } if !self.answers_counts => {}
            Happening::Recalled { node, group, recall } => self.feed(node, Input::Recalled { group, recall }),
            Happening::Sync { node, input: SyncInput::Opened { session, peer, leading } } => {
                self.feed(node, Input::Sync(SyncInput::Opened { session, peer, leading }));
                if !self.streams.contains_key(&(node, session)) {
                    // It was cut before this end knew of it.
                    self.feed(node, Input::Sync(SyncInput::Closed(session)));
                }
            }
            Happening::Sync { node, input } => self.feed(node, Input::Sync(input)),
            Happening::Signed { node, signed } => self.feed(node, Input::Signed(signed)),
        }
    }

    /// A node learns that another listens to every group.
    fn hears(&mut self, node: usize, other: usize) {
        let groups: Vec<GroupId> = self.nodes[node].state.roster().groups().cloned().collect();
        for group in groups {
            self.feed(node, Input::Listener { group, member: self.key(other) });
        }
    }

    /// What gossip does: a message is judged once and forwarded only when it was accepted.
    fn hear(&mut self, node: usize, group: Option<GroupId>, message: Vec<u8>) {
        let name = name_of(&message);
        let listener = &mut self.nodes[node];
        if !listener.carries.insert(name) {
            return;
        }
        listener.next_handle += 1;
        let handle = GossipHandle(listener.next_handle);
        listener.waiting.insert(handle, (name, group.clone(), message.clone()));
        self.feed(
            node,
            match group {
                Some(group) => Input::Gossip { handle, group, bytes: message },
                None => Input::Beacon { handle, bytes: message },
            },
        );
    }

    fn feed(&mut self, node: usize, input: Input) {
        let wall = self.wall(node);
        let effects = self.nodes[node].state.handle(input, wall);
        for effect in effects {
            self.carry_out(node, effect);
        }
    }

    /// What a node's clock shows.
    fn wall(&self, node: usize) -> UnixMillis {
        UnixMillis(self.now.0.saturating_add_signed(self.nodes[node].skew_ms))
    }

    /// A node learns what another's clock shows, as exactly as a round trip lets it.
    fn compare_clocks(&mut self, node: usize, other: usize) {
        let error_ms = self.rng.u64(0..=self.weather.max_delay_ms / 2);
        let (theirs, ours) = (self.wall(other), UnixMillis(self.wall(node).0 + error_ms));
        self.feed(node, Input::Clock { member: self.key(other), theirs, ours });
    }

    fn carry_out(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Append(records) => {
                self.check_permitted(node, &records);
                let delay = self.rng.u64(1..=5);
                self.schedule(delay, Happening::Commit { node, records });
            }
            Effect::Publish { group, message } => {
                self.gossip_bytes += message.len() as u64 + GOSSIP_OVERHEAD;
                let alone = self.minds_listeners && self.listeners(node).is_empty() || self.nobody_listens;
                let outcome = if alone { PublishOutcome::NobodyListens } else { PublishOutcome::Sent };
                // What a node has heard already, it does not publish.
                if outcome == PublishOutcome::Sent && self.nodes[node].carries.insert(name_of(&message)) {
                    self.spread(node, Some(&group), &message);
                }
                self.schedule(1, Happening::Published { node, group, outcome });
            }
            Effect::Beacon(bytes) => {
                self.beacons += 1;
                self.nodes[node].carries.insert(name_of(&bytes));
                self.spread(node, None, &bytes);
            }
            Effect::Presence(_) => {}
            Effect::Verdict { handle, verdict } => {
                let (_, group, message) = self.nodes[node].waiting.remove(&handle).expect("each is judged once");
                let name = match verdict {
                    Verdict::Accept => "accept",
                    Verdict::Ignore => "ignore",
                    Verdict::Reject => "reject",
                };
                if group.is_some() {
                    *self.verdicts.entry((node, name)).or_default() += 1;
                }
                if verdict == Verdict::Accept {
                    self.spread(node, group.as_ref(), &message);
                }
            }
            Effect::Show(row) => self.show(node, row),
            Effect::ShowLate(late) => {
                for late in late {
                    assert!(late.rows.is_sorted_by_key(Row::time), "late rows come in the order of their times");
                    self.nodes[node].not_shown += late.older;
                    self.nodes[node].blocks.push((late.rows.len(), late.while_away));
                    late.rows.into_iter().for_each(|row| self.show(node, row));
                }
            }
            Effect::Refused { .. } => self.nodes[node].refused += 1,
            Effect::Progress { .. } => {}
            Effect::Order(order) => {
                let orders = &mut self.nodes[node].orders;
                orders.retain(|other| other.row.id() != order.row.id());
                orders.push(order);
            }
            Effect::Shed(shed) => self.schedule(1, Happening::Shed { node, shed }),
            Effect::Count(group) => {
                let mut recall = Recall::default();
                let stored = self.nodes[node].store.all(&group);
                stored.iter().for_each(|stored| recall.note(stored, &self.nodes[node].state.reader()));
                self.schedule(5, Happening::Recalled { node, group, recall });
            }
            Effect::Sync(effect) => self.carry_out_sync(node, effect),
            Effect::Prune { before } => {
                let kept_ms = self.now.0 - before.ms();
                assert!(kept_ms + SKEW_ALLOWED_MS >= RETENTION_MS, "node {node} keeps no more than {kept_ms} ms");
                self.nodes[node].store.prune(before).expect("memory does not fail");
            }
            Effect::Sent { group, records } => {
                self.nodes[node].store.sent(&group, &records).expect("memory does not fail");
            }
            Effect::Notice(Notice::Sent { count }) => self.nodes[node].told_sent += count,
            Effect::Notice(notice) => self.nodes[node].notices.push(notice),
            Effect::RosterChanged(roster) => {
                self.rejudge(node, &roster);
                self.tell_roster(node, &roster);
            }
            Effect::Sign { change, roster, now } => {
                let signer = &self.nodes[node].identity;
                let signed = match change {
                    Change::Make(edit) => draft(&roster, signer, &edit, now)
                        .map(|proposal: Proposal| proposal.documents().map(<[u8]>::to_vec).collect()),
                    Change::RekeyDue => due_rekey(&roster, signer, now).map(Option::unwrap_or_default),
                    Change::Adopt(documents) => Ok(documents),
                };
                self.schedule(1, Happening::Signed { node, signed });
            }
            Effect::Changed { .. } => self.nodes[node].changed += 1,
            Effect::NotChanged { reason, .. } => self.nodes[node].not_changed.push(reason.to_string()),
            Effect::JoinAnswer { .. } | Effect::JoinRequests(_) | Effect::Made { .. } => {}
        }
    }

    /// Neighbours with another roster fetch what they lack, as hellos have them do.
    fn tell_roster(&mut self, node: usize, roster: &Arc<Roster>) {
        if !self.tells_rosters {
            return;
        }
        if roster.version() > self.roster.version() {
            self.roster = Arc::clone(roster);
        }
        for other in self.nodes[node].neighbours.clone() {
            let theirs = self.nodes[other].state.roster();
            // Whoever is a member no more is told why, as the last thing.
            let was_member = theirs.member(&self.key(other)).is_some();
            if theirs.digest() != roster.digest() && (was_member || roster.member(&self.key(other)).is_some()) {
                let have = theirs.documents().map(|(id, _)| id).collect();
                let documents = roster.missing_from(&have).into_iter().map(<[u8]>::to_vec).collect();
                let delay = self.rng.u64(1..=self.weather.max_delay_ms);
                self.schedule(delay, Happening::Documents { node: other, documents });
            }
        }
    }

    /// What a new roster forbids leaves the store.
    fn rejudge(&mut self, node: usize, roster: &Roster) {
        let mut denied: BTreeMap<GroupId, Vec<_>> = BTreeMap::new();
        for stored in self.nodes[node].store.iter() {
            let header = stored.frame().header();
            if permit_record(roster, header).is_err() {
                denied.entry(header.group.clone()).or_default().push((header.time, stored.frame().id()));
            }
        }
        for (group, ids) in denied {
            self.nodes[node].store.remove(&group, &ids).expect("memory does not fail");
            let names = ids.iter().map(|(time, id)| SyncId::new(*time, id)).collect();
            self.schedule(1, Happening::Sync { node, input: SyncInput::Withdrawn { group, names } });
        }
    }

    /// Lets so much time pass in which nobody does anything.
    pub fn jump(&mut self, ms: u64) {
        self.run();
        self.now = UnixMillis(self.now.0 + ms);
    }

    /// A member changes the roster.
    pub fn change(&mut self, node: usize, change: Change) {
        self.feed(node, Input::Change { request: RequestId(0), change });
    }

    fn key(&self, node: usize) -> PublicKey {
        self.nodes[node].state.public()
    }

    fn carry_out_sync(&mut self, node: usize, effect: SyncEffect) {
        match effect {
            SyncEffect::Index(group) => {
                let stored = self.nodes[node].store.all(&group);
                let names = stored.iter().map(|stored| name(stored.frame())).collect();
                self.schedule(3, Happening::Sync { node, input: SyncInput::Indexed { group, names } });
            }
            SyncEffect::Open(peer) => {
                let other = (0..self.nodes.len()).find(|other| self.key(*other) == peer).expect("a node");
                if !self.nodes[node].neighbours.contains(&other) {
                    return self.schedule(1, Happening::Sync { node, input: SyncInput::NotOpened(peer) });
                }
                self.counter += 2;
                let (mine, theirs) = (SessionId(self.counter), SessionId(self.counter + 1));
                self.streams.insert((node, mine), End { node: other, session: theirs, busy_until: 0 });
                self.streams.insert((other, theirs), End { node, session: mine, busy_until: 0 });
                let opened = |session, peer, leading| SyncInput::Opened { session, peer, leading };
                let asker = self.key(node);
                self.schedule(1, Happening::Sync { node, input: opened(mine, peer, true) });
                self.schedule(1, Happening::Sync { node: other, input: opened(theirs, asker, false) });
            }
            SyncEffect::Send(session, bytes) => {
                self.sync_bytes += bytes.len() as u64;
                if std::env::var_os("SIM_TRACE").is_some() {
                    eprintln!("{} {node} {session:?} {} {:?}", self.now.0, bytes.len(), &bytes[..8.min(bytes.len())]);
                }
                assert!(bytes.len() <= MAX_FRAME_LEN, "a frame of {} bytes", bytes.len());
                let delay = self.rng.u64(1..=self.weather.max_delay_ms);
                let now = self.now.0;
                let Some(end) = self.streams.get_mut(&(node, session)) else { return };
                // A stream keeps its order.
                end.busy_until = end.busy_until.max(now + delay);
                let (to, session, after) = (end.node, end.session, end.busy_until - now);
                self.schedule(after, Happening::Sync { node: to, input: SyncInput::Frame { session, bytes } });
            }
            SyncEffect::Load(session, group, names) => {
                let records = names.iter().filter_map(|wanted| self.nodes[node].store.find(&group, wanted)).collect();
                self.schedule(1, Happening::Sync { node, input: SyncInput::Loaded { session, group, records } });
            }
            SyncEffect::Verify { session, group, records, last } => {
                self.brought[node] += records.len();
                let unit = self.nodes[node].state.roster().unit();
                let (records, forged) = check_records(&records, unit);
                let input = SyncInput::Verified { session, group, records, forged, last };
                self.schedule(1, Happening::Sync { node, input });
            }
            SyncEffect::Close(session) => {
                let Some(end) = self.streams.remove(&(node, session)) else { return };
                let after = end.busy_until.saturating_sub(self.now.0) + 1;
                self.streams.remove(&(end.node, end.session));
                self.schedule(after, Happening::Sync { node: end.node, input: SyncInput::Closed(end.session) });
            }
        }
    }

    /// The neighbours to which gossip flows.
    fn listeners(&self, node: usize) -> Vec<usize> {
        let neighbours = self.nodes[node].neighbours.iter().copied();
        neighbours.filter(|other| !self.opening.contains(&(node, *other))).collect()
    }

    fn spread(&mut self, from: usize, group: Option<&GroupId>, message: &[u8]) {
        for node in self.listeners(from) {
            let copies = match self.rng.u32(0..1000) {
                fate if fate < self.weather.lost_per_mille => 0,
                fate if fate < self.weather.lost_per_mille + self.weather.doubled_per_mille => 2,
                _ => 1,
            };
            self.gossip_copies += if group.is_some() { copies } else { 0 };
            for _ in 0..copies {
                let delay = self.rng.u64(1..=self.weather.max_delay_ms);
                self.schedule(delay, Happening::Gossip { node, group: group.cloned(), message: message.to_vec() });
            }
        }
    }

    /// Nothing is stored that the roster does not permit.
    fn check_permitted(&self, node: usize, records: &[Permitted]) {
        // Where rosters spread, a node judges by the one it has, and again by the next.
        let roster = if self.tells_rosters { self.nodes[node].state.roster() } else { &self.roster };
        for record in records {
            let header = record.frame().header();
            assert!(permit_record(roster, header).is_ok());
        }
    }

    /// Nothing is shown that is not stored, or that the member's role forbids.
    fn show(&mut self, node: usize, row: Row) {
        let shower = &mut self.nodes[node];
        assert!(shower.store.contains(row.group(), row.time(), row.id()), "shown before it was stored");
        assert!(shower.role.may_read(row.group()), "{:?} was shown {}", shower.role, row.group());
        (node, self.now.0, row.author().as_str(), row.text().as_str()).hash(&mut self.trace);
        shower.shown.push(row);
    }
}

fn name(frame: &Frame) -> SyncId {
    SyncId::new(frame.header().time, &frame.id())
}

fn name_of(message: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    hasher.finish()
}

/// A random tree with a few more links: every node reaches every other, some by one way only.
fn links(nodes: usize, rng: &mut Rng) -> Vec<Vec<usize>> {
    let mut links = vec![Vec::new(); nodes];
    let join = |links: &mut Vec<Vec<usize>>, a: usize, b: usize| {
        if a != b && !links[a].contains(&b) {
            links[a].push(b);
            links[b].push(a);
        }
    };
    for node in 1..nodes {
        let other = rng.usize(0..node);
        join(&mut links, node, other);
    }
    for _ in 0..nodes {
        let (a, b) = (rng.usize(0..nodes), rng.usize(0..nodes));
        join(&mut links, a, b);
    }
    links
}
