//! Changes to a unit, as new signed documents.
//!
//! Each function checks that the signer may make the change, and gives the documents to hand to
//! [`Roster::accept`] and to the other nodes, in that order. Membership and keys change in one: whoever is
//! admitted finds the current group keys sealed to it in the same documents, and whoever is removed finds a
//! new epoch begun that it cannot read.

use muster_keys::{GroupKey, Identity, PublicKey};

use crate::authority::{Authority, UnitId};
use crate::document::{CharterText, Leader, Person, SealedKey, SealedKeyring, Sheet, SheetText, TroopDef};
use crate::error::EditError;
use crate::keyring::seal_info;
use crate::name::{GroupId, MemberName, UnitName};
use crate::role::Role;
use crate::roster::Roster;
use crate::signed::{self, Payload};
use crate::timestamp::Timestamp;
use crate::wire;

/// Founds a unit: a charter with a commander and its troops, and an empty sheet for each troop.
///
/// The commander's key is the whole authority to begin with.
///
/// # Errors
/// If the troops clash, or the system has no randomness.
pub fn found(
    name: &UnitName,
    chief: &MemberName,
    identity: &Identity,
    troops: &[TroopDef],
    now: Timestamp,
) -> Result<Vec<Vec<u8>>, EditError> {
    let authority = Authority::single(identity.public());
    let unit = authority.unit();
    let commander = Person { name: chief.clone(), key: identity.public() };
    let first_epoch = |group: &GroupId| new_epoch(unit, group, 1, now, [&commander].into_iter());
    let charter = CharterText {
        name: name.clone(),
        unit,
        groups: troops.to_vec(),
        issued: now,
        keyring: first_epoch(&GroupId::heads())?,
        leaders: Vec::new(),
        version: 1,
        carriers: Vec::new(),
        authority,
        commander: commander.clone(),
    };
    let mut documents = vec![signed::sign(Payload::Charter(charter), &[identity])?];
    for troop in troops {
        let sheet = SheetText {
            unit,
            group: troop.id.clone(),
            issued: now,
            keyring: first_epoch(&troop.id)?,
            version: 1,
            soldiers: Vec::new(),
        };
        documents.push(signed::sign(Payload::Sheet(sheet), &[identity])?);
    }
    Ok(documents)
}

/// Admits a member, with the current keys of every group that it may read.
///
/// The authority may admit anyone but a second commander or a second leader of a troop; a leader, soldiers of
/// its own troop. The whole roster is checked for the name and the key.
///
/// # Errors
/// Says which rule forbids it, or what the signer lacks to do it.
pub fn add_member(
    roster: &Roster,
    signer: &Identity,
    name: MemberName,
    role: Role,
    key: PublicKey,
    now: Timestamp,
) -> Result<Vec<Vec<u8>>, EditError> {
    let editor = Editor::new(roster, signer, now)?;
    editor.check_right_to(&role)?;
    editor.check_new(&name, &role, &key)?;
    let person = Person { name, key };
    match role {
        Role::Commander => Err(EditError::SecondCommander { commander: roster.charter().commander().name.clone() }),
        Role::Leader(troop) => {
            let mut charter = editor.next_charter();
            let mut sheet = editor.next_sheet(&troop)?;
            editor.share(&GroupId::heads(), &mut charter.keyring, &person)?;
            editor.share(&troop, &mut sheet.keyring, &person)?;
            charter.leaders.push(Leader { troop, person });
            Ok(vec![editor.sign(Payload::Charter(charter))?, editor.sign(Payload::Sheet(sheet))?])
        }
        Role::Soldier(troop) => {
            let mut sheet = editor.next_sheet(&troop)?;
            editor.share(&troop, &mut sheet.keyring, &person)?;
            sheet.soldiers.push(person);
            Ok(vec![editor.sign(Payload::Sheet(sheet))?])
        }
        Role::Carrier => {
            let mut charter = editor.next_charter();
            charter.carriers.push(person);
            Ok(vec![editor.sign(Payload::Charter(charter))?])
        }
    }
}

