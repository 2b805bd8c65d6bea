//! How rosters travel: a neighbour with another one fetches what it lacks, as hellos have it do.

use std::sync::Arc;

use muster::engine::change::Change;
use muster::engine::io::{Input, RequestId};
use muster::engine::{Boot, State};
use muster_keys::Identity;
use muster_roles::Roster;

use super::World;
use super::happening::Happening;

impl World {
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

    /// A member changes the roster.
    pub fn change(&mut self, node: usize, change: Change) {
        self.feed(node, Input::Change { request: RequestId(0), change });
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
}
