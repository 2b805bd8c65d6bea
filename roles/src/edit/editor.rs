//! One signer making one change to one roster.

use muster_keys::{GroupKey, Identity, PublicKey, Randomness};

use super::{Edit, NewAuthority};
use crate::authority::{Authority, UnitId};
use crate::document::{CharterText, Leader, Person, SealedKey, SealedKeyring, Sheet, SheetText};
use crate::error::EditError;
use crate::keyring::seal_info;
use crate::name::{GroupId, MemberName};
use crate::role::Role;
use crate::roster::Roster;
use crate::signed::Payload;
use crate::timestamp::Timestamp;
use crate::wire;

/// By what right somebody signs.
#[derive(PartialEq, Eq)]
pub(super) enum Right {
    /// As the authority, or one of its keys: everything.
    Authority,
    /// As the leader of this troop: its sheet.
    Leader(GroupId),
}

/// One signer making one change to one roster.
pub(super) struct Editor<'a> {
    roster: &'a Roster,
    signer: &'a Identity,
    right: Right,
    /// When all documents of the change are issued: after everything that they might replace.
    issued: Timestamp,
    /// What new keys and their seals are drawn from.
    randomness: &'a mut Randomness,
}

impl<'a> Editor<'a> {
    pub(super) fn new(
        roster: &'a Roster,
        signer: &'a Identity,
        right: Right,
        now: Timestamp,
        randomness: &'a mut Randomness,
    ) -> Self {
        Self { roster, signer, right, issued: now.max(roster.issued().next()), randomness }
    }

    /// The documents that make a change, in the order in which they are to be accepted.
    pub(super) fn apply(&mut self, edit: &Edit) -> Result<Vec<Payload>, EditError> {
        match edit {
            Edit::Add { name, role, key } => self.add(name, role, key),
            Edit::Remove { name } => self.remove(name),
            Edit::Rekey => self.rekey(|_| true),
            Edit::Authority(new) => self.succeed(new),
        }
    }

    fn add(&mut self, name: &MemberName, role: &Role, key: &PublicKey) -> Result<Vec<Payload>, EditError> {
        self.check_right_to(role)?;
        self.check_new(name, role, key)?;
        let person = Person { name: name.clone(), key: *key };
        let mut charter = self.next_charter();
        match role {
            Role::Commander => Err(EditError::SecondCommander { commander: charter.commander.name }),
            Role::Leader(troop) => {
                let mut sheet = self.next_sheet(troop)?;
                charter.leaders.push(Leader { troop: troop.clone(), person: person.clone() });
                charter.keyring = match self.shared(&GroupId::heads(), &charter.keyring, &person)? {
                    Some(keyring) => keyring,
                    None => self.heads_epoch(&charter)?,
                };
                sheet.keyring = match self.shared(troop, &sheet.keyring, &person)? {
                    Some(keyring) => keyring,
                    None => self.troop_epoch(&charter, troop, &sheet.soldiers, None)?,
                };
                Ok(vec![Payload::Charter(charter), Payload::Sheet(sheet)])
            }
            Role::Soldier(troop) => {
                let mut sheet = self.next_sheet(troop)?;
                sheet.keyring = match self.shared(troop, &sheet.keyring, &person)? {
                    Some(keyring) => keyring,
                    None => self.troop_epoch(&charter, troop, &sheet.soldiers, Some(&person))?,
                };
                sheet.soldiers.push(person);
                Ok(vec![Payload::Sheet(sheet)])
            }
            Role::Carrier => {
                charter.carriers.push(person);
                Ok(vec![Payload::Charter(charter)])
            }
        }
    }

    fn remove(&mut self, name: &str) -> Result<Vec<Payload>, EditError> {
        let gone = |person: &Person| person.name.as_str().eq_ignore_ascii_case(name);
        let commander = self.roster.charter().commander();
        if gone(commander) {
            return Err(EditError::CommanderStays { commander: commander.name.clone() });
        }
        let mut payloads = Vec::new();
        let mut charter = self.next_charter();
        let mut headless = None;
        if self.right == Right::Authority {
            let people = charter.leaders.len() + charter.carriers.len();
            let leader = charter.leaders.iter().find(|leader| gone(&leader.person));
            headless = leader.map(|leader| leader.troop.clone());
            charter.leaders.retain(|leader| !gone(&leader.person));
            charter.carriers.retain(|carrier| !gone(carrier));
            if charter.leaders.len() + charter.carriers.len() < people {
                // For a carrier too, which could read nothing: whatever takes something away begins an epoch.
                charter.keyring = self.heads_epoch(&charter)?;
                payloads.push(Payload::Charter(charter.clone()));
            }
        }
        for troop in self.troops() {
            let sheet = self.roster.sheet(troop);
            let listed = sheet.is_some_and(|sheet| sheet.soldiers().iter().any(gone));
            if listed || headless.as_ref() == Some(troop) {
                let mut sheet = self.next_sheet(troop)?;
                sheet.soldiers.retain(|soldier| !gone(soldier));
                self.mark_removal(&mut sheet);
                sheet.keyring = self.troop_epoch(&charter, troop, &sheet.soldiers, None)?;
                payloads.push(Payload::Sheet(sheet));
            }
        }
        if payloads.is_empty() { Err(self.cannot_remove(name)) } else { Ok(payloads) }
    }

