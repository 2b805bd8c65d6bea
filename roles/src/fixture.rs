//! A small brigade to test with, and the means to forge documents for it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::LazyLock;

use muster_keys::{Identity, PublicKey};
use sha2::{Digest, Sha256};

use crate::authority::Authority;
use crate::document::{CharterText, Leader, Person, SealedKeyring, SheetText, TroopDef};
use crate::name::{GroupId, MemberName};
use crate::role::Role;
use crate::roster::Roster;
use crate::signed::{self, Payload};
use crate::timestamp::Timestamp;
use crate::{add_member, found};

/// When the brigade is founded: 2026-11-18.
pub(crate) const T0: Timestamp = Timestamp::from_ms(1_795_000_000_000);

pub(crate) const HOUR_MS: u64 = 3_600_000;
pub(crate) const DAY_MS: u64 = 24 * HOUR_MS;

/// The brigade's groups, with the letters of the troops.
pub(crate) const TROOPS: [(&str, char); 3] = [("navy", 'n'), ("airforce", 'a'), ("army", 'r')];

pub(crate) fn minutes(n: u64) -> Timestamp {
    T0.plus_ms(n * 60_000)
}

pub(crate) fn group(id: &str) -> GroupId {
    id.parse().unwrap()
}

pub(crate) fn name(text: &str) -> MemberName {
    text.parse().unwrap()
}

/// The same role key whenever the same name is given.
pub(crate) fn identity(name: &str) -> Rc<Identity> {
    thread_local! {
        static IDENTITIES: RefCell<HashMap<String, Rc<Identity>>> = RefCell::default();
    }
    let new = || Rc::new(Identity::from_seed(&Sha256::digest(name).into()));
    IDENTITIES.with_borrow_mut(|known| Rc::clone(known.entry(name.to_owned()).or_insert_with(new)))
}

pub(crate) fn key(name: &str) -> PublicKey {
    identity(name).public()
}

pub(crate) fn person(text: &str) -> Person {
    Person { name: name(text), key: key(text) }
}

pub(crate) fn leader(text: &str, troop: &str) -> Leader {
    Leader { troop: group(troop), person: person(text) }
}

pub(crate) fn authority(names: &[&str], threshold: u32) -> Authority {
    let mut keys: Vec<_> = names.iter().map(|name| key(name)).collect();
    keys.sort_unstable();
    Authority::of(keys, threshold)
}

pub(crate) fn troops() -> Vec<TroopDef> {
    let troop = |(id, letter)| TroopDef { id: group(id), letter };
    TROOPS.map(troop).to_vec()
}

/// The documents of a unit of nobody but its chief; made once, as its group keys are random.
pub(crate) fn founding() -> &'static [Vec<u8>] {
    static FOUNDING: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let (unit, chief) = ("1st Brigade".parse().unwrap(), name("Chief"));
        found(&unit, &chief, &identity("Chief"), &troops(), T0).unwrap()
    });
    &FOUNDING
}

pub(crate) fn roster_of(documents: &[Vec<u8>], now: Timestamp) -> Roster {
    Roster::from_documents(documents.iter().map(Vec::as_slice), now).unwrap()
}

/// A unit of nobody but its chief.
pub(crate) fn founded() -> Roster {
    static FOUNDED: LazyLock<Roster> = LazyLock::new(|| roster_of(founding(), T0));
    FOUNDED.clone()
}

/// Takes in documents, each of which must be of use.
pub(crate) fn take(roster: &mut Roster, documents: &[Vec<u8>], now: Timestamp) {
    for document in documents {
        roster.accept(document, now).unwrap();
    }
}

pub(crate) fn add(roster: &mut Roster, signer: &str, text: &str, role: Role, now: Timestamp) {
    let documents = add_member(roster, &identity(signer), name(text), role, key(text), now);
    take(roster, &documents.unwrap(), now);
}

/// The chief, a leader and two soldiers for each troop (`Navy1` to `Navy3` and so on), and `Truck`, a carrier.
pub(crate) fn brigade() -> Roster {
    static BRIGADE: LazyLock<Roster> = LazyLock::new(|| {
        let mut roster = founded();
        for (troop, stem) in [("navy", "Navy"), ("airforce", "Airforce"), ("army", "Army")] {
            add(&mut roster, "Chief", &format!("{stem}1"), Role::Leader(group(troop)), T0);
            for n in [2, 3] {
                add(&mut roster, "Chief", &format!("{stem}{n}"), Role::Soldier(group(troop)), T0);
            }
        }
        add(&mut roster, "Chief", "Truck", Role::Carrier, T0);
        roster
    });
    BRIGADE.clone()
}

/// The next charter of a roster, changed and signed at will.
pub(crate) fn forge_charter(roster: &Roster, signers: &[&str], change: impl FnOnce(&mut CharterText)) -> Vec<u8> {
    let mut text = roster.charter().text().clone();
    text.version += 1;
    text.issued = text.issued.next();
    change(&mut text);
    sign(Payload::Charter(text), signers)
}

/// The next sheet of a troop, changed and signed at will.
pub(crate) fn forge_sheet(
    roster: &Roster,
    troop: &str,
    signers: &[&str],
    change: impl FnOnce(&mut SheetText),
) -> Vec<u8> {
    let mut text = roster.sheet(&group(troop)).unwrap().text().clone();
    text.version += 1;
    text.issued = text.issued.next();
    change(&mut text);
    sign(Payload::Sheet(text), signers)
}

/// Begins an epoch that nobody can read, which is enough where only standing is at stake.
pub(crate) fn new_epoch(keyring: &mut SealedKeyring, since: Timestamp) {
    keyring.epoch += 1;
    keyring.since = since;
    keyring.sealed.clear();
}

pub(crate) fn sign(payload: Payload, signers: &[&str]) -> Vec<u8> {
    let signers: Vec<_> = signers.iter().map(|name| identity(name)).collect();
    signed::sign(payload, &signers.iter().map(Rc::as_ref).collect::<Vec<_>>()).unwrap()
}
