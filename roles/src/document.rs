//! What the roster's documents say: the unit's charter and the troops' sheets.
//!
//! The types ending in `Text` are what is written and signed, field by field. [`Charter`] and [`Sheet`] wrap a text
//! that has been checked, with the look-ups that judging a record needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use muster_keys::{PublicKey, SEALED_LEN};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use sha2::{Digest, Sha256};

use crate::error::{InvalidDocument, NameError};
use crate::name::{CaselessName, GroupId, MemberName, UnitName};
use crate::role::Role;
use crate::timestamp::Timestamp;
use crate::wire::{self, WireKey};

/// The most soldiers on one sheet, and carriers on one charter: twice the largest unit planned for, which
/// keeps the largest document under [`crate::MAX_DOCUMENT_LEN`].
pub const MAX_MEMBERS_PER_DOCUMENT: usize = 2_000;

/// The most troops of a unit: one for each letter that the chat does not use itself.
pub const MAX_TROOPS: usize = 26 - RESERVED_LETTERS.len();

/// The most keys of an authority: more than any council that has to meet to sign.
pub const MAX_AUTHORITY_KEYS: usize = 16;

/// Letters that no troop may have, being the chat's own commands: `:h`, `:t` and `:d`.
pub const RESERVED_LETTERS: [char; 3] = ['h', 't', 'd'];

/// The most sealed copies of a group key: a full sheet's soldiers, their leader and the commander.
const MAX_SEALED: usize = MAX_MEMBERS_PER_DOCUMENT + 2;

/// A unit's identity: the first 16 bytes of SHA-256 over the canonical CBOR of its first authority.
///
/// Whoever knows it can check the whole roster, as every later authority is vouched for by the one before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "ByteArray<16>", from = "ByteArray<16>")]
pub struct UnitId([u8; 16]);

impl UnitId {
    /// The identity that 16 bytes stand for.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes, as records and documents carry them.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Six words to compare by voice.
    pub fn words(&self) -> String {
        muster_keys::six_words(&Sha256::digest(self.0).into())
    }
}

impl From<ByteArray<16>> for UnitId {
    fn from(bytes: ByteArray<16>) -> Self {
        Self(bytes.into_array())
    }
}

impl From<UnitId> for ByteArray<16> {
    fn from(unit: UnitId) -> Self {
        Self::new(unit.0)
    }
}

impl fmt::Display for UnitId {
    /// Writes 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnitId({self})")
    }
}

/// The keys that speak for a unit, and how many of them must sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    #[serde(with = "authority_keys")]
    keys: Vec<PublicKey>,
    threshold: u32,
}

impl Authority {
    /// The authority of a single key, which every unit begins with.
    pub(crate) fn single(key: PublicKey) -> Self {
        Self { keys: vec![key], threshold: 1 }
    }

    #[cfg(test)]
    pub(crate) fn of(keys: Vec<PublicKey>, threshold: u32) -> Self {
        Self { keys, threshold }
    }

    /// The keys, in ascending order.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// How many different keys must sign.
    pub fn threshold(&self) -> u32 {
        self.threshold
    }

    /// The unit that has this as its first authority.
    pub fn unit(&self) -> UnitId {
        UnitId(wire::first_bytes(&Sha256::digest(wire::to_cbor(self))))
    }

    /// Whether enough of these signers, all different, hold its keys.
    pub(crate) fn satisfied_by(&self, signers: &[PublicKey]) -> bool {
        let held = signers.iter().filter(|key| self.keys.contains(key));
        u32::try_from(held.count()).is_ok_and(|held| held >= self.threshold)
    }

    fn check(&self) -> Result<(), InvalidDocument> {
        let ascending = self.keys.is_sorted_by(|a, b| a < b);
        let reachable = usize::try_from(self.threshold).is_ok_and(|n| (1..=self.keys.len()).contains(&n));
        if ascending && reachable { Ok(()) } else { Err(InvalidDocument::Authority) }
    }
}

mod authority_keys {
    use super::{MAX_AUTHORITY_KEYS, PublicKey, WireKey, wire};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(keys: &[PublicKey], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(keys.iter().copied().map(WireKey))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<PublicKey>, D::Error> {
        let keys = wire::bounded::<D, WireKey, MAX_AUTHORITY_KEYS>(d)?;
        Ok(keys.into_iter().map(|key| key.0).collect())
    }
}

/// A troop: its group, and the letter that selects it in the chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(GroupId, char)", from = "(GroupId, char)")]
pub struct TroopDef {
    /// The troop's own group.
    pub id: GroupId,
    /// A lower-case ASCII letter, no other troop's and none of [`RESERVED_LETTERS`].
    pub letter: char,
}

impl From<(GroupId, char)> for TroopDef {
    fn from((id, letter): (GroupId, char)) -> Self {
        Self { id, letter }
    }
}

impl From<TroopDef> for (GroupId, char) {
    fn from(troop: TroopDef) -> Self {
        (troop.id, troop.letter)
    }
}

impl std::str::FromStr for TroopDef {
    type Err = NameError;

