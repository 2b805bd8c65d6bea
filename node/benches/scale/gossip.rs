//! What gossipsub does at one node: the mesh of each topic, and lazy gossip for what the mesh has missed.
//!
//! It follows libp2p's gossipsub 0.50 with the settings of `net/gossip.rs` and the constants of `net/shape.rs`. Scores are
//! left out, for nobody misbehaves here; so are IDONTWANT, which that sends for messages above 1,000 bytes only, and peer
//! exchange, which is off.

use std::collections::{BTreeSet, HashMap, VecDeque};

use fastrand::Rng;

use crate::overlay::Link;
use crate::shape::{
    DUPLICATE_CACHE, FLOOD_PUBLISH, GOSSIP_FACTOR, GOSSIP_LAZY, HISTORY_GOSSIP, HISTORY_LEN, MESH_N, MESH_N_HIGH,
    MESH_N_LOW, MESH_OUTBOUND_MIN, PRUNE_BACKOFF,
};

/// So long an answer to an IWANT is waited for before another is asked; gossipsub's default, in microseconds.
const FOLLOW_UP_US: u64 = 3_000_000;

/// So often a peer may ask for one message; gossipsub's default.
const MAX_RETRANSMISSIONS: u32 = 3;

/// A message, by its number in the world.
pub(crate) type MessageNo = u32;

/// The topics that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// The first troop's.
    Group = 0,
    /// That of signs of life.
    Presence = 1,
}

impl Topic {
    pub(crate) const ALL: [Self; 2] = [Self::Group, Self::Presence];
}

/// What one node sends to another beside messages.
#[derive(Debug)]
pub(crate) enum Control {
    Graft(Topic),
    Prune(Topic),
    /// These messages are here.
    Have(Vec<MessageNo>),
    /// These messages are wanted.
    Want(Vec<MessageNo>),
}

/// What is known of a message.
#[derive(Debug)]
struct Seen {
    forgotten_us: u64,
    /// Who has sent it before it was judged: it is not sent back.
    from: Vec<usize>,
    is_good: bool,
    topic: Topic,
    wanted: HashMap<usize, u32>,
}

#[derive(Debug, Default)]
struct Mesh {
    /// Places of connections.
    peers: BTreeSet<usize>,
    /// Until when a peer is not taken in.
    backoffs: HashMap<usize, u64>,
}

/// Gossipsub at one node.
#[derive(Debug)]
pub(crate) struct Gossip {
    pub(crate) links: Vec<Link>,
    /// Connections over which gossip flows.
    open: BTreeSet<usize>,
    meshes: [Mesh; 2],
    seen: HashMap<MessageNo, Seen>,
    /// Messages by heartbeat, the newest first.
    history: VecDeque<Vec<MessageNo>>,
    /// Messages that have been asked for, and until when they are waited for.
    promised: HashMap<MessageNo, u64>,
}

/// What is to be sent over which connection.
pub(crate) type Sending = Vec<(usize, Control)>;

impl Gossip {
    pub(crate) fn new(links: Vec<Link>) -> Self {
        Self {
            links,
            open: BTreeSet::new(),
            meshes: Default::default(),
            seen: HashMap::new(),
            history: VecDeque::from([Vec::new()]),
            promised: HashMap::new(),
        }
    }

    /// How many peers a topic's mesh has.
    pub(crate) fn degree(&self, topic: Topic) -> usize {
        self.meshes[topic as usize].peers.len()
    }

    /// A connection is open, and the peer has told its topics.
    pub(crate) fn subscribed(&mut self, link: usize) -> Sending {
        self.open.insert(link);
        let mut sending = Vec::new();
        for topic in Topic::ALL {
            let mesh = &mut self.meshes[topic as usize];
            if mesh.peers.len() < MESH_N_LOW && mesh.peers.insert(link) {
                sending.push((link, Control::Graft(topic)));
            }
        }
        sending
    }

