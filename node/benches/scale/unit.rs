//! A unit of as many members as wanted, always with the same role keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_keys::{Identity, PublicKey};
use muster_roles::{GroupId, Role, Roster, Timestamp, TroopDef, add_member, found};

/// Soldiers of a troop: a sheet is signed anew with each that is admitted, so small ones are founded sooner.
const TROOP_LEN: usize = 500;

/// The letters that troops may have.
const LETTERS: &str = "abcefgijklmnopqrsuvwxyz";

/// A unit.
pub(crate) struct Unit {
    /// The roster that everybody has.
    pub(crate) roster: Arc<Roster>,
    /// The chief, then the soldiers by troop.
    pub(crate) identities: Vec<Identity>,
    /// The first troop, in which everything is said.
    pub(crate) group: GroupId,
    /// Which node is whose.
    pub(crate) places: BTreeMap<PublicKey, usize>,
}

impl Unit {
    /// Founds a unit at a time.
    pub(crate) fn found(members: usize, at: Timestamp) -> Self {
        let identities: Vec<Identity> = (0..members as u64).map(identity).collect();
        let troops: Vec<TroopDef> = (0..(members - 1).div_ceil(TROOP_LEN))
            .map(|nth| TroopDef {
                id: format!("troop{nth}").parse().unwrap(),
                letter: LETTERS.chars().nth(nth).unwrap(),
            })
            .collect();
        let (name, chief) = ("1st Brigade".parse().unwrap(), "Chief".parse().unwrap());
        let documents = found(&name, &chief, &identities[0], &troops, at).unwrap();
        let mut roster = Roster::from_documents(documents.iter().map(Vec::as_slice), at).unwrap();
        for (nth, identity) in identities.iter().enumerate().skip(1) {
            let role = Role::Soldier(troops[(nth - 1) / TROOP_LEN].id.clone());
            let name = format!("Soldier{nth}").parse().unwrap();
            for document in add_member(&roster, &identities[0], name, role, identity.public(), at).unwrap() {
                roster.accept(&document, at).unwrap();
            }
        }
        let places = identities.iter().enumerate().map(|(nth, identity)| (identity.public(), nth)).collect();
        Self { roster: Arc::new(roster), identities, group: troops[0].id.clone(), places }
    }

    /// How many members belong to the first troop, the chief not counted; they come after the chief.
    pub(crate) fn speakers(&self) -> usize {
        (self.identities.len() - 1).min(TROOP_LEN)
    }

    /// Whether two members read a group in common.
    pub(crate) fn are_near(one: usize, other: usize) -> bool {
        let troop = |nth: usize| (nth - 1) / TROOP_LEN;
        one == 0 || other == 0 || troop(one) == troop(other)
    }
}

fn identity(nth: u64) -> Identity {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&nth.to_be_bytes());
    Identity::from_seed(&seed)
}
