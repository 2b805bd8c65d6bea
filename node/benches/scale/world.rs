//! Real engines in a mesh in memory: what happens, and when.
//!
//! Time counts in microseconds from the start. Whatever goes over a connection keeps its order, as each has one way's length;
//! what weather takes of gossip is gone, which is worse than what it does to TCP or QUIC: these would send it again.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::rc::Rc;

use fastrand::Rng;
use muster::engine::draft::Draft;
use muster::engine::io::{GossipHandle, Input, PublishOutcome, RequestId, SyncInput, Verdict};
use muster::engine::policy::Permitted;
use muster::engine::store::Fate;
use muster::engine::sync::SyncId;
use muster::engine::time::UnixMillis;
use muster::engine::{Boot, State};
use muster_keys::Identity;
use muster_roles::{GroupId, Timestamp};

use crate::gossip::{Control, Gossip, MessageNo, Topic, us};
use crate::measure::Measure;
use crate::overlay;
use crate::shape::{FIRST_HEARTBEAT, FIRSTHAND_SPREAD, FIRSTHAND_WAIT, HEARTBEAT};
use crate::streams::Streams;
use crate::unit::Unit;

/// When every simulation begins, in Unix milliseconds.
const START_MS: u64 = 1_800_000_000_000;

const SECOND_US: u64 = 1_000_000;

/// Within so long all members meet those that they are connected to.
const MEETING_US: u64 = 10 * SECOND_US;

/// So long after a connection is open, what the peer listens to is known.
const SUBSCRIBING_US: u64 = 5_000;

/// From a message's arrival until it is judged: through the node's queues, one check of a signature, and back.
const JUDGING_US: u64 = 1_000;

/// How long the store takes to commit.
const COMMITTING_US: u64 = 3_000;

/// How long handing a message to gossipsub takes.
const PUBLISHING_US: u64 = 100;

/// A gossip message.
pub(crate) struct Message {
    pub(crate) topic: Topic,
    pub(crate) bytes: Vec<u8>,
    /// The text in it that is measured.
    pub(crate) said: Option<usize>,
}

/// A node.
pub(crate) struct Node {
    pub(crate) state: State,
    pub(crate) gossip: Gossip,
    /// Gossip messages that are with the engine.
    judged: HashMap<GossipHandle, MessageNo>,
    handles: u64,
}

pub(crate) enum Happening {
    Meet { node: usize, link: usize },
    Payload { node: usize, link: usize, message: MessageNo },
    Judge { node: usize, link: usize, message: MessageNo },
    Forward { node: usize, message: MessageNo },
    Control { node: usize, link: usize, control: Control },
    Heartbeat { node: usize },
    Tick { node: usize },
    Say { node: usize },
    Published { node: usize, group: GroupId, outcome: PublishOutcome },
    Committed { node: usize, records: Vec<Permitted> },
    Sync { node: usize, input: Box<SyncInput> },
}

/// Something that happens at a time; of one time in the order in which it was planned.
struct Planned(u64, u64, Happening);

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Planned {}

pub(crate) struct World {
    pub(crate) unit: Rc<Unit>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) messages: Vec<Message>,
    /// Every record there is: all nodes share one store, as each engine knows which it has.
    pub(crate) records: HashMap<SyncId, Vec<u8>>,
    pub(crate) chance: Rng,
    pub(crate) now_us: u64,
    pub(crate) streams: Streams,
    pub(crate) measure: Measure,
    /// Of 1,000 gossip messages and frames on a way, so many are lost.
    lost_per_mille: u32,
    queue: BinaryHeap<Reverse<Planned>>,
    planned: u64,
}