    /// Reads `navy:n`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::Troop(text.into());
        let (id, letter) = text.split_once(':').ok_or_else(bad)?;
        let letter = letter.parse().map_err(|_| bad())?;
        let id = id.parse()?;
        Ok(Self { id, letter })
    }
}

/// Somebody with a name and a role key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(MemberName, WireKey)", from = "(MemberName, WireKey)")]
pub struct Person {
    /// The name shown in the chat.
    pub name: MemberName,
    /// The public half of the role key.
    pub key: PublicKey,
}

impl From<(MemberName, WireKey)> for Person {
    fn from((name, WireKey(key)): (MemberName, WireKey)) -> Self {
        Self { name, key }
    }
}

impl From<Person> for (MemberName, WireKey) {
    fn from(person: Person) -> Self {
        (person.name, WireKey(person.key))
    }
}

/// The head of a troop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(GroupId, Person)", from = "(GroupId, Person)")]
pub struct Leader {
    /// The troop it heads.
    pub troop: GroupId,
    /// Who it is.
    pub person: Person,
}

impl From<(GroupId, Person)> for Leader {
    fn from((troop, person): (GroupId, Person)) -> Self {
        Self { troop, person }
    }
}

impl From<Leader> for (GroupId, Person) {
    fn from(leader: Leader) -> Self {
        (leader.troop, leader.person)
    }
}

/// One member's copy of a group key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(ByteArray<32>, ByteArray<SEALED_LEN>)", from = "(ByteArray<32>, ByteArray<SEALED_LEN>)")]
pub struct SealedKey {
    /// The public key of the one member that can open it.
    pub to: [u8; 32],
    /// The group key, sealed.
    pub sealed: [u8; SEALED_LEN],
}

impl From<(ByteArray<32>, ByteArray<SEALED_LEN>)> for SealedKey {
    fn from((to, sealed): (ByteArray<32>, ByteArray<SEALED_LEN>)) -> Self {
        Self { to: to.into_array(), sealed: sealed.into_array() }
    }
}

impl From<SealedKey> for (ByteArray<32>, ByteArray<SEALED_LEN>) {
    fn from(key: SealedKey) -> Self {
        (ByteArray::new(key.to), ByteArray::new(key.sealed))
    }
}

/// A group's current epoch, and its key sealed to everyone who may read the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedKeyring {
    pub(crate) epoch: u64,
    pub(crate) since: Timestamp,
    #[serde(deserialize_with = "wire::bounded::<_, _, MAX_SEALED>")]
    pub(crate) sealed: Vec<SealedKey>,
}

impl SealedKeyring {
    /// The number of the epoch, 1 being a group's first.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When the epoch began.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// The sealed copies, in ascending order of their recipients' keys.
    pub fn sealed(&self) -> &[SealedKey] {
        &self.sealed
    }

    /// The copy sealed to a member.
    pub fn sealed_to(&self, key: &PublicKey) -> Option<&SealedKey> {
        let at = self.sealed.binary_search_by(|entry| entry.to.cmp(key.as_bytes()));
        at.ok().and_then(|at| self.sealed.get(at))
    }

    fn check(&self, issued: Timestamp) -> Result<(), InvalidDocument> {
        let ascending = self.sealed.is_sorted_by(|a, b| a.to < b.to);
        if ascending && self.epoch > 0 && self.since <= issued { Ok(()) } else { Err(InvalidDocument::Keyring) }
    }
}

/// What the two kinds of document have in common.
pub(crate) trait Document {
    fn unit(&self) -> UnitId;
    fn version(&self) -> u64;
    fn issued(&self) -> Timestamp;
    fn keyring(&self) -> &SealedKeyring;
}

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
    people: BTreeMap<PublicKey, (MemberName, Role)>,
    names: BTreeSet<CaselessName>,
}

