//! What documents would change about a roster, for a person who is asked to sign them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use muster_keys::PublicKey;

use crate::authority::Authority;
use crate::document::{Charter, SealedKeyring, TroopDef};
use crate::name::GroupId;
use crate::roster::Roster;
use crate::signed::Signed;
use crate::standing::{Member, Moment, Standing};

/// What documents would change about a roster; shown, it is a line for each change.
///
/// It is worked out from the documents and the roster in force alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// Who would join.
    pub comes: Vec<Member>,
    /// Who would leave.
    pub goes: Vec<Member>,
    /// Who would have another role or name: as it is, and as it would be.
    pub moves: Vec<(Member, Member)>,
    /// The authority as it is and as it would be, if it changes.
    pub authority: Option<(Authority, Authority)>,
    /// The unit's name as it is and as it would be, if it changes.
    pub unit_name: Option<(String, String)>,
    /// The troops as they would be, if they change.
    pub troops: Option<Vec<TroopDef>>,
    /// The groups that would begin a new epoch.
    pub rekeyed: Vec<GroupId>,
    /// What a rightful change would not do; whoever is asked should refuse.
    pub faults: Vec<Fault>,
    /// The names of the authority's keys, as far as they are members'.
    holders: Vec<Member>,
}

/// What a rightful change would not do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Somebody who may read a group would get no key of it.
    Unread {
        /// The group.
        group: GroupId,
        /// Who.
        member: Member,
    },
    /// A group's key would go to a key that may not read it.
    Leaked {
        /// The group.
        group: GroupId,
        /// How many such keys there are.
        keys: usize,
    },
    /// Somebody would lose the right to read a group, and keep its key.
    NoNewEpoch {
        /// The group.
        group: GroupId,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread { group, member } => write!(f, "{} would get no key of {group}", member.name),
            Self::Leaked { group, keys } => {
                write!(f, "{keys} who may not read {group} would get its key")
            }
            Self::NoNewEpoch { group } => write!(f, "who goes from {group} would keep its key"),
        }
    }
}

impl Changes {
    pub(super) fn of(documents: &[Signed], roster: &Roster) -> Self {
        let moment = applied(documents, roster);
        let (before, after) = (roster.current(), Standing(&moment));
        let (was, will_be) = (before.members(), after.members());
        let find = |list: &[Member], key: &PublicKey| list.iter().find(|member| member.key == *key).cloned();
        let mut changes = Self {
            comes: will_be.iter().filter(|member| find(&was, &member.key).is_none()).cloned().collect(),
            goes: was.iter().filter(|member| find(&will_be, &member.key).is_none()).cloned().collect(),
            ..Self::default()
        };
        let pairs = was.iter().filter_map(|member| Some((member.clone(), find(&will_be, &member.key)?)));
        changes.moves = pairs.filter(|(was, will_be)| was != will_be).collect();
        changes.note_charter(before.charter(), after.charter());
        let groups = std::iter::once(GroupId::heads()).chain(after.charter().troops().iter().map(|t| t.id.clone()));
        for group in groups {
            if let Some(keyring) = keyring_of(&after, &group) {
                changes.note_keyring(&group, roster.sealed_keyring(&group), keyring, &was, &will_be);
            }
        }
        changes.holders = was.into_iter().chain(changes.comes.iter().cloned()).collect();
        changes
    }

    fn note_charter(&mut self, before: &Charter, after: &Charter) {
        if before.authority() != after.authority() {
            self.authority = Some((before.authority().clone(), after.authority().clone()));
        }
        if before.unit_name() != after.unit_name() {
            self.unit_name = Some((before.unit_name().to_owned(), after.unit_name().to_owned()));
        }
        if before.troops() != after.troops() {
            self.troops = Some(after.troops().to_vec());
        }
    }

