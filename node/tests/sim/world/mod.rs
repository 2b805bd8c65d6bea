//! A mesh in memory: real engines, a lossy network with delays, and one seed behind everything that happens.

mod clocks;
mod disk;
mod effects;
mod happening;
mod network;
mod node;
mod rosters;
mod streams;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use fastrand::Rng;
use muster::disk::writer::Job;
use muster::engine::Boot;
use muster::engine::store::Stored;
use muster::engine::sync::SessionId;
use muster::engine::time::UnixMillis;
use muster_keys::{Identity, Randomness};
use muster_roles::{GroupId, Roster};

pub use self::happening::Happening;
use self::network::links;
pub use self::node::SimNode;
use self::streams::End;
use crate::breakage::Breakage;
use crate::founding::randomness;

/// When every simulation begins, in Unix milliseconds.
pub const START: UnixMillis = UnixMillis(1_800_000_000_000);

/// A clock that is off by so much is taken as it is.
pub const SKEW_ALLOWED_MS: u64 = 60_000;

/// What the network does to messages.
#[derive(Clone, Copy)]
pub struct Weather {
    pub max_delay_ms: u64,
    /// Of 1,000 messages on a link, so many are lost.
    pub lost_per_mille: u32,
    /// Of 1,000 messages on a link, so many arrive twice.
    pub doubled_per_mille: u32,
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
    /// What the keys of new epochs are drawn from.
    pub randomness: Randomness,
    /// Of all that was shown, stored and refused: who, when, and what, by its id. The order within a millisecond is left out.
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
    /// What a patched client gives whoever asks it for records, in place of them.
    pub lies: BTreeMap<usize, Vec<Vec<u8>>>,
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
            randomness: randomness(seed),
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
            lies: BTreeMap::new(),
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

    /// A node comes that was not there; returns its number.
    pub fn arrive(&mut self, node: SimNode) -> usize {
        self.nodes.push(node);
        self.brought.push(0);
        let number = self.nodes.len() - 1;
        let effects = self.nodes[number].state.start();
        effects.into_iter().for_each(|effect| self.carry_out(number, effect));
        number
    }

    /// Stops a node that has no links, and starts it again from what it has stored.
    pub fn restart(&mut self, node: usize, identity: Identity) {
        let roster = self.nodes[node].state.roster().clone();
        let effects = self.nodes[node].start(identity, roster.clone());
        self.ask(node, Job::Rejudge(roster));
        effects.into_iter().for_each(|effect| self.carry_out(node, effect));
    }
}
