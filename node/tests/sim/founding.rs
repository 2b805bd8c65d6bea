//! Units to simulate, the same again for the same randomness.

use std::sync::Arc;

use muster_keys::{Identity, Randomness};
use muster_roles::{Edit, Role, Roster, Timestamp, TroopDef, draft_with, found_with};

use crate::group;
use crate::world::START;

/// What keys are drawn from in a simulation of this number.
pub fn randomness(seed: u64) -> Randomness {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    Randomness::seeded(bytes)
}

/// A unit of a commander, whose key is the first, and of members of these roles with the other keys in this order; they are
/// named by their number after `prefix`.
pub fn roster_of(
    identities: &[Identity],
    troops: &[(&str, char)],
    prefix: &str,
    roles: impl IntoIterator<Item = Role>,
    randomness: &mut Randomness,
) -> Arc<Roster> {
    let now = Timestamp::from_ms(START.0 - 1000);
    let troops: Vec<TroopDef> = troops.iter().map(|(id, letter)| TroopDef { id: group(id), letter: *letter }).collect();
    let (unit, name) = ("1st Brigade".parse().unwrap(), "Chief".parse().unwrap());
    let chief = &identities[0];
    let documents = found_with(&unit, &name, chief, &troops, now, randomness).unwrap();
    let mut roster = Roster::from_documents(documents.iter().map(Vec::as_slice), now).unwrap();
    for (identity, (n, role)) in identities[1..].iter().zip(roles.into_iter().enumerate()) {
        let add = Edit::Add { name: format!("{prefix}{n}").parse().unwrap(), role, key: identity.public() };
        for document in draft_with(&roster, chief, &add, now, randomness).unwrap().documents() {
            roster.accept(document, now).unwrap();
        }
    }
    Arc::new(roster)
}