    /// Looks at who would get a group's key, and whether it is a new one where it has to be.
    fn note_keyring(
        &mut self,
        group: &GroupId,
        before: Option<&SealedKeyring>,
        after: &SealedKeyring,
        was: &[Member],
        will_be: &[Member],
    ) {
        let is_new = before.is_none_or(|before| (before.epoch, before.since) != (after.epoch, after.since));
        if is_new {
            self.rekeyed.push(group.clone());
        }
        let readers = |list: &[Member]| -> BTreeSet<PublicKey> {
            list.iter().filter(|member| member.role.may_read(group)).map(|member| member.key).collect()
        };
        let (read, will_read) = (readers(was), readers(will_be));
        if !is_new && read.difference(&will_read).next().is_some() {
            self.faults.push(Fault::NoNewEpoch { group: group.clone() });
        }
        let unread = will_be.iter().filter(|m| will_read.contains(&m.key) && after.sealed_to(&m.key).is_none());
        let unread = unread.map(|member| Fault::Unread { group: group.clone(), member: member.clone() });
        self.faults.extend(unread);
        let rightful: BTreeSet<_> = will_read.iter().map(|key| *key.as_bytes()).collect();
        let keys = after.sealed.iter().filter(|entry| !rightful.contains(&entry.to)).count();
        if keys > 0 {
            self.faults.push(Fault::Leaked { group: group.clone(), keys });
        }
    }

    /// An authority in words: `2 of Army1, Chief, SHA256:…`.
    fn authority_in_words(&self, authority: &Authority) -> String {
        let holder = |key: &PublicKey| {
            let member = self.holders.iter().find(|member| member.key == *key);
            member.map_or_else(|| key.fingerprint(), |member| member.name.to_string())
        };
        let holders: Vec<_> = authority.keys().iter().map(holder).collect();
        format!("{} of {}", authority.threshold(), holders.join(", "))
    }
}

/// A line for each change, in plain words.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        let unit_name = self.unit_name.as_ref();
        lines.extend(unit_name.map(|(was, will_be)| format!("unit       {was} is named {will_be}")));
        let authority = self.authority.as_ref().map(|(was, will_be)| {
            format!("authority  {}, until now {}", self.authority_in_words(will_be), self.authority_in_words(was))
        });
        lines.extend(authority);
        let troops = self.troops.as_ref().map(|troops| {
            let troops: Vec<_> = troops.iter().map(|troop| format!("{}:{}", troop.id, troop.letter)).collect();
            format!("troops     {}", troops.join(", "))
        });
        lines.extend(troops);
        lines.extend(self.comes.iter().map(|m| format!("comes      {}, {}, {}", m.name, m.role, m.key)));
        lines.extend(self.goes.iter().map(|m| format!("goes       {}, {}", m.name, m.role)));
        let moves = self.moves.iter();
        lines.extend(moves.map(|(was, m)| format!("becomes    {}, {}: {}, {}", was.name, was.role, m.name, m.role)));
        if !self.rekeyed.is_empty() {
            let groups: Vec<_> = self.rekeyed.iter().map(GroupId::as_str).collect();
            lines.push(format!("new keys   {}", groups.join(", ")));
        }
        lines.extend(self.faults.iter().map(|fault| format!("BEWARE     {fault}")));
        if lines.is_empty() {
            lines.push("nothing".to_owned());
        }
        f.write_str(&lines.join("\n"))
    }
}

/// The documents in force if these came into force.
fn applied(documents: &[Signed], roster: &Roster) -> Moment {
    let mut moment = roster.moment().clone();
    for document in documents {
        match document {
            Signed::Charter(charter) => moment.charter = Arc::clone(charter),
            Signed::Sheet(sheet) => {
                moment.sheets.retain(|other| other.body.group() != sheet.body.group());
                moment.sheets.push(Arc::clone(sheet));
            }
        }
    }
    let charter = Arc::clone(&moment.charter);
    moment.sheets.retain(|sheet| charter.body.has_troop(sheet.body.group()));
    moment
}

fn keyring_of<'a>(standing: &Standing<'a>, group: &GroupId) -> Option<&'a SealedKeyring> {
    if group.is_heads() {
        Some(standing.charter().keyring())
    } else {
        standing.sheet(group).map(crate::document::Sheet::keyring)
    }
}
