//! Who is in reach of whom, and how gossip goes over the links.

use std::hash::{DefaultHasher, Hash, Hasher};

use fastrand::Rng;
use muster::engine::io::{GossipHandle, Input};
use muster_roles::GroupId;

use super::World;
use super::happening::Happening;

impl World {
    /// Who is in reach of whom.
    pub fn links(&self) -> Vec<(usize, usize)> {
        let of = |a: usize| self.nodes[a].neighbours.iter().filter(move |b| a < **b).map(move |b| (a, *b));
        (0..self.nodes.len()).flat_map(of).collect()
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

    /// The neighbours to which gossip flows.
    pub(super) fn listeners(&self, node: usize) -> Vec<usize> {
        let neighbours = self.nodes[node].neighbours.iter().copied();
        neighbours.filter(|other| !self.opening.contains(&(node, *other))).collect()
    }

    pub(super) fn spread(&mut self, from: usize, group: Option<&GroupId>, message: &[u8]) {
        for node in self.listeners(from) {
            let copies = match self.rng.u32(0..1000) {
                fate if fate < self.weather.lost_per_mille => 0,
                fate if fate < self.weather.lost_per_mille + self.weather.doubled_per_mille => 2,
                _ => 1,
            };
            self.gossip_copies += if group.is_some() { copies } else { 0 };
            for _ in 0..copies {
                let delay = self.rng.u64(1..=self.weather.max_delay_ms) + self.nodes[node].pace_ms;
                let (group, message) = (group.cloned(), message.to_vec());
                self.schedule(delay, Happening::Gossip { node, bearer: from, group, message });
            }
        }
    }

    /// What gossip does: a message is judged once and forwarded only when it was accepted.
    pub(super) fn hear(&mut self, node: usize, bearer: usize, group: Option<GroupId>, message: Vec<u8>) {
        let bearer = self.key(bearer);
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
                Some(group) => Input::Gossip { handle, bearer, group, bytes: message },
                None => Input::Beacon { handle, bearer, bytes: message },
            },
        );
    }

    /// A node learns that another listens to every group.
    pub(super) fn hears(&mut self, node: usize, other: usize) {
        let groups: Vec<GroupId> = self.nodes[node].state.roster().groups().cloned().collect();
        for group in groups {
            self.feed(node, Input::Listener { group, member: self.key(other) });
        }
    }

    /// Counts the gossip messages that have had no verdict.
    pub fn unanswered(&self) -> usize {
        self.nodes.iter().map(|node| node.waiting.len()).sum()
    }
}

pub(super) fn name_of(message: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    hasher.finish()
}

/// A random tree with a few more links: every node reaches every other, some by one way only.
pub(super) fn links(nodes: usize, rng: &mut Rng) -> Vec<Vec<usize>> {
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
