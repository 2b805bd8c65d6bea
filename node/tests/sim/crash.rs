//! What happens to a node as a whole: it crashes and starts again, and whom it meets.

use std::sync::Arc;

use muster::disk::writer::Job;
use muster::engine::policy::Permitted;
use muster::engine::store::Fate;
use muster_keys::Identity;
use muster_roles::{Roster, Timestamp};

use crate::breakage::Breakage;
use crate::world::{Happening, World};

impl World {
    /// A node's power goes: what it had not synced is lost, or half of it.
    pub fn crash(&mut self, node: usize) {
        if !self.nodes[node].is_up {
            return;
        }
        self.note((node, "crashes"));
        self.nodes[node].forget();
        self.nodes[node].life += 1;
        self.separate(|a, b| a == node || b == node);
        let mut fate = self.rng.fork();
        self.nodes[node].store.crash(&mut fate);
    }

    /// A node that has crashed is started again from what its disk and its home hold.
    pub fn revive(&mut self, node: usize) {
        if self.nodes[node].is_up {
            return;
        }
        self.note((node, "starts"));
        let revived = &mut self.nodes[node];
        revived.store.open();
        revived.is_up = true;
        revived.paged = revived.store.iter().map(|stored| stored.frame().id()).collect();
        (revived.shown, revived.not_shown) = (Vec::new(), 0);
        let now = Timestamp::from_ms(self.now.0);
        let roster = Arc::new(Roster::decode(&revived.kept, now).expect("it was kept whole"));
        let identity = Identity::from_seed(&revived.identity.seed());
        let effects = revived.start(identity, roster.clone());
        self.ask(node, Job::Rejudge(roster));
        effects.into_iter().for_each(|effect| self.carry_out(node, effect));
    }

    /// Tells whether two nodes take each other for members; if not, they only tell each other their rosters.
    pub fn may_meet(&mut self, a: usize, b: usize) -> bool {
        if !self.nodes[a].neighbours.contains(&b) || !self.nodes[a].is_up || !self.nodes[b].is_up {
            return false;
        }
        if !self.tells_rosters {
            return true;
        }
        let knows = |world: &Self, one: usize, other: usize| {
            world.nodes[one].state.roster().member(&world.key(other)).is_some()
        };
        let may = knows(self, a, b) && knows(self, b, a);
        if !may {
            for (one, other) in [(a, b), (b, a)] {
                let roster = self.nodes[one].state.roster().clone();
                self.tell_roster_to(other, &roster);
                self.nodes[one].neighbours.retain(|node| *node != other);
            }
        }
        may
    }

    /// A new roster is in force at a node.
    pub fn on_roster(&mut self, node: usize, roster: &Arc<Roster>) {
        self.nodes[node].learn(roster);
        if !self.nodes[node].store.platter.is_full() {
            self.nodes[node].kept = roster.encode();
        }
        self.ask(node, Job::Rejudge(roster.clone()));
        self.tell_roster(node, roster);
        if self.tells_rosters {
            self.note((node, roster.version()));
            for other in self.nodes[node].neighbours.clone() {
                if roster.member(&self.key(other)).is_none() {
                    self.schedule(1, Happening::Leave { a: node, b: other });
                }
            }
        }
    }

    /// Records are on a node's disk.
    pub fn note_stored(&mut self, node: usize, records: &[(Permitted, Fate)]) {
        for (record, fate) in records {
            let header = record.frame().header();
            self.note((node, record.frame().id(), *fate == Fate::New));
            if record.is_own() && self.breakage != Some(Breakage::AcknowledgesUnstored) {
                let place = (header.group.clone(), header.time, record.frame().id());
                self.nodes[node].acknowledged.push(place);
            }
        }
    }
}
