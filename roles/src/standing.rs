//! Who is who while one set of documents is in force.

use std::fmt;
use std::sync::Arc;

use muster_keys::PublicKey;

use crate::document::{Charter, Person, Sheet};
use crate::name::{CaselessName, GroupId, MemberName};
use crate::role::Role;
use crate::signed::{Envelope, Signed};
use crate::timestamp::Timestamp;

/// Somebody with a role in the unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name shown in the chat.
    pub name: MemberName,
    /// The role.
    pub role: Role,
    /// The public half of the role key.
    pub key: PublicKey,
}

/// The documents in force from an instant on, until the next moment's.
#[derive(Clone)]
pub(crate) struct Moment {
    pub(crate) from: Timestamp,
    pub(crate) charter: Arc<Envelope<Charter>>,
    /// At most one for each of the charter's troops; where two list the same person, the earlier here has it.
    pub(crate) sheets: Vec<Arc<Envelope<Sheet>>>,
}

impl Moment {
    /// The documents themselves: the charter, then the sheets.
    pub(crate) fn documents(&self) -> impl Iterator<Item = Signed> {
        let sheets = self.sheets.iter().map(|sheet| Signed::Sheet(Arc::clone(sheet)));
        std::iter::once(Signed::Charter(Arc::clone(&self.charter))).chain(sheets)
    }
}

/// Who was who at one instant, to judge what was written then.
///
/// Names and keys are unique in a unit. Each document is unique in itself, but two signers apart may list one
/// name or key twice; then the charter goes before all sheets, the sheet that was issued earlier before the
/// later, and, issued at once, in the order of the troops. A sheet's entry that shares its name or key with an
/// entry of a document going before has no standing.
#[derive(Clone, Copy)]
pub struct Standing<'a>(pub(crate) &'a Moment);

impl<'a> Standing<'a> {
    /// The member with this key.
    pub fn member(&self, key: &PublicKey) -> Option<Member> {
        if let Some((name, role)) = self.charter().person(key) {
            return Some(Member { name: name.clone(), role: role.clone(), key: *key });
        }
        let mut sheets = self.0.sheets.iter().enumerate();
        let (rank, sheet, name) = sheets.find_map(|(rank, sheet)| Some((rank, sheet, sheet.body.person(key)?)))?;
        let caseless = CaselessName(name.clone());
        let mut before = self.0.sheets.iter().take(rank);
        let taken = self.charter().names(&caseless) || before.any(|s| s.body.names(&caseless));
        (!taken).then(|| Member { role: Role::Soldier(sheet.body.group().clone()), name: caseless.0, key: *key })
    }

    /// The member with this name, whatever the case of its letters.
    pub fn find(&self, name: &str) -> Option<Member> {
        self.entries().filter(|entry| entry.name.as_str().eq_ignore_ascii_case(name)).find(|entry| self.stands(entry))
    }

    /// Whether the unit has this group.
    pub fn group_exists(&self, group: &GroupId) -> bool {
        group.is_heads() || self.charter().has_troop(group)
    }

    /// The charter in force.
    pub fn charter(&self) -> &'a Charter {
        &self.0.charter.body
    }

    /// The sheet in force for a troop.
    pub fn sheet(&self, troop: &GroupId) -> Option<&'a Sheet> {
        let mut sheets = self.0.sheets.iter();
        sheets.find(|sheet| sheet.body.group() == troop).map(|sheet| &sheet.body)
    }

    /// Everyone: the commander, the leaders and then the soldiers by troop, the carriers.
    pub fn members(&self) -> Vec<Member> {
        self.entries().filter(|entry| self.stands(entry)).collect()
    }

    /// How many entries have a role of which `is_meant` holds; where two signers apart have listed one person, it counts
    /// twice.
    ///
    /// Takes no longer for many members than for few: it looks at each troop, not at each member.
    pub fn count(&self, is_meant: impl Fn(&Role) -> bool) -> usize {
        let charter = self.charter();
        let leaders = charter.leaders().iter().map(|leader| (Role::Leader(leader.troop.clone()), 1));
        let soldiers = charter.troops().iter().map(|troop| {
            let soldiers = self.sheet(&troop.id).map_or(0, |sheet| sheet.soldiers().len());
            (Role::Soldier(troop.id.clone()), soldiers)
        });
        let others = [(Role::Commander, 1), (Role::Carrier, charter.carriers().len())];
        let counts = leaders.chain(soldiers).chain(others);
        counts.filter(|(role, _)| is_meant(role)).map(|(_, count)| count).sum()
    }

    /// The keys next to this one in each document, in the order of keys: whatever begins like it is among them, or nothing
    /// does.
    pub fn keys_beside(&self, key: &PublicKey) -> impl Iterator<Item = &'a PublicKey> + Clone {
        let sheets = self.0.sheets.iter();
        let beside = self.charter().keys_beside(key).into_iter();
        beside.chain(sheets.flat_map(|sheet| sheet.body.keys_beside(key))).flatten()
    }

    /// Every entry of every document, with standing or without, in the order of [`Standing::members`].
    pub(crate) fn entries(&self) -> impl Iterator<Item = Member> {
        let entry = |role: Role| {
            move |person: &Person| Member { name: person.name.clone(), role: role.clone(), key: person.key }
        };
        let this = *self;
        let troops = self.charter().troops().iter().map(|troop| &troop.id);
        let leaders = troops
            .clone()
            .flat_map(move |troop| this.charter().leader_of(troop).map(entry(Role::Leader(troop.clone()))));
        let soldiers = troops.flat_map(move |troop| {
            let soldiers = this.sheet(troop).map_or(&[][..], Sheet::soldiers);
            soldiers.iter().map(entry(Role::Soldier(troop.clone())))
        });
        let commander = entry(Role::Commander)(self.charter().commander());
        let carriers = self.charter().carriers().iter().map(entry(Role::Carrier));
        std::iter::once(commander).chain(leaders).chain(soldiers).chain(carriers)
    }

    fn stands(&self, entry: &Member) -> bool {
        self.member(&entry.key).as_ref() == Some(entry)
    }
}

impl fmt::Debug for Standing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing")
            .field("from", &self.0.from)
            .field("charter", &self.charter().version())
            .finish_non_exhaustive()
    }
}