impl Charter {
    /// Checks what a charter says in itself; who signed it is another question.
    pub(crate) fn check(text: CharterText) -> Result<Self, InvalidDocument> {
        if text.version == 0 {
            return Err(InvalidDocument::Version);
        }
        text.authority.check()?;
        text.keyring.check(text.issued)?;
        check_troops(&text.groups)?;
        check_count(&text.carriers)?;
        let mut charter = Self { people: BTreeMap::new(), names: BTreeSet::new(), text };
        let text = charter.text.clone();
        charter.list(&text.commander, Role::Commander)?;
        for leader in &text.leaders {
            charter.list_leader(leader)?;
        }
        for carrier in &text.carriers {
            charter.list(carrier, Role::Carrier)?;
        }
        Ok(charter)
    }

    fn list_leader(&mut self, leader: &Leader) -> Result<(), InvalidDocument> {
        let troop = &leader.troop;
        if !self.has_troop(troop) {
            return Err(InvalidDocument::LeaderOfNoTroop(troop.clone()));
        }
        let role = Role::Leader(troop.clone());
        if self.people.values().any(|(_, other)| *other == role) {
            return Err(InvalidDocument::SecondLeader(troop.clone()));
        }
        self.list(&leader.person, role)
    }

    fn list(&mut self, person: &Person, role: Role) -> Result<(), InvalidDocument> {
        let name = person.name.clone();
        let new_name = self.names.insert(CaselessName(name.clone()));
        let new_key = self.people.insert(person.key, (name, role)).is_none();
        unique(person, new_name, new_key)
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
        self.people.get(key)
    }

    pub(crate) fn names(&self, name: &CaselessName) -> bool {
        self.names.contains(name)
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

fn check_count(people: &[Person]) -> Result<(), InvalidDocument> {
    if people.len() > MAX_MEMBERS_PER_DOCUMENT {
        return Err(InvalidDocument::TooManyMembers { found: people.len() });
    }
    Ok(())
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

fn unique(person: &Person, new_name: bool, new_key: bool) -> Result<(), InvalidDocument> {
    if !new_name {
        return Err(InvalidDocument::NameTwice(person.name.clone()));
    }
    if !new_key {
        return Err(InvalidDocument::KeyTwice(person.key));
    }
    Ok(())
}

/// What a sheet says, in the order of canonical map keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SheetText {
    pub(crate) unit: UnitId,
    pub(crate) group: GroupId,
    pub(crate) issued: Timestamp,
    pub(crate) keyring: SealedKeyring,
    pub(crate) version: u64,
    #[serde(deserialize_with = "wire::bounded::<_, _, MAX_MEMBERS_PER_DOCUMENT>")]
    pub(crate) soldiers: Vec<Person>,
}

/// The document of one troop: its soldiers and its group's key.
#[derive(Clone, Debug)]
pub struct Sheet {
    text: SheetText,
    people: BTreeMap<PublicKey, MemberName>,
    names: BTreeSet<CaselessName>,
}

impl Sheet {
    /// Checks what a sheet says in itself; who signed it is another question.
    pub(crate) fn check(text: SheetText) -> Result<Self, InvalidDocument> {
        if text.version == 0 {
            return Err(InvalidDocument::Version);
        }
        if text.group.is_heads() {
            return Err(InvalidDocument::Troop(text.group));
        }
        text.keyring.check(text.issued)?;
        check_count(&text.soldiers)?;
        let (mut people, mut names) = (BTreeMap::new(), BTreeSet::new());
        for person in &text.soldiers {
            let new_name = names.insert(CaselessName(person.name.clone()));
            let new_key = people.insert(person.key, person.name.clone()).is_none();
            unique(person, new_name, new_key)?;
        }
        Ok(Self { text, people, names })
    }

    /// The troop it belongs to.
    pub fn group(&self) -> &GroupId {
        &self.text.group
    }

    /// Its version, which counts from 1.
    pub fn version(&self) -> u64 {
        self.text.version
    }

    /// When it was made, by its signer's clock.
    pub fn issued(&self) -> Timestamp {
        self.text.issued
    }

    /// The troop's soldiers, in the order they were admitted.
    pub fn soldiers(&self) -> &[Person] {
        &self.text.soldiers
    }

    /// The current epoch of the troop's group.
    pub fn keyring(&self) -> &SealedKeyring {
        &self.text.keyring
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &SheetText {
        &self.text
    }

    pub(crate) fn person(&self, key: &PublicKey) -> Option<&MemberName> {
        self.people.get(key)
    }

    pub(crate) fn names(&self, name: &CaselessName) -> bool {
        self.names.contains(name)
    }
}

impl Document for Sheet {
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