    /// A message has come; tells whether it is new, and to be judged.
    pub(crate) fn receive(&mut self, message: MessageNo, topic: Topic, link: usize, now_us: u64) -> bool {
        if let Some(seen) = self.seen.get_mut(&message) {
            if !seen.is_good {
                seen.from.push(link);
            }
            return false;
        }
        self.promised.remove(&message);
        self.note(message, topic, false, now_us);
        self.seen.get_mut(&message).unwrap().from.push(link);
        true
    }

    /// A message is good; returns over which connections it goes on.
    pub(crate) fn forward(&mut self, message: MessageNo) -> Vec<usize> {
        let Some(seen) = self.seen.get_mut(&message) else { return Vec::new() };
        seen.is_good = true;
        let from = std::mem::take(&mut seen.from);
        let peers = self.meshes[seen.topic as usize].peers.iter().copied();
        peers.filter(|link| !from.contains(link)).collect()
    }

    /// This node publishes a message; returns over which connections it goes, none where it is known already.
    pub(crate) fn publish(&mut self, message: MessageNo, topic: Topic, now_us: u64) -> Vec<usize> {
        if self.seen.contains_key(&message) {
            return Vec::new();
        }
        self.note(message, topic, true, now_us);
        let peers = if FLOOD_PUBLISH { &self.open } else { &self.meshes[topic as usize].peers };
        peers.iter().copied().collect()
    }

    /// Whether nobody is there to publish to.
    pub(crate) fn is_alone(&self) -> bool {
        self.open.is_empty()
    }

    fn note(&mut self, message: MessageNo, topic: Topic, is_good: bool, now_us: u64) {
        let forgotten_us = now_us + us(DUPLICATE_CACHE);
        let seen = Seen { forgotten_us, from: Vec::new(), is_good, topic, wanted: HashMap::new() };
        self.seen.insert(message, seen);
        self.history[0].push(message);
    }

    /// Takes in what a peer sends; returns the answers, and messages that go to this peer.
    pub(crate) fn control(&mut self, link: usize, control: Control, now_us: u64) -> (Sending, Vec<MessageNo>) {
        match control {
            Control::Graft(topic) => (self.on_graft(link, topic, now_us), Vec::new()),
            Control::Prune(topic) => {
                let mesh = &mut self.meshes[topic as usize];
                mesh.peers.remove(&link);
                mesh.backoffs.insert(link, now_us + us(PRUNE_BACKOFF));
                (Vec::new(), Vec::new())
            }
            Control::Have(there) => {
                let is_wanted = |message: &MessageNo| {
                    !self.seen.contains_key(message) && self.promised.get(message).is_none_or(|until| *until < now_us)
                };
                let wanted: Vec<MessageNo> = there.into_iter().filter(is_wanted).collect();
                self.promised.extend(wanted.iter().map(|message| (*message, now_us + FOLLOW_UP_US)));
                let sending = if wanted.is_empty() { Vec::new() } else { vec![(link, Control::Want(wanted))] };
                (sending, Vec::new())
            }
            Control::Want(wanted) => {
                let is_kept = |message: &MessageNo| self.history.iter().any(|messages| messages.contains(message));
                let kept: Vec<MessageNo> = wanted.into_iter().filter(is_kept).collect();
                let mut may_have = |message: &MessageNo| {
                    let Some(seen) = self.seen.get_mut(message).filter(|seen| seen.is_good) else { return false };
                    let times = seen.wanted.entry(link).or_default();
                    *times += 1;
                    *times <= MAX_RETRANSMISSIONS
                };
                (Vec::new(), kept.into_iter().filter(|message| may_have(message)).collect())
            }
        }
    }

    fn on_graft(&mut self, link: usize, topic: Topic, now_us: u64) -> Sending {
        let mesh = &mut self.meshes[topic as usize];
        if mesh.peers.contains(&link) {
            return Vec::new();
        }
        let is_backed_off = mesh.backoffs.get(&link).is_some_and(|until| *until > now_us);
        let is_full = mesh.peers.len() >= MESH_N_HIGH && !self.links[link].dialled;
        if is_backed_off || is_full {
            mesh.backoffs.insert(link, now_us + us(PRUNE_BACKOFF));
            return vec![(link, Control::Prune(topic))];
        }
        mesh.peers.insert(link);
        Vec::new()
    }

