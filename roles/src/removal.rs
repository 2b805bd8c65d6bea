//! Who removed a member and when, as the kept history tells.

use std::fmt;

use muster_keys::PublicKey;

use crate::document::Person;
use crate::name::MemberName;
use crate::role::Role;
use crate::roster::Roster;
use crate::standing::{Member, Moment, Standing};
use crate::timestamp::Timestamp;

/// Somebody who has signed a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The role key.
    pub key: PublicKey,
    /// Whose it is or was, where that is known.
    pub name: Option<MemberName>,
}

impl fmt::Display for Signer {
    /// Writes the name, or the key's fingerprint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => fmt::Display::fmt(name, f),
            None => fmt::Display::fmt(&self.key, f),
        }
    }
}

/// Several signers as a person names them: `Army1, Navy1`.
pub(crate) fn named(signers: &[Signer]) -> String {
    let names: Vec<_> = signers.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// How somebody ceased to be a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Who it was, as it stood last.
    pub member: Member,
    /// Who signed the document that says so.
    pub by: Vec<Signer>,
    /// From when on it speaks, by its signer's clock.
    pub at: Timestamp,
}

impl fmt::Display for Removal {
    /// Writes who it was and who removed it: `Army2 was removed by Chief`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was removed by {}", self.member.name, named(&self.by))
    }
}

impl Roster {
    /// How the member with this key was removed; none if it is a member now, or was none in the last 7 days.
    pub fn removed(&self, key: &PublicKey) -> Option<Removal> {
        if self.member(key).is_some() {
            return None;
        }
        self.last_removal(|standing| standing.member(key))
    }

    /// How the member with this name was removed, whatever the case of its letters; none if there is a member of that
    /// name now, or was none in the last 7 days.
    pub fn removed_by_name(&self, name: &str) -> Option<Removal> {
        if self.find(name).is_some() {
            return None;
        }
        self.last_removal(|standing| standing.find(name))
    }

    /// Who signed the document in force that lists the member with this key; nobody if there is none.
    pub fn listed_by(&self, key: &PublicKey) -> Vec<Signer> {
        let Some(member) = self.member(key) else { return Vec::new() };
        let moment = self.timeline().current();
        let sheets = moment.sheets.iter();
        let sheet = match &member.role {
            Role::Soldier(troop) => sheets.into_iter().find(|sheet| sheet.body.group() == troop),
            _ => None,
        };
        let keys = sheet.map_or(&moment.charter.signers, |sheet| &sheet.signers);
        let entitled = |key: &&PublicKey| {
            let charter = &moment.charter.body;
            let leader = member.role.troop().and_then(|troop| charter.leader_of(troop));
            charter.authority().keys().contains(key) || leader.is_some_and(|leader| leader.key == **key)
        };
        self.name_signers(keys.iter().filter(entitled).copied())
    }

    /// Whether something by a member since removed came only after the removal, though it is dated before.
    ///
    /// It may have been on its way for long; or its author, or who stole its key, has written it later and lied about the
    /// time, which nobody can tell apart. `received_ms` is when it came here, in Unix milliseconds.
    pub fn is_late_arrival(&self, author: &PublicKey, time: Timestamp, received_ms: u64) -> bool {
        let removal = self.removed(author);
        removal.is_some_and(|removal| time < removal.at && removal.at.ms() <= received_ms)
    }

