//! Who is connected to whom, and by how long a way: connections as a node's address book makes them.
//!
//! Everybody knows of everybody, as over one local network, and dials as many as `net/shape.rs` says: near ones first, at
//! random among these, and nobody to whom there is a connection already.

use fastrand::Rng;

use crate::shape::{MAX_ESTABLISHED, MAX_OUTGOING, MAX_OUTGOING_NEAR};
use crate::unit::Unit;

/// The shortest and the longest way between two nodes, in microseconds; each connection has one, as in iroh-gossip's
/// simulator.
const WAY_US: std::ops::RangeInclusive<u64> = 10_000..=50_000;

/// One end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// The node at the other end.
    pub(crate) peer: usize,
    /// The place of this connection among the other's.
    pub(crate) back: usize,
    /// How long what is sent is on its way, in microseconds.
    pub(crate) way_us: u64,
    /// Whether this end has dialled.
    pub(crate) dialled: bool,
}

/// Connects so many members; returns each one's connections.
pub(crate) fn connect(members: usize, chance: &mut Rng) -> Vec<Vec<Link>> {
    let mut links: Vec<Vec<Link>> = vec![Vec::new(); members];
    let mut order: Vec<usize> = (0..members).collect();
    chance.shuffle(&mut order);
    // All dial at the same time, so nobody is served first: a connection each in turn.
    for round in 0..MAX_OUTGOING {
        for &node in &order {
            let near = round < MAX_OUTGOING_NEAR;
            if let Some(peer) = choose(node, near, &links, chance) {
                join(&mut links, node, peer, chance.u64(WAY_US));
            }
        }
    }
    links
}

/// Chooses somebody to dial; tries a few at random, as nearly everybody will do.
fn choose(node: usize, near: bool, links: &[Vec<Link>], chance: &mut Rng) -> Option<usize> {
    let fits = |peer: &usize| {
        *peer != node
            && Unit::are_near(node, *peer) == near
            && links[*peer].len() < MAX_ESTABLISHED
            && links[node].iter().all(|link| link.peer != *peer)
    };
    let tried = std::iter::repeat_with(|| chance.usize(..links.len())).take(4 * links.len()).find(fits);
    tried.or_else(|| (0..links.len()).find(fits))
}

fn join(links: &mut [Vec<Link>], node: usize, peer: usize, way_us: u64) {
    let (here, there) = (links[node].len(), links[peer].len());
    links[node].push(Link { peer, back: there, way_us, dialled: true });
    links[peer].push(Link { peer: node, back: here, way_us, dialled: false });
}