/// Removes a member, and begins a new epoch of every group that it could read.
///
/// The authority may remove anyone but the commander; a leader, soldiers of its own troop. Where several documents
/// have come to list one name, it goes from all that the signer may sign.
///
/// # Errors
/// Says which rule forbids it, or that there is no such member.
pub fn remove_member(
    roster: &Roster,
    signer: &Identity,
    name: &str,
    now: Timestamp,
) -> Result<Vec<Vec<u8>>, EditError> {
    let editor = Editor::new(roster, signer, now)?;
    let gone = |person: &Person| person.name.as_str().eq_ignore_ascii_case(name);
    let commander = roster.charter().commander();
    if gone(commander) {
        return Err(EditError::CommanderStays { commander: commander.name.clone() });
    }
    let mut documents = Vec::new();
    let mut charter = editor.next_charter();
    let mut headless = None;
    if editor.right == Right::Authority {
        let people = charter.leaders.len() + charter.carriers.len();
        let leader = charter.leaders.iter().find(|leader| gone(&leader.person));
        headless = leader.map(|leader| leader.troop.clone());
        charter.leaders.retain(|leader| !gone(&leader.person));
        charter.carriers.retain(|carrier| !gone(carrier));
        if headless.is_some() {
            charter.keyring = editor.heads_epoch(&charter)?;
        }
        if charter.leaders.len() + charter.carriers.len() < people {
            documents.push(editor.sign(Payload::Charter(charter.clone()))?);
        }
    }
    for troop in editor.troops() {
        let sheet = roster.sheet(troop);
        let listed = sheet.is_some_and(|sheet| sheet.soldiers().iter().any(gone));
        if listed || headless.as_ref() == Some(troop) {
            let mut sheet = editor.next_sheet(troop)?;
            sheet.soldiers.retain(|soldier| !gone(soldier));
            sheet.keyring = editor.troop_epoch(&charter, troop, &sheet.soldiers)?;
            documents.push(editor.sign(Payload::Sheet(sheet))?);
        }
    }
    if documents.is_empty() {
        return Err(editor.cannot_remove(name));
    }
    Ok(documents)
}

/// Begins a new epoch of every group that the signer may sign for.
///
/// # Errors
/// If the signer may sign for none, or the system has no randomness.
pub fn rekey(roster: &Roster, signer: &Identity, now: Timestamp) -> Result<Vec<Vec<u8>>, EditError> {
    let editor = Editor::new(roster, signer, now)?;
    let mut documents = Vec::new();
    let mut charter = editor.next_charter();
    if editor.right == Right::Authority {
        charter.keyring = editor.heads_epoch(&charter)?;
        documents.push(editor.sign(Payload::Charter(charter.clone()))?);
    }
    for troop in editor.troops() {
        let mut sheet = editor.next_sheet(troop)?;
        sheet.keyring = editor.troop_epoch(&charter, troop, &sheet.soldiers)?;
        documents.push(editor.sign(Payload::Sheet(sheet))?);
    }
    Ok(documents)
}

/// By what right somebody signs.
#[derive(PartialEq, Eq)]
enum Right {
    /// As the whole authority: everything.
    Authority,
    /// As the leader of this troop: its sheet.
    Leader(GroupId),
}

/// One signer making one change to one roster.
struct Editor<'a> {
    roster: &'a Roster,
    signer: &'a Identity,
    right: Right,
    /// When all documents of the change are issued: after everything that they might replace.
    issued: Timestamp,
}

impl<'a> Editor<'a> {
    fn new(roster: &'a Roster, signer: &'a Identity, now: Timestamp) -> Result<Self, EditError> {
        let key = signer.public();
        let authority = roster.charter().authority();
        let right = if authority.satisfied_by(&[key]) {
            Right::Authority
        } else if let Some(Role::Leader(troop)) = roster.member(&key).map(|member| member.role) {
            Right::Leader(troop)
        } else if authority.keys().contains(&key) {
            let threshold = authority.threshold();
            return Err(EditError::SeveralMustSign { threshold });
        } else {
            return Err(EditError::NotEntitled);
        };
        Ok(Self { roster, signer, right, issued: now.max(roster.issued().next()) })
    }