    /// Begins a new epoch of those groups, of which `due` says so, that the signer may sign for.
    pub(super) fn rekey(&mut self, due: impl Fn(&GroupId) -> bool) -> Result<Vec<Payload>, EditError> {
        let mut payloads = Vec::new();
        let mut charter = self.next_charter();
        if self.right == Right::Authority && due(GroupId::heads_ref()) {
            charter.keyring = self.heads_epoch(&charter)?;
            payloads.push(Payload::Charter(charter.clone()));
        }
        for troop in self.troops().into_iter().filter(|troop| due(troop)) {
            let mut sheet = self.next_sheet(troop)?;
            sheet.keyring = self.troop_epoch(&charter, troop, &sheet.soldiers, None)?;
            payloads.push(Payload::Sheet(sheet));
        }
        Ok(payloads)
    }

    /// Gives the unit another authority, another commander, or both, and every group a new epoch.
    ///
    /// Every sheet is made anew: those that only the former authority has signed lose their standing with it. The
    /// change of authority is a charter of its own, without group keys, as it is kept for ever; the
    /// charter that follows it is the one with the keys, which grows old like any other.
    fn succeed(&mut self, new: &NewAuthority) -> Result<Vec<Payload>, EditError> {
        if let Right::Leader(own) = &self.right {
            return Err(EditError::OwnSoldiersOnly { own: own.clone() });
        }
        let authority = Authority::new(&new.keys, new.threshold)?;
        let mut charter = self.next_charter();
        let (former, predecessor) = (charter.authority.clone(), charter.commander.clone());
        if let Some(heir) = &new.commander {
            self.check_heir(heir)?;
            charter.leaders.retain(|leader| leader.person.key != heir.key);
            charter.carriers.retain(|carrier| carrier.key != heir.key);
            charter.commander = heir.clone();
        }
        if former == authority && predecessor == charter.commander {
            return Err(EditError::NothingChanges);
        }
        charter.authority = authority;
        charter.keyring = self.heads_epoch(&charter)?;
        let mut payloads = Vec::new();
        if former != charter.authority {
            let mut link = charter.clone();
            link.keyring.sealed.clear();
            payloads.push(Payload::Charter(link));
            charter.version = charter.version.saturating_add(1);
        }
        payloads.push(Payload::Charter(charter.clone()));
        for troop in self.troops() {
            let mut sheet = self.next_sheet(troop)?;
            sheet.soldiers.retain(|soldier| soldier.key != charter.commander.key);
            self.mark_removal(&mut sheet);
            sheet.keyring = self.troop_epoch(&charter, troop, &sheet.soldiers, None)?;
            payloads.push(Payload::Sheet(sheet));
        }
        Ok(payloads)
    }

    /// The troops whose sheets the signer may sign.
    fn troops(&self) -> Vec<&'a GroupId> {
        let troops = self.roster.troops().iter().map(|troop| &troop.id);
        let may_sign = |troop: &&GroupId| match &self.right {
            Right::Authority => true,
            Right::Leader(own) => own == *troop,
        };
        troops.filter(may_sign).collect()
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