impl World {
    /// A unit whose members are about to meet.
    pub(crate) fn new(unit: Rc<Unit>, lost_per_mille: u32, seed: u64) -> Self {
        let mut chance = Rng::with_seed(seed);
        let links = overlay::connect(unit.identities.len(), &mut chance);
        let node = |(identity, links): (&Identity, _)| Node {
            state: State::new(Identity::from_seed(&identity.seed()), unit.roster.clone(), Boot::default()),
            gossip: Gossip::new(links),
            judged: HashMap::new(),
            handles: 0,
        };
        let nodes: Vec<Node> = unit.identities.iter().zip(links).map(node).collect();
        let mut world = Self {
            measure: Measure::new(nodes.len()),
            unit,
            nodes,
            messages: Vec::new(),
            records: HashMap::new(),
            chance,
            now_us: 0,
            streams: Streams::default(),
            lost_per_mille,
            queue: BinaryHeap::new(),
            planned: 0,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for node in 0..self.nodes.len() {
            let effects = self.nodes[node].state.start();
            self.carry_out(node, effects);
            for (link, end) in
                self.nodes[node].gossip.links.clone().into_iter().enumerate().filter(|(_, end)| end.dialled)
            {
                let at_us = self.chance.u64(..MEETING_US);
                self.plan(at_us, Happening::Meet { node, link });
                self.plan(at_us, Happening::Meet { node: end.peer, link: end.back });
            }
            let beat_us = us(FIRST_HEARTBEAT) + self.chance.u64(..us(HEARTBEAT));
            self.plan(beat_us, Happening::Heartbeat { node });
            let tick_us = self.chance.u64(..SECOND_US);
            self.plan(tick_us, Happening::Tick { node });
        }
    }

    /// Has something happen after so long.
    pub(crate) fn plan(&mut self, after_us: u64, happening: Happening) {
        self.planned += 1;
        self.queue.push(Reverse(Planned(self.now_us + after_us, self.planned, happening)));
    }

    /// Lets so many seconds pass.
    pub(crate) fn pass(&mut self, seconds: u64) {
        let end_us = self.now_us + seconds * SECOND_US;
        while self.queue.peek().is_some_and(|Reverse(next)| next.0 < end_us) {
            let Some(Reverse(Planned(at_us, _, happening))) = self.queue.pop() else { break };
            self.now_us = at_us;
            self.happen(happening);
        }
        self.now_us = end_us;
    }

    /// Has a member of the first troop say something.
    pub(crate) fn say(&mut self, after_us: u64) {
        let node = 1 + self.chance.usize(..self.unit.speakers());
        self.plan(after_us, Happening::Say { node });
    }

    /// The time that all clocks show.
    pub(crate) fn wall(&self) -> UnixMillis {
        UnixMillis(START_MS + self.now_us / 1000)
    }

    /// Hands something to a node's engine.
    pub(crate) fn feed(&mut self, node: usize, input: Input) {
        let wall = self.wall();
        let effects = self.nodes[node].state.handle(input, wall);
        self.carry_out(node, effects);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Meet { node, link } => self.meet(node, link),
            Happening::Payload { node, link, message } => {
                let Message { topic, said, .. } = self.messages[message as usize];
                self.measure.copy(said);
                if self.nodes[node].gossip.receive(message, topic, link, self.now_us) {
                    self.plan(JUDGING_US, Happening::Judge { node, link, message });
                }
            }
            Happening::Judge { node, link, message } => self.judge(node, link, message),
            Happening::Forward { node, message } => self.forward(node, message),
            Happening::Control { node, link, control } => {
                let (sending, messages) = self.nodes[node].gossip.control(link, control, self.now_us);
                sending.into_iter().for_each(|(link, control)| self.send_control(node, link, control));
                messages.into_iter().for_each(|message| self.send(node, link, message));
            }
            Happening::Heartbeat { node } => {
                let sending = self.nodes[node].gossip.heartbeat(self.now_us, &mut self.chance);
                sending.into_iter().for_each(|(link, control)| self.send_control(node, link, control));
                self.plan(us(HEARTBEAT), Happening::Heartbeat { node });
            }
            Happening::Tick { node } => {
                let random = self.chance.u64(..);
                self.feed(node, Input::Tick { random });
                self.plan(SECOND_US, Happening::Tick { node });
            }
            Happening::Say { node } => {
                let mut nonce = [0; 24];
                self.chance.fill(&mut nonce);
                let text = self.measure.say(node, self.now_us);
                let group = self.unit.group.clone();
                self.feed(node, Input::Post { request: RequestId(0), group, draft: Draft::text(&text), nonce });
            }
            Happening::Published { node, group, outcome } => self.feed(node, Input::Published { group, outcome }),
            Happening::Committed { node, records } => {
                let records = records.into_iter().map(|record| (record, Fate::New)).collect();
                self.feed(node, Input::Committed { records });
            }
            Happening::Sync { node, input } => self.feed(node, Input::Sync(*input)),
        }
    }

    /// A connection is open: each end learns of the other, and a moment later of its topics.
    fn meet(&mut self, node: usize, link: usize) {
        let member = self.nodes[self.nodes[node].gossip.links[link].peer].state.public();
        self.feed(node, Input::MemberUp(member));
        let now = self.wall();
        self.feed(node, Input::Clock { member, theirs: now, ours: now });
        let sending = self.nodes[node].gossip.subscribed(link);
        for (link, control) in sending {
            self.send_control(node, link, control);
        }
        let group = self.unit.group.clone();
        self.feed(node, Input::Listener { group, member });
    }

