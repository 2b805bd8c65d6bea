//! A mesh in memory: real engines, a lossy network with delays, and one seed behind everything that happens.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use fastrand::Rng;
use muster::disk::writer::{Job, Outcome};
use muster::engine::change::Change;
use muster::engine::draft::Draft;
use muster::engine::io::{Effect, GossipHandle, Input, Notice, PublishOutcome, RequestId, SyncInput, Verdict};
use muster::engine::order::Order;
use muster::engine::policy::{Carry, Permitted, permit_record};
use muster::engine::recall::Recall;
use muster::engine::store::{RETENTION_MS, Store, Stored};
use muster::engine::sync::{MAX_FRAME_LEN, SessionId, SyncEffect};
use muster::engine::time::UnixMillis;
use muster::engine::verify::check_records;
use muster::engine::view::Row;
use muster::engine::wire::RecordId;
use muster::engine::{Boot, MAX_UNSENT, State};
use muster_keys::{Identity, PublicKey};
use muster_roles::{EditError, GroupId, Role, Roster, Timestamp};

use crate::breakage::Breakage;
use crate::store::SimStore;

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
    pub role: Role,
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
    carries: HashSet<u64>,
    waiting: BTreeMap<GossipHandle, (u64, Option<GroupId>, Vec<u8>)>,
    next_handle: u64,
}

impl SimNode {
    /// A node that runs and has nothing yet.
    pub fn new(identity: Identity, roster: &Arc<Roster>, boot: &Boot) -> Self {
        Self {
            role: roster.member(&identity.public()).expect("a member").role,
            identity: Identity::from_seed(&identity.seed()),
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
            floor: disk.floor().unwrap(),
            carry: self.carry,
            quota_bytes: self.quota_bytes,
            is_discreet: false,
        }
    }