    /// The troops whose sheets the signer may sign.
    fn troops(&self) -> impl Iterator<Item = &'a GroupId> {
        let troops = self.roster.troops().iter().map(|troop| &troop.id);
        troops.filter(|troop| match &self.right {
            Right::Authority => true,
            Right::Leader(own) => own == *troop,
        })
    }

    fn check_right_to(&self, role: &Role) -> Result<(), EditError> {
        match &self.right {
            Right::Leader(own) if *role != Role::Soldier(own.clone()) => {
                Err(EditError::OwnSoldiersOnly { own: own.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Whether the unit has room for a new member: its role, its name and its key.
    fn check_new(&self, name: &MemberName, role: &Role, key: &PublicKey) -> Result<(), EditError> {
        let charter = self.roster.charter();
        if let Some(troop) = role.troop()
            && !charter.has_troop(troop)
        {
            let troops = self.roster.troops().iter().map(|troop| troop.id.clone());
            return Err(EditError::UnknownTroop { group: troop.clone(), troops: troops.collect() });
        }
        if let Role::Leader(troop) = role
            && let Some(leader) = charter.leader_of(troop)
        {
            return Err(EditError::TroopHasLeader { troop: troop.clone(), leader: leader.name.clone() });
        }
        for entry in self.roster.current().entries() {
            if entry.name.as_str().eq_ignore_ascii_case(name.as_str()) {
                return Err(EditError::NameTaken { name: entry.name });
            }
            if entry.key == *key {
                return Err(EditError::KeyTaken { name: entry.name });
            }
        }
        Ok(())
    }

    fn next_charter(&self) -> CharterText {
        let text = self.roster.charter().text().clone();
        CharterText { version: text.version.saturating_add(1), issued: self.issued, ..text }
    }

    /// The sheet to come of a troop; one that has none begins an empty one.
    ///
    /// Where sheets of later epochs have fallen away it begins an epoch after theirs, so that it leaves what was
    /// written under them alone. Versions end at the highest number there is: should a leader have signed
    /// that, the authority's sheet of the same version still goes before it.
    fn next_sheet(&self, troop: &GroupId) -> Result<SheetText, EditError> {
        let charter = self.roster.charter().text();
        let sheet = self.roster.sheet(troop);
        let soldiers = sheet.map_or(Vec::new(), |sheet| sheet.soldiers().to_vec());
        let last_epoch = self.roster.last_epoch(troop);
        let keyring = match sheet.map(Sheet::keyring) {
            Some(keyring) if keyring.epoch == last_epoch => keyring.clone(),
            _ => self.troop_epoch(charter, troop, &soldiers)?,
        };
        Ok(SheetText {
            unit: charter.unit,
            group: troop.clone(),
            issued: self.issued,
            keyring,
            version: self.roster.last_version(troop).saturating_add(1),
            soldiers,
        })
    }

    /// A new epoch of `heads`, for the commander and the leaders.
    fn heads_epoch(&self, charter: &CharterText) -> Result<SealedKeyring, EditError> {
        let leaders = charter.leaders.iter().map(|leader| &leader.person);
        self.next_epoch(&GroupId::heads(), leaders.chain([&charter.commander]))
    }

    /// A new epoch of a troop's group, for the commander, the troop's leader and its soldiers.
    ///
    /// A soldier whose entry has no standing has no right to read either.
    fn troop_epoch(
        &self,
        charter: &CharterText,
        troop: &GroupId,
        soldiers: &[Person],
    ) -> Result<SealedKeyring, EditError> {
        let role = Role::Soldier(troop.clone());
        let has_standing = |soldier: &&Person| {
            let member = self.roster.member(&soldier.key);
            member.is_some_and(|member| member.role == role)
        };
        let leaders = charter.leaders.iter().filter(|leader| leader.troop == *troop);
        let heads = leaders.map(|leader| &leader.person).chain([&charter.commander]);
        self.next_epoch(troop, soldiers.iter().filter(has_standing).chain(heads))
    }

    fn next_epoch<'p>(
        &self,
        group: &GroupId,
        readers: impl Iterator<Item = &'p Person>,
    ) -> Result<SealedKeyring, EditError> {
        let epoch = self.roster.last_epoch(group).saturating_add(1);
        new_epoch(self.roster.unit(), group, epoch, self.issued, readers)
    }

    /// Seals the current key of a group to one more member.
    fn share(&self, group: &GroupId, keyring: &mut SealedKeyring, person: &Person) -> Result<(), EditError> {
        let info = seal_info(self.roster.unit(), group, keyring.epoch);
        let own = keyring.sealed_to(&self.signer.public());
        let key = own.and_then(|own| muster_keys::open(self.signer, &info, &own.sealed).ok());
        let key = key.ok_or_else(|| EditError::NoGroupKey { group: group.clone() })?;
        keyring.sealed.push(seal_to(person, &info, &key)?);
        keyring.sealed.sort_unstable_by_key(|entry| entry.to);
        Ok(())
    }

    fn cannot_remove(&self, name: &str) -> EditError {
        match &self.right {
            Right::Leader(own) if self.roster.find(name).is_some() => EditError::OwnSoldiersOnly { own: own.clone() },
            _ => EditError::UnknownMember { name: name.into() },
        }
    }

    fn sign(&self, payload: Payload) -> Result<Vec<u8>, EditError> {
        Ok(signed::sign(payload, &[self.signer])?)
    }
}

/// An epoch with a fresh key, sealed to everyone who may read the group.
fn new_epoch<'p>(
    unit: UnitId,
    group: &GroupId,
    epoch: u64,
    since: Timestamp,
    readers: impl Iterator<Item = &'p Person>,
) -> Result<SealedKeyring, EditError> {
    let key = GroupKey::generate()?;
    let info = seal_info(unit, group, epoch);
    let sealed: Result<Vec<_>, _> = readers.map(|reader| seal_to(reader, &info, &key)).collect();
    let mut sealed = sealed?;
    sealed.sort_unstable_by_key(|entry| entry.to);
    Ok(SealedKeyring { epoch, since, sealed })
}

fn seal_to(person: &Person, info: &[u8], key: &GroupKey) -> Result<SealedKey, EditError> {
    let failed = |reason| EditError::Seal { name: person.name.clone(), reason };
    let sealed = muster_keys::seal(&person.key, info, key).map_err(failed)?;
    Ok(SealedKey { to: *person.key.as_bytes(), sealed: wire::first_bytes(&sealed) })
}

#[cfg(test)]
mod tests;
