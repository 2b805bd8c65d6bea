//! Epochs that are old are ended by whoever may, and by no two at once.

use muster_keys::{Identity, PublicKey, Randomness};

use super::Proposal;
use super::editor::{Editor, Right};
use crate::document::SealedKeyring;
use crate::error::EditError;
use crate::name::GroupId;
use crate::role::Role;
use crate::roster::Roster;
use crate::timestamp::Timestamp;

/// How old an epoch grows before a new one is begun, in milliseconds: 24 hours.
pub const EPOCH_MS: u64 = 24 * HOUR_MS;

/// How much longer the authority leaves a troop to its leader, in milliseconds: 4 hours, by which a leader that is
/// there at all has had its turn, and its sheet has come to everyone who is connected.
const LEADERS_TURN_MS: u64 = 4 * HOUR_MS;

/// How far apart the holders of an authority of which each signs alone take their turns, in milliseconds: 1 hour.
const TURN_MS: u64 = HOUR_MS;

const HOUR_MS: u64 = 60 * 60 * 1_000;

/// By how much sooner everybody has its turn where a key has come to somebody who may not read: minutes instead of hours.
const URGENT_FACTOR: u64 = 60;

/// The documents that end those epochs which the signer is the one to end by now; none where there is nothing to do.
///
/// An epoch is ended when it is 24 hours old: a troop's by its leader, and by the authority four hours later if that
/// has not happened; that of `heads`, and of a troop without a leader, by the authority at once. Where an
/// authority has several keys of which one is enough, they take turns, an hour apart, and another begins
/// with every epoch. Where it takes several signatures nobody can do it alone, and `heads` keeps its epoch
/// until `muster rekey` is signed; [`overdue_groups`] says that it is time.
///
/// Where two signers apart have admitted one device, to one troop each, it has the key of a troop to which it does not
/// belong once the two meet. Such a key is changed whatever its age, with the same turns in minutes instead of hours.
///
/// To be asked now and then, every few minutes or so; it costs little while nothing is due.
///
/// # Errors
/// If the system has no randomness.
pub fn due_rekey(roster: &Roster, signer: &Identity, now: Timestamp) -> Result<Option<Vec<Vec<u8>>>, EditError> {
    due_rekey_with(roster, signer, now, &mut Randomness::system())
}

/// Does what [`due_rekey`] does, with keys and seals drawn from `randomness`, so that a simulation can make the same again.
///
/// # Errors
/// If the system has no randomness.
pub fn due_rekey_with(
    roster: &Roster,
    signer: &Identity,
    now: Timestamp,
    randomness: &mut Randomness,
) -> Result<Option<Vec<Vec<u8>>>, EditError> {
    let key = signer.public();
    let authority = roster.charter().authority();
    let place = authority.keys().iter().position(|holder| *holder == key);
    let place = place.filter(|_| authority.satisfied_by(&[key])).and_then(|place| u64::try_from(place).ok());
    let holders = u64::try_from(authority.keys().len()).unwrap_or(u64::MAX).max(1);
    let role = roster.member(&key).map(|member| member.role);
    let own = match &role {
        Some(Role::Leader(troop)) => Some(troop),
        _ => None,
    };
    let patience_ms = |group: &GroupId, keyring: &SealedKeyring| {
        if own == Some(group) {
            return Some(0);
        }
        let turn = (place? + keyring.epoch() % holders) % holders;
        let leaders_turn_ms = if roster.charter().leader_of(group).is_some() { LEADERS_TURN_MS } else { 0 };
        Some(leaders_turn_ms.saturating_add(turn.saturating_mul(TURN_MS)))
    };
    let due = |group: &GroupId| {
        let Some(ring) = roster.sealed_keyring(group) else { return false };
        let Some(patience_ms) = patience_ms(group, ring) else { return false };
        let is_old = ring.since().plus_ms(EPOCH_MS.saturating_add(patience_ms)) <= now;
        let is_urgent = roster.issued().plus_ms(patience_ms / URGENT_FACTOR) <= now;
        is_old || is_urgent && is_astray(roster, group, ring)
    };
    if !roster.groups().any(due) {
        return Ok(None);
    }
    let right = match own {
        Some(troop) if place.is_none() => Right::Leader(troop.clone()),
        _ => Right::Authority,
    };
    let payloads = Editor::new(roster, signer, right, now, randomness).rekey(due)?;
    Ok(Some(Proposal::begin(payloads, signer)?.into_documents()))
}

/// Whether a group's key is sealed to somebody who has no right to read the group.
fn is_astray(roster: &Roster, group: &GroupId, ring: &SealedKeyring) -> bool {
    let holder = |key: &[u8; 32]| roster.member(&PublicKey::from_bytes(key).ok()?);
    !ring.sealed().iter().all(|sealed| holder(&sealed.to).is_some_and(|member| member.role.may_read(group)))
}

/// The groups whose epoch is old and is not ended by itself, as it takes several signatures of the authority.
///
/// That is so 24 hours after it began, and four hours later for a troop whose leader could have ended it; at once where its
/// key has come to somebody who may not read the group.
pub fn overdue_groups(roster: &Roster, now: Timestamp) -> Vec<GroupId> {
    if roster.charter().authority().threshold() <= 1 {
        return Vec::new();
    }
    let is_old = |group: &&GroupId| {
        let patience_ms = if roster.charter().leader_of(group).is_some() { LEADERS_TURN_MS } else { 0 };
        let keyring = roster.sealed_keyring(group);
        keyring.is_some_and(|keyring| {
            keyring.since().plus_ms(EPOCH_MS + patience_ms) <= now || is_astray(roster, group, keyring)
        })
    };
    roster.groups().filter(is_old).cloned().collect()
}

#[cfg(test)]
mod tests;
