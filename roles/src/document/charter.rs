//! The charter: the document of the whole unit.

use std::collections::BTreeSet;

use muster_keys::PublicKey;
use serde::{Deserialize, Serialize};

use super::{
    Document, Leader, Listing, MAX_MEMBERS_PER_DOCUMENT, MAX_TROOPS, Person, RESERVED_LETTERS, SealedKeyring, TroopDef,
    check_count,
};
use crate::authority::{Authority, UnitId};
use crate::error::InvalidDocument;
use crate::name::{CaselessName, GroupId, MemberName, UnitName};
use crate::role::Role;
use crate::timestamp::Timestamp;
use crate::wire;

/// What a charter says, in the order of canonical map keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CharterText {
    pub(crate) name: UnitName,
    pub(crate) unit: UnitId,
    #[serde(deserialize_with = "wire::bounded::<_, _, MAX_TROOPS>")]
    pub(crate) groups: Vec<TroopDef>,
    pub(crate) issued: Timestamp,
    pub(crate) keyring: SealedKeyring,
    #[serde(deserialize_with = "wire::bounded::<_, _, MAX_TROOPS>")]
    pub(crate) leaders: Vec<Leader>,
    pub(crate) version: u64,
    #[serde(deserialize_with = "wire::bounded::<_, _, MAX_MEMBERS_PER_DOCUMENT>")]
    pub(crate) carriers: Vec<Person>,
    pub(crate) authority: Authority,
    pub(crate) commander: Person,
}

/// The document of the whole unit: its authority, its troops, and everyone but the soldiers.
#[derive(Clone, Debug)]
pub struct Charter {
    text: CharterText,
    listing: Listing<(MemberName, Role)>,
}

impl Charter {
    /// Checks what a charter says in itself; who signed it is another question.
    pub(crate) fn check(text: CharterText) -> Result<Self, InvalidDocument> {
        if text.version == 0 {
            return Err(InvalidDocument::Version);
        }
        text.authority.check()?;
        text.keyring.check(text.issued)?;
        check_count(&text.carriers)?;
        check_troops(&text.groups)?;
        check_leaders(&text)?;
        let mut listing = Listing::new();
        let leaders = text.leaders.iter().map(|leader| (&leader.person, Role::Leader(leader.troop.clone())));
        let carriers = text.carriers.iter().map(|carrier| (carrier, Role::Carrier));
        for (person, role) in [(&text.commander, Role::Commander)].into_iter().chain(leaders).chain(carriers) {
            listing.add(person, (person.name.clone(), role))?;
        }
        Ok(Self { text, listing })
    }

    /// The unit it belongs to.
    pub fn unit(&self) -> UnitId {
        self.text.unit
    }

    /// The unit's name.
    pub fn unit_name(&self) -> &str {
        self.text.name.as_str()
    }

    /// Its version, which counts from 1.
    pub fn version(&self) -> u64 {
        self.text.version
    }

    /// When it was made, by its signer's clock.
    pub fn issued(&self) -> Timestamp {
        self.text.issued
    }

    /// The keys that speak for the unit from this charter on.
    pub fn authority(&self) -> &Authority {
        &self.text.authority
    }

    /// The troops, in the order they are shown.
    pub fn troops(&self) -> &[TroopDef] {
        &self.text.groups
    }

    /// The chief.
    pub fn commander(&self) -> &Person {
        &self.text.commander
    }

    /// The troops' leaders, no more than one for each.
    pub fn leaders(&self) -> &[Leader] {
        &self.text.leaders
    }

    /// The leader of a troop, unless it has none.
    pub fn leader_of(&self, troop: &GroupId) -> Option<&Person> {
        let mut leaders = self.text.leaders.iter();
        leaders.find(|leader| leader.troop == *troop).map(|leader| &leader.person)
    }

    /// The devices that carry records without reading them.
    pub fn carriers(&self) -> &[Person] {
        &self.text.carriers
    }

    /// The current epoch of `heads`.
    pub fn keyring(&self) -> &SealedKeyring {
        &self.text.keyring
    }

    /// Whether the unit has a troop of this group.
    pub fn has_troop(&self, group: &GroupId) -> bool {
        self.text.groups.iter().any(|troop| troop.id == *group)
    }

    pub(crate) fn text(&self) -> &CharterText {
        &self.text
    }

    pub(crate) fn person(&self, key: &PublicKey) -> Option<&(MemberName, Role)> {
        self.listing.people.get(key)
    }

    pub(crate) fn keys_beside(&self, key: &PublicKey) -> [Option<&PublicKey>; 2] {
        self.listing.keys_beside(key)
    }

    pub(crate) fn names(&self, name: &CaselessName) -> bool {
        self.listing.names.contains(name)
    }
}

impl Document for Charter {
    fn unit(&self) -> UnitId {
        self.text.unit
    }

    fn version(&self) -> u64 {
        self.text.version
    }

    fn issued(&self) -> Timestamp {
        self.text.issued
    }

    fn keyring(&self) -> &SealedKeyring {
        &self.text.keyring
    }
}

fn check_troops(troops: &[TroopDef]) -> Result<(), InvalidDocument> {
    let (mut ids, mut letters) = (BTreeSet::new(), BTreeSet::new());
    for TroopDef { id, letter } in troops {
        if id.is_heads() || !ids.insert(id) {
            return Err(InvalidDocument::Troop(id.clone()));
        }
        let usable = letter.is_ascii_lowercase() && !RESERVED_LETTERS.contains(letter);
        if !usable || !letters.insert(letter) {
            return Err(InvalidDocument::Letter { troop: id.clone(), letter: *letter });
        }
    }
    Ok(())
}

fn check_leaders(text: &CharterText) -> Result<(), InvalidDocument> {
    let mut led = BTreeSet::new();
    for Leader { troop, .. } in &text.leaders {
        if !text.groups.iter().any(|group| group.id == *troop) {
            return Err(InvalidDocument::LeaderOfNoTroop(troop.clone()));
        }
        if !led.insert(troop) {
            return Err(InvalidDocument::SecondLeader(troop.clone()));
        }
    }
    Ok(())
}
