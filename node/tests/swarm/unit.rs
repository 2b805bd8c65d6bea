//! A small unit with all its keys, and the rosters that its members hold as it grows.

use std::sync::Arc;

use muster_keys::Identity;
use muster_roles::{GroupId, Role, Roster, Timestamp, TroopDef, add_member, found, remove_member};

/// Noon of some day: the network side never looks at the time of a document.
pub(crate) const NOON: Timestamp = Timestamp::from_ms(1_800_000_000_000);

/// A unit seen by its chief, who has every document.
pub(crate) struct Unit {
    pub(crate) chief: Identity,
    pub(crate) roster: Roster,
}

impl Unit {
    /// Founds a unit with the troops navy, airforce and army; the seed tells units apart.
    pub(crate) fn found(seed: u8) -> Self {
        let chief = identity(seed, 0);
        let troops: Vec<TroopDef> = ["navy:n", "airforce:a", "army:r"].map(|troop| troop.parse().unwrap()).into();
        let name = "1st Brigade".parse().unwrap();
        let documents = found(&name, &"Chief".parse().unwrap(), &chief, &troops, NOON).unwrap();
        let roster = Roster::from_documents(documents.iter().map(Vec::as_slice), NOON).unwrap();
        Self { chief, roster }
    }

    /// Admits a member.
    pub(crate) fn add(&mut self, name: &str, role: Role, key: &Identity) {
        let name = name.parse().unwrap();
        let documents = add_member(&self.roster, &self.chief, name, role, key.public(), NOON).unwrap();
        self.accept(&documents);
    }

    /// Admits a soldier.
    pub(crate) fn add_soldier(&mut self, name: &str, troop: &str, key: &Identity) {
        self.add(name, Role::Soldier(group(troop)), key);
    }

    /// Removes a member.
    pub(crate) fn remove(&mut self, name: &str) {
        let documents = remove_member(&self.roster, &self.chief, name, NOON).unwrap();
        self.accept(&documents);
    }

    /// Returns the roster as it is now, for a node to start with.
    pub(crate) fn now(&self) -> Arc<Roster> {
        Arc::new(self.roster.clone())
    }

    fn accept(&mut self, documents: &[Vec<u8>]) {
        for document in documents {
            self.roster.accept(document, NOON).unwrap();
        }
    }
}

/// Returns the role key that grows from two small numbers.
pub(crate) fn identity(unit: u8, member: u8) -> Identity {
    let mut seed = [0; 32];
    seed[0] = unit;
    seed[1] = member;
    Identity::from_seed(&seed)
}

/// Returns a group by its name.
pub(crate) fn group(name: &str) -> GroupId {
    name.parse().unwrap()
}