    /// Whether somebody can become commander: a member under its own name, or somebody with a new name and key.
    ///
    /// The name of the commander that goes is free: it may be the same person with another device.
    fn check_heir(&self, heir: &Person) -> Result<(), EditError> {
        let stays = |entry: &&crate::Member| entry.role != Role::Commander;
        let entries: Vec<_> = self.roster.current().entries().collect();
        for entry in entries.iter().filter(stays) {
            let same_name = entry.name.as_str().eq_ignore_ascii_case(heir.name.as_str());
            match (same_name, entry.key == heir.key) {
                (true, false) => return Err(EditError::NameTaken { name: entry.name.clone() }),
                (false, true) => return Err(EditError::KeyTaken { name: entry.name.clone() }),
                (true, true) | (false, false) => {}
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
    fn next_sheet(&mut self, troop: &GroupId) -> Result<SheetText, EditError> {
        let charter = self.roster.charter().text();
        let sheet = self.roster.sheet(troop);
        let soldiers = sheet.map_or(Vec::new(), |sheet| sheet.soldiers().to_vec());
        let last_epoch = self.roster.last_epoch(troop);
        let keyring = match sheet.map(Sheet::keyring) {
            Some(keyring) if keyring.epoch == last_epoch => keyring.clone(),
            _ => self.troop_epoch(charter, troop, &soldiers, None)?,
        };
        Ok(SheetText {
            unit: charter.unit,
            group: troop.clone(),
            issued: self.issued,
            keyring,
            removal: self.roster.last_removal_by_authority(troop),
            version: self.roster.last_version(troop).saturating_add(1),
            soldiers,
        })
    }

    /// Puts a sheet by which the authority takes somebody away before all that are made without knowing of it.
    fn mark_removal(&self, sheet: &mut SheetText) {
        if self.right == Right::Authority {
            sheet.removal = sheet.version;
        }
    }

    /// A new epoch of `heads`, for the commander and the leaders.
    fn heads_epoch(&mut self, charter: &CharterText) -> Result<SealedKeyring, EditError> {
        let leaders = charter.leaders.iter().map(|leader| &leader.person);
        self.next_epoch(&GroupId::heads(), leaders.chain([&charter.commander]))
    }

    /// A new epoch of a troop's group, for the commander, the troop's leader, its soldiers, and one who is new.
    ///
    /// A soldier whose entry has no standing has no right to read either.
    fn troop_epoch(
        &mut self,
        charter: &CharterText,
        troop: &GroupId,
        soldiers: &[Person],
        new: Option<&Person>,
    ) -> Result<SealedKeyring, EditError> {
        let (roster, role) = (self.roster, Role::Soldier(troop.clone()));
        let has_standing = |soldier: &&Person| {
            let member = roster.member(&soldier.key);
            member.is_some_and(|member| member.role == role)
        };
        let leaders = charter.leaders.iter().filter(|leader| leader.troop == *troop);
        let heads = leaders.map(|leader| &leader.person).chain([&charter.commander]);
        self.next_epoch(troop, soldiers.iter().filter(has_standing).chain(heads).chain(new))
    }

    fn next_epoch<'p>(
        &mut self,
        group: &GroupId,
        readers: impl Iterator<Item = &'p Person>,
    ) -> Result<SealedKeyring, EditError> {
        let epoch = self.roster.last_epoch(group).saturating_add(1);
        new_epoch(self.roster.unit(), group, epoch, self.issued, readers, self.randomness)
    }

    /// The current keyring of a group with one more member in it, or none where the signer has no key to
    /// share: then a new epoch has to begin.
    fn shared(
        &mut self,
        group: &GroupId,
        keyring: &SealedKeyring,
        person: &Person,
    ) -> Result<Option<SealedKeyring>, EditError> {
        let info = seal_info(self.roster.unit(), group, keyring.epoch);
        let own = keyring.sealed_to(&self.signer.public());
        let Some(key) = own.and_then(|own| muster_keys::open(self.signer, &info, &own.sealed).ok()) else {
            return Ok(None);
        };
        let mut keyring = keyring.clone();
        keyring.sealed.push(seal_to(person, &info, &key, self.randomness)?);
        keyring.sealed.sort_unstable_by_key(|entry| entry.to);
        Ok(Some(keyring))
    }

    fn cannot_remove(&self, name: &str) -> EditError {
        match &self.right {
            Right::Leader(own) if self.roster.find(name).is_some() => EditError::OwnSoldiersOnly { own: own.clone() },
            _ => EditError::UnknownMember { name: name.into() },
        }
    }
}

/// An epoch with a fresh key, sealed to everyone who may read the group.
pub(super) fn new_epoch<'p>(
    unit: UnitId,
    group: &GroupId,
    epoch: u64,
    since: Timestamp,
    readers: impl Iterator<Item = &'p Person>,
    randomness: &mut Randomness,
) -> Result<SealedKeyring, EditError> {
    let key = GroupKey::generate(randomness)?;
    let info = seal_info(unit, group, epoch);
    let sealed: Result<Vec<_>, _> = readers.map(|reader| seal_to(reader, &info, &key, randomness)).collect();
    let mut sealed = sealed?;
    sealed.sort_unstable_by_key(|entry| entry.to);
    Ok(SealedKeyring { epoch, since, sealed })
}

fn seal_to(person: &Person, info: &[u8], key: &GroupKey, randomness: &mut Randomness) -> Result<SealedKey, EditError> {
    let failed = |reason| EditError::Seal { name: person.name.clone(), reason };
    let sealed = muster_keys::seal(&person.key, info, key, randomness).map_err(failed)?;
    Ok(SealedKey { to: *person.key.as_bytes(), sealed: wire::first_bytes(&sealed) })
}