    /// Gives a gossip message to the engine.
    fn judge(&mut self, node: usize, link: usize, message: MessageNo) {
        let Message { topic, bytes, .. } = &self.messages[message as usize];
        let (topic, bytes) = (*topic, bytes.clone());
        let bearer = self.nodes[self.nodes[node].gossip.links[link].peer].state.public();
        let judging = &mut self.nodes[node];
        judging.handles += 1;
        let handle = GossipHandle(judging.handles);
        judging.judged.insert(handle, message);
        let group = self.unit.group.clone();
        match topic {
            Topic::Group => self.feed(node, Input::Gossip { handle, bearer, group, bytes }),
            Topic::Presence => self.feed(node, Input::Beacon { handle, bearer, bytes }),
        }
    }

    /// The engine's verdict: what is good goes on.
    pub(crate) fn judged(&mut self, node: usize, handle: GossipHandle, verdict: Verdict) {
        let Some(message) = self.nodes[node].judged.remove(&handle) else { return };
        match verdict {
            Verdict::Accept => self.forward(node, message),
            Verdict::Firsthand => {
                let waits_us = us(FIRSTHAND_WAIT) + self.chance.u64(..us(FIRSTHAND_SPREAD));
                self.plan(waits_us, Happening::Forward { node, message });
            }
            Verdict::Ignore | Verdict::Reject => {}
        }
    }

    fn forward(&mut self, node: usize, message: MessageNo) {
        let links = self.nodes[node].gossip.forward(message);
        links.into_iter().for_each(|link| self.send(node, link, message));
    }

    /// A node publishes a message; tells whether anybody was there.
    pub(crate) fn publish(&mut self, node: usize, topic: Topic, bytes: Vec<u8>) -> bool {
        // What is published again by others, as sessions have brought it, differs for gossipsub only if its bytes do.
        let known = self.messages.iter().rposition(|message| message.bytes == bytes);
        let number = known.unwrap_or_else(|| {
            let said = self.measure.text_in(&bytes);
            self.messages.push(Message { topic, bytes, said });
            self.messages.len() - 1
        });
        if self.nodes[node].gossip.is_alone() {
            return false;
        }
        let message = u32::try_from(number).unwrap();
        let links = self.nodes[node].gossip.publish(message, topic, self.now_us);
        links.into_iter().for_each(|link| self.send(node, link, message));
        true
    }

    /// Answers the engine's wish to publish.
    pub(crate) fn answer_publish(&mut self, node: usize, group: GroupId, was_heard: bool) {
        let outcome = if was_heard { PublishOutcome::Sent } else { PublishOutcome::NobodyListens };
        self.plan(PUBLISHING_US, Happening::Published { node, group, outcome });
    }

    /// Stores records.
    pub(crate) fn append(&mut self, node: usize, records: Vec<Permitted>) {
        for record in &records {
            let frame = record.frame();
            let name = SyncId::new(frame.header().time, &frame.id());
            self.records.entry(name).or_insert_with(|| frame.bytes().to_vec());
            self.measure.arrived(name, node, self.now_us);
        }
        self.plan(COMMITTING_US, Happening::Committed { node, records });
    }

    fn send(&mut self, node: usize, link: usize, message: MessageNo) {
        let Message { topic, bytes, .. } = &self.messages[message as usize];
        self.measure.sent_message(*topic, bytes.len());
        let end = &self.nodes[node].gossip.links[link];
        let (peer, back, way_us) = (end.peer, end.back, end.way_us);
        if !self.is_lost() {
            self.plan(way_us, Happening::Payload { node: peer, link: back, message });
        }
    }

    fn send_control(&mut self, node: usize, link: usize, control: Control) {
        let ids = match &control {
            Control::Have(messages) | Control::Want(messages) => Some(messages.len()),
            Control::Graft(_) | Control::Prune(_) => None,
        };
        self.measure.sent_control(ids.unwrap_or_default());
        let end = &self.nodes[node].gossip.links[link];
        let (peer, back) = (end.peer, end.back);
        let way_us = end.way_us + if matches!(control, Control::Graft(_)) { SUBSCRIBING_US } else { 0 };
        // The two ends of a mesh agree on who is in it; what is lost of that is sent again.
        if ids.is_none() || !self.is_lost() {
            self.plan(way_us, Happening::Control { node: peer, link: back, control });
        }
    }

    /// Throws the dice for what goes over a connection.
    pub(crate) fn is_lost(&mut self) -> bool {
        self.lost_per_mille > 0 && self.chance.u32(..1000) < self.lost_per_mille
    }
}

/// Founds a unit of so many members just before the world begins.
pub(crate) fn unit(members: usize) -> Unit {
    Unit::found(members, Timestamp::from_ms(START_MS - 60_000))
}