    fn last_removal(&self, find: impl Fn(Standing<'_>) -> Option<Member>) -> Option<Removal> {
        let moments: Vec<_> = self.timeline().moments().collect();
        let mut steps = moments.windows(2).rev();
        steps.find_map(|step| match step {
            [before, after] => {
                let member = find(Standing(before))?;
                let by = signers(&member.role, before, after);
                Some(Removal { member, by, at: after.from })
            }
            _ => None,
        })
    }

    /// Signers with their names, as far as anybody kept here had their keys.
    pub(crate) fn name_signers(&self, keys: impl IntoIterator<Item = PublicKey>) -> Vec<Signer> {
        let name = |key: &PublicKey| {
            let now = self.member(key);
            let now = now.or_else(|| self.last_removal(|standing| standing.member(key)).map(|removal| removal.member));
            now.map(|member| member.name)
        };
        keys.into_iter().map(|key| Signer { name: name(&key), key }).collect()
    }
}

/// Who signed the document by which somebody of this role is gone; strangers' signatures beside theirs do not count.
fn signers(role: &Role, before: &Moment, after: &Moment) -> Vec<Signer> {
    let sheet = |moment: &Moment| {
        let troop = role.troop()?;
        moment.sheets.iter().find(|sheet| sheet.body.group() == troop).cloned()
    };
    let sheets = match role {
        Role::Soldier(_) => sheet(before).zip(sheet(after)),
        _ => None,
    };
    let changed = sheets.filter(|(old, new)| old.id != new.id).map(|(_, new)| new.signers.clone());
    let keys = changed.unwrap_or_else(|| after.charter.signers.clone());
    let entitled = |key: &PublicKey| {
        [before, after].into_iter().any(|moment| {
            let charter = &moment.charter.body;
            let leader = role.troop().and_then(|troop| charter.leader_of(troop));
            charter.authority().keys().contains(key) || leader.is_some_and(|leader: &Person| leader.key == *key)
        })
    };
    let name = |key: &PublicKey| {
        let member = Standing(before).member(key).or_else(|| Standing(after).member(key));
        member.map(|member| member.name)
    };
    keys.into_iter().filter(entitled).map(|key| Signer { name: name(&key), key }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::fixture::*;
    use crate::{Edit, NewAuthority, propose, remove_member};

    fn without(roster: &Roster, signer: &str, who: &str, minute: u64) -> Roster {
        let mut roster = roster.clone();
        let documents = remove_member(&roster, &identity(signer), who, minutes(minute)).unwrap();
        take(&mut roster, &documents, minutes(minute));
        roster
    }

    #[test]
    fn whoever_was_removed_is_told_by_whom_and_when() {
        for (signer, who) in
            [("Chief", "Army2"), ("Army1", "Army2"), ("Chief", "Army1"), ("Chief", "Truck"), ("Navy1", "Navy3")]
        {
            let roster = without(&brigade(), signer, who, 30);
            let removal = roster.removed(&key(who)).unwrap();
            assert_eq!(removal.to_string(), format!("{who} was removed by {signer}"));
            assert_eq!(removal.at, minutes(30));
            assert_eq!(roster.removed_by_name(&who.to_lowercase()), Some(removal));
        }
    }

    #[test]
    fn members_and_strangers_were_not_removed() {
        let roster = without(&brigade(), "Chief", "Army2", 30);
        for who in ["Chief", "Army1", "Army3", "Stranger"] {
            assert_eq!(roster.removed(&key(who)), None, "{who}");
            assert_eq!(roster.removed_by_name(who), None, "{who}");
        }
        let mut back = roster;
        add(&mut back, "Chief", "Army2", Role::Soldier(group("army")), minutes(40));
        assert_eq!(back.removed(&key("Army2")), None, "and who is back is no removed member");
    }

    #[test]
    fn later_changes_do_not_hide_a_removal_within_the_week() {
        let mut roster = without(&brigade(), "Army1", "Army2", 30);
        for day in 1..=6 {
            let now = T0.plus_ms(day * DAY_MS);
            let documents = crate::rekey(&roster, &identity("Chief"), now).unwrap();
            take(&mut roster, &documents, now);
        }
        let removal = roster.removed(&key("Army2")).unwrap();
        assert_eq!((removal.to_string().as_str(), removal.at), ("Army2 was removed by Army1", minutes(30)));
        roster.prune(T0.plus_ms(40 * DAY_MS));
        assert_eq!(roster.removed(&key("Army2")), None);
    }

    #[test]
    fn a_commander_that_was_replaced_was_removed_by_those_who_signed() {
        let mut roster = brigade();
        let new = |keys: &[&str], heir: Option<&str>| {
            let keys = keys.iter().map(|name| key(name)).collect();
            Edit::Authority(NewAuthority { keys, threshold: 2, commander: heir.map(person) })
        };
        for (edit, signers, minute) in [
            (new(&["Chief", "Army1", "Navy1"], None), ["Chief", "Army1"], 1),
            (new(&["Army1", "Navy1"], Some("Navy1")), ["Army1", "Navy1"], 2),
        ] {
            let mut proposal = propose(&roster, &identity(signers[0]), &edit, minutes(minute)).unwrap();
            proposal.sign(&roster, &identity(signers[1]), minutes(minute)).unwrap();
            take(&mut roster, &proposal.into_documents(), minutes(minute));
        }
        let mut by: Vec<_> = roster.removed(&key("Chief")).unwrap().by.iter().map(ToString::to_string).collect();
        by.sort_unstable();
        assert_eq!(by, ["Army1", "Navy1"]);
    }

    #[test]
    fn a_stranger_s_signature_beside_the_rightful_one_is_not_named() {
        let mut roster = brigade();
        let documents = remove_member(&roster, &identity("Chief"), "Army2", minutes(5)).unwrap();
        let more = crate::signed::add_signature(&documents[0], &identity("Stranger")).unwrap();
        take(&mut roster, &[more], minutes(5));
        assert_eq!(roster.removed(&key("Army2")).unwrap().to_string(), "Army2 was removed by Chief");
    }

    #[test]
    fn what_a_removed_member_dates_back_is_a_late_arrival() {
        let roster = without(&brigade(), "Chief", "Army2", 30);
        let late = |who: &str, written: u64, came: u64| {
            roster.is_late_arrival(&key(who), minutes(written), minutes(came).ms())
        };
        assert!(late("Army2", 29, 31) && late("Army2", 29, 30));
        assert!(!late("Army2", 28, 29), "it came in time");
        assert!(!late("Army2", 31, 32), "it is not late but forbidden");
        assert!(!late("Army3", 29, 31) && !late("Stranger", 29, 31));
    }
}