    /// Starts the engine on what is stored; what came before is forgotten.
    pub fn start(&mut self, identity: Identity, roster: Arc<Roster>) -> Vec<Effect> {
        let boot = self.boot(&roster);
        self.state = State::new(identity, roster, boot);
        self.state.start()
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

pub enum Happening {
    Say { node: usize, group: GroupId, draft: Draft },
    Gossip { node: usize, group: Option<GroupId>, message: Vec<u8> },
    Work { node: usize },
    Published { node: usize, group: GroupId, outcome: PublishOutcome },
    Tick { node: usize },
    Meet { a: usize, b: usize },
    Up { node: usize, other: usize },
    Hears { node: usize, other: usize },
    Documents { node: usize, documents: Vec<Vec<u8>> },
    Part { a: usize, b: usize },
    Leave { a: usize, b: usize },
    Recalled { node: usize, group: GroupId, recall: Recall },
    Sync { node: usize, input: SyncInput },
    Signed { node: usize, signed: Result<Vec<Vec<u8>>, EditError> },
}

impl Happening {
    /// The node that this is lost on unless it still runs as it did when this was on its way.
    fn bound_to(&self) -> Option<usize> {
        match self {
            Self::Say { .. } | Self::Tick { .. } | Self::Meet { .. } | Self::Part { .. } | Self::Leave { .. } => None,
            Self::Gossip { node, .. }
            | Self::Work { node }
            | Self::Published { node, .. }
            | Self::Up { node, .. }
            | Self::Hears { node, .. }
            | Self::Documents { node, .. }
            | Self::Recalled { node, .. }
            | Self::Sync { node, .. }
            | Self::Signed { node, .. } => Some(*node),
        }
    }
}

/// One end of a stream: whose, by which name, and until when what it sends is on its way.
#[derive(Clone, Copy)]
pub struct End {
    node: usize,
    session: SessionId,
    busy_until: u64,
}

/// A node, and which of its lives since the world began.
type Life = (usize, u64);

/// A record of each group and epoch.
type SealedUnder = BTreeMap<(GroupId, u64), Stored>;

pub struct World {
    /// Whether nodes tell their neighbours of a roster that the others have not got.
    pub tells_rosters: bool,
    /// The newest roster there is.
    pub roster: Arc<Roster>,
    pub nodes: Vec<SimNode>,
    pub rng: Rng,
    pub now: UnixMillis,
    pub verdicts: BTreeMap<(usize, &'static str), u64>,
    /// Of all that was shown, stored and refused: who, when, and what by its author's name and count. Ciphertext and ids are
    /// left out, for group keys are drawn by the system; and so is the order within a millisecond, which ids decide.
    pub trace: u64,
    pub weather: Weather,
    /// What happens when; with the life of the node that it happens to.
    queue: BTreeMap<(u64, u64), (Option<Life>, Happening)>,
    /// What is wrong with the build.
    pub breakage: Option<Breakage>,
    /// By so much may what the nodes take for the time be off.
    pub skew_allowed_ms: u64,
    /// Rosters by which something has been sealed, by digest; with a record of each group and epoch.
    pub sealed: BTreeMap<[u8; 32], (Arc<Roster>, SealedUnder)>,
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
            .map(|(identity, neighbours)| SimNode { neighbours, ..SimNode::new(identity, roster, boot) })
            .collect();
        Self {
            roster: roster.clone(),
            nodes,
            rng,
            now: START,
            verdicts: BTreeMap::new(),
            trace: 0,
            weather,
            breakage: None,
            skew_allowed_ms: SKEW_ALLOWED_MS,
            sealed: BTreeMap::new(),
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
        let roster = self.nodes[node].state.roster().clone();
        let effects = self.nodes[node].start(identity, roster);
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
        // What has just been asked for is done too, so that a scene can look at it.
        while let Some(node) = (0..self.nodes.len()).find(|node| self.nodes[*node].store.jobs() > 0) {
            self.work(node);
        }
    }

    /// Lets so much time pass without more ticks.
    pub fn pass_quietly(&mut self, ms: u64) {
        let end = self.now.0 + ms;
        self.run_until(end);
        self.now = UnixMillis(end);
    }

    /// Who is in reach of whom.
    pub fn links(&self) -> Vec<(usize, usize)> {
        let of = |a: usize| self.nodes[a].neighbours.iter().filter(move |b| a < **b).map(move |b| (a, *b));
        (0..self.nodes.len()).flat_map(of).collect()
    }

    /// A node comes that was not there; returns its number.
    pub fn arrive(&mut self, node: SimNode) -> usize {
        self.nodes.push(node);
        self.brought.push(0);
        let number = self.nodes.len() - 1;
        let effects = self.nodes[number].state.start();
        effects.into_iter().for_each(|effect| self.carry_out(number, effect));
        number
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
            let ((at, _), (life, happening)) = entry.remove_entry();
            steps += 1;
            assert!(steps < 2_000_000, "the simulation does not come to rest");
            self.now = UnixMillis(at);
            if life.is_none_or(|(node, life)| self.nodes[node].is_up && self.nodes[node].life == life) {
                self.happen(happening);
            }
        }
    }

    pub fn schedule(&mut self, after_ms: u64, happening: Happening) {
        self.counter += 1;
        let life = happening.bound_to().map(|node| (node, self.nodes[node].life));
        self.queue.insert((self.now.0 + after_ms, self.counter), (life, happening));
    }

    pub fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Say { node, .. } | Happening::Tick { node } if !self.nodes[node].is_up => {}
            Happening::Meet { a, b } if !self.may_meet(a, b) => {}
            Happening::Say { node, group, draft } => {
                let mut nonce = [0; 24];
                self.rng.fill(&mut nonce);
                self.feed(node, Input::Post { request: RequestId(0), group, draft, nonce });
            }
            Happening::Gossip { node, group, message } => self.hear(node, group, message),
            Happening::Work { node } => self.work(node),
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
            Happening::Leave { a, b } => self.separate(|one, other| (one, other) == (a.min(b), a.max(b))),
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

    pub fn feed(&mut self, node: usize, input: Input) {
        if !self.nodes[node].is_up {
            return;
        }
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

    pub fn carry_out(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Append(records) => {
                self.check_permitted(node, &records);
                self.ask(node, Job::Append(records));
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
            Effect::Shed(shed) => self.ask(node, Job::Shed(shed)),
            Effect::Count(group) => {
                let mut recall = Recall::default();
                let stored = self.nodes[node].store.all(&group);
                stored.iter().for_each(|stored| recall.note(stored, &self.nodes[node].state.reader()));
                self.schedule(5, Happening::Recalled { node, group, recall });
            }
            Effect::Sync(effect) => self.carry_out_sync(node, effect),
            Effect::Prune { before } => {
                let kept_ms = self.now.0.saturating_sub(before.ms());
                assert!(kept_ms + self.skew_allowed_ms >= RETENTION_MS, "node {node} keeps no more than {kept_ms} ms");
                self.ask(node, Job::Prune { before });
            }
            Effect::Sent { group, records } => self.ask(node, Job::Sent { group, records }),
            Effect::Notice(Notice::Sent { count }) => self.nodes[node].told_sent += count,
            Effect::Notice(notice) => self.nodes[node].notices.push(notice),
            Effect::RosterChanged(roster) => self.on_roster(node, &roster),
            Effect::Sign { change, roster, now } => {
                let signed = self.sign(node, change, &roster, now);
                let delay = 1 + self.nodes[node].pace_ms;
                self.schedule(delay, Happening::Signed { node, signed });
            }
            Effect::Changed { .. } => self.nodes[node].changed += 1,
            Effect::NotChanged { reason, .. } => self.nodes[node].not_changed.push(reason.to_string()),
            Effect::Made { group, time, id, .. } => {
                if self.breakage == Some(Breakage::AcknowledgesUnstored) {
                    self.nodes[node].acknowledged.push((group, time, id));
                }
            }
            Effect::JoinAnswer { .. } | Effect::JoinRequests(_) => {}
        }
    }

    /// Neighbours with another roster fetch what they lack, as hellos have them do.
    pub fn tell_roster(&mut self, node: usize, roster: &Arc<Roster>) {
        if !self.tells_rosters {
            return;
        }
        if roster.version() > self.roster.version() {
            self.roster = Arc::clone(roster);
        }
        for other in self.nodes[node].neighbours.clone() {
            self.tell_roster_to(other, roster);
        }
    }

    /// A neighbour with another roster fetches what it lacks.
    pub fn tell_roster_to(&mut self, other: usize, roster: &Arc<Roster>) {
        let theirs = self.nodes[other].state.roster();
        // Whoever is a member no more is told why, as the last thing.
        let concerns = theirs.member(&self.key(other)).is_some() || roster.member(&self.key(other)).is_some();
        if self.nodes[other].is_up && theirs.digest() != roster.digest() && concerns {
            let have = theirs.documents().map(|(id, _)| id).collect();
            let documents = roster.missing_from(&have).into_iter().map(<[u8]>::to_vec).collect();
            let delay = self.rng.u64(1..=self.weather.max_delay_ms);
            self.schedule(delay, Happening::Documents { node: other, documents });
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

    pub fn key(&self, node: usize) -> PublicKey {
        self.nodes[node].state.public()
    }

    fn carry_out_sync(&mut self, node: usize, effect: SyncEffect) {
        match effect {
            SyncEffect::Index(group) => {
                // Nothing is compared where the disk has failed.
                let Ok(names) = self.nodes[node].store.disk().names(&group) else { return };
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
                let records = self.nodes[node].store.find(&group, &names);
                self.schedule(1, Happening::Sync { node, input: SyncInput::Loaded { session, group, records } });
            }
            SyncEffect::Verify { session, group, records, last } => {
                self.brought[node] += records.len();
                let unit = self.nodes[node].state.roster().unit();
                let (records, forged) = check_records(&records, unit);
                self.on_verified(node, &records);
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
                let delay = self.rng.u64(1..=self.weather.max_delay_ms) + self.nodes[node].pace_ms;
                self.schedule(delay, Happening::Gossip { node, group: group.cloned(), message: message.to_vec() });
            }
        }
    }

    /// Asks a node's writer for something.
    pub fn ask(&mut self, node: usize, job: Job) {
        if self.nodes[node].store.ask(job) {
            self.let_work(node);
        }
    }

    fn let_work(&mut self, node: usize) {
        let delay = self.rng.u64(1..=5) + self.nodes[node].pace_ms;
        self.schedule(delay, Happening::Work { node });
    }

    /// A node's writer does what it does next.
    fn work(&mut self, node: usize) {
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
    fn check_permitted(&mut self, node: usize, records: &[Permitted]) {
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

    /// Adds something to the trace, wherever in its millisecond it happened.
    pub fn note(&mut self, what: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (self.now.0, what).hash(&mut hasher);
        self.trace = self.trace.wrapping_add(hasher.finish());
    }

    /// Nothing is shown that is not stored, or that the member's role forbids.
    fn show(&mut self, node: usize, row: Row) {
        let shower = &mut self.nodes[node];
        // A disk that has failed cannot be asked.
        let is_stored = shower.state.has_failed() || shower.store.contains(row.group(), row.time(), row.id());
        assert!(is_stored, "node {node} was shown what is not stored");
        assert!(shower.role.may_read(row.group()), "{:?} was shown {}", shower.role, row.group());
        let what = (node, row.author().to_string(), row.text().to_string());
        shower.shown.push(row);
        self.note(what);
    }
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