    /// Tends the meshes, and tells others of what is here.
    pub(crate) fn heartbeat(&mut self, now_us: u64, chance: &mut Rng) -> Sending {
        let mut sending = Vec::new();
        for topic in Topic::ALL {
            sending.extend(self.tend(topic, now_us, chance));
        }
        // Signs of life are forgotten once they have been passed on, and not told of.
        sending.extend(self.tell(Topic::Group, chance));
        self.history.push_front(Vec::new());
        self.history.truncate(HISTORY_LEN);
        self.seen.retain(|_, seen| seen.forgotten_us > now_us);
        self.promised.retain(|_, until| *until > now_us);
        sending
    }

    fn tend(&mut self, topic: Topic, now_us: u64, chance: &mut Rng) -> Sending {
        let Self { links, open, meshes, .. } = self;
        let Mesh { peers, backoffs } = &mut meshes[topic as usize];
        backoffs.retain(|_, until| *until > now_us);
        let mut sending = Vec::new();
        let mut graft = |peers: &mut BTreeSet<usize>, count: usize, dialled_only: bool, chance: &mut Rng| {
            let fits = |link: &usize| {
                !peers.contains(link) && !backoffs.contains_key(link) && (!dialled_only || links[*link].dialled)
            };
            let some = sample(open.iter().copied().filter(fits), count, chance);
            sending.extend(some.iter().map(|link| (*link, Control::Graft(topic))));
            peers.extend(some);
        };
        if peers.len() < MESH_N_LOW {
            graft(peers, MESH_N - peers.len(), false, chance);
        }
        let mut let_go = Vec::new();
        if peers.len() >= MESH_N_HIGH {
            let mut dialled = peers.iter().filter(|link| links[**link].dialled).count();
            let mut shuffled: Vec<usize> = peers.iter().copied().collect();
            chance.shuffle(&mut shuffled);
            for link in shuffled {
                if peers.len() == MESH_N {
                    break;
                }
                if links[link].dialled {
                    if dialled <= MESH_OUTBOUND_MIN {
                        continue;
                    }
                    dialled -= 1;
                }
                peers.remove(&link);
                let_go.push(link);
            }
        }
        if peers.len() >= MESH_N_LOW {
            let dialled = peers.iter().filter(|link| links[**link].dialled).count();
            if dialled < MESH_OUTBOUND_MIN {
                graft(peers, MESH_OUTBOUND_MIN - dialled, true, chance);
            }
        }
        for link in let_go {
            backoffs.insert(link, now_us + us(PRUNE_BACKOFF));
            sending.push((link, Control::Prune(topic)));
        }
        sending
    }

    fn tell(&mut self, topic: Topic, chance: &mut Rng) -> Sending {
        let recent = self.history.iter().take(HISTORY_GOSSIP).flatten().copied();
        let is_told =
            |message: &MessageNo| self.seen.get(message).is_some_and(|seen| seen.is_good && seen.topic == topic);
        let messages: Vec<MessageNo> = recent.filter(is_told).collect();
        if messages.is_empty() {
            return Vec::new();
        }
        let mesh = &self.meshes[topic as usize].peers;
        let others: Vec<usize> = self.open.difference(mesh).copied().collect();
        let part = (GOSSIP_FACTOR * others.len() as f64) as usize;
        let told = sample(others.into_iter(), part.max(GOSSIP_LAZY), chance);
        told.into_iter().map(|link| (link, Control::Have(messages.clone()))).collect()
    }
}

/// Takes some at random.
fn sample(all: impl Iterator<Item = usize>, count: usize, chance: &mut Rng) -> Vec<usize> {
    let mut all: Vec<usize> = all.collect();
    chance.shuffle(&mut all);
    all.truncate(count);
    all
}

/// Returns a time in microseconds.
pub(crate) fn us(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}
