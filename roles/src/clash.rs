//! What is lost when two have changed one document apart from each other.
//!
//! Which of two documents goes before the other is settled the same everywhere (`timeline.rs`); the changes of the other one are
//! lost by that, and those who signed it believe they were made. A document does not say which one it was made from,
//! so that is told from what both say: whoever knows a document keeps its epoch or begins a later one, and
//! drops nobody of it without beginning one.

use std::collections::BTreeSet;
use std::fmt;

use muster_keys::PublicKey;

use crate::document::Person;
use crate::name::{GroupId, MemberName};
use crate::removal::{Signer, named};
use crate::role::Role;
use crate::roster::Roster;
use crate::signed::Signed;

/// The most clashes that wait to be told: more than a person would go through.
pub(crate) const MAX_CLASHES: usize = 32;

/// Changes that were lost to a document made without knowing of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The group of both documents; `heads` stands for the charter.
    pub group: GroupId,
    /// The version of the document that was lost.
    pub lost_version: u64,
    /// The version of the one that is kept: the same, or the number that its signer had counted to.
    pub kept_version: u64,
    /// Who signed the one that was lost.
    pub lost_by: Vec<Signer>,
    /// Who signed the one that is kept.
    pub kept_by: Vec<Signer>,
    /// Whom the lost one lists, and the kept one does not.
    pub admitted: Vec<MemberName>,
    /// Whom the lost one had removed, and the kept one still lists.
    pub removed: Vec<MemberName>,
    /// Whether the lost one began an epoch whose key is lost with it.
    pub rekeyed: bool,
}

impl Clash {
    /// Whether somebody has signed one of the two documents.
    pub fn concerns(&self, key: &PublicKey) -> bool {
        self.lost_by.iter().chain(&self.kept_by).any(|signer| signer.key == *key)
    }
}

/// A line for each thing lost: `Army5, admitted by Army1, was lost to the sheet of army by Chief: admit it again`.
impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let document =
            if self.group.is_heads() { "the charter".to_owned() } else { format!("the sheet of {}", self.group) };
        let (lost_by, kept) = (named(&self.lost_by), format!("{document} by {}", named(&self.kept_by)));
        let mut lines = Vec::new();
        let admitted = self.admitted.iter();
        lines.extend(admitted.map(|name| {
            format!("{name}, admitted by {lost_by}, was lost to {kept}: admit it again if it belongs to the unit")
        }));
        let removed = self.removed.iter();
        lines.extend(removed.map(|name| format!("{name}, removed by {lost_by}, is back by {kept}: remove it again")));
        if lines.is_empty() {
            lines.push(format!("the new keys by {lost_by} were lost to {kept}: rekey again"));
        }
        f.write_str(&lines.join("\n"))
    }
}

/// Somebody of a document, and as what.
type Entry = (PublicKey, Role);

/// What is lost of `lost` when `kept` is in force; none if `kept` was made from it, or nothing of it is missing.
pub(crate) fn between(roster: &Roster, kept: &Signed, lost: &Signed, base: Option<&Signed>) -> Option<Clash> {
    if kept.payload_hash() == lost.payload_hash() || was_made_from(kept, lost) {
        return None;
    }
    let (in_kept, in_lost) = (entries(kept), entries(lost));
    let in_base = base.map(entries).unwrap_or_default();
    let names = |list: Vec<(Entry, MemberName)>| list.into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    let has = |list: &[(Entry, MemberName)], entry: &Entry| list.iter().any(|(other, _)| other == entry);
    let admitted = in_lost.iter().filter(|(e, _)| !has(&in_kept, e) && !has(&in_base, e)).cloned().collect();
    let removed = in_base.iter().filter(|(e, _)| !has(&in_lost, e) && has(&in_kept, e)).cloned().collect();
    let epoch = |document: &Signed| (document.keyring().epoch(), document.keyring().since());
    let rekeyed = epoch(lost) != epoch(kept) && base.is_none_or(|base| epoch(lost) != epoch(base));
    let clash = Clash {
        group: kept.group(),
        lost_version: lost.version(),
        kept_version: kept.version(),
        lost_by: roster.name_signers(lost.signers().iter().copied()),
        kept_by: roster.name_signers(kept.signers().iter().copied()),
        admitted: names(admitted),
        removed: names(removed),
        rekeyed,
    };
    (clash.rekeyed || !clash.admitted.is_empty() || !clash.removed.is_empty()).then_some(clash)
}

/// Whether a document can have been made by somebody who knew another one of its kind.
fn was_made_from(newer: &Signed, older: &Signed) -> bool {
    let (new, old) = (newer.keyring(), older.keyring());
    let keeps_everyone = || {
        let keys: BTreeSet<_> = entries(newer).into_iter().map(|((key, _), _)| key).collect();
        entries(older).iter().all(|((key, _), _)| keys.contains(key))
    };
    newer.version() > older.version()
        && removal(newer) >= removal(older)
        && (new.epoch() > old.epoch() || (new.epoch() == old.epoch() && new.since() == old.since() && keeps_everyone()))
}

fn removal(document: &Signed) -> u64 {
    match document {
        Signed::Charter(_) => 0,
        Signed::Sheet(sheet) => sheet.body.removal(),
    }
}

fn entries(document: &Signed) -> Vec<(Entry, MemberName)> {
    let entry = |person: &Person, role: Role| ((person.key, role), person.name.clone());
    match document {
        Signed::Charter(charter) => {
            let charter = &charter.body;
            let leaders = charter.leaders().iter().map(|l| entry(&l.person, Role::Leader(l.troop.clone())));
            let carriers = charter.carriers().iter().map(|carrier| entry(carrier, Role::Carrier));
            std::iter::once(entry(charter.commander(), Role::Commander)).chain(leaders).chain(carriers).collect()
        }
        Signed::Sheet(sheet) => {
            let role = Role::Soldier(sheet.body.group().clone());
            sheet.body.soldiers().iter().map(|soldier| entry(soldier, role.clone())).collect()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::fixture::*;
    use crate::{Edit, NewAuthority, draft, propose, rekey, remove_member};

    fn soldier(who: &str) -> Edit {
        Edit::Add { name: name(who), role: Role::Soldier(group("army")), key: key(who) }
    }

    fn remove(who: &str) -> Edit {
        Edit::Remove { name: who.into() }
    }

    /// Makes changes on an island of its own.
    fn island(roster: &Roster, signer: &str, edits: &[Edit]) -> Roster {
        let mut roster = roster.clone();
        for (minute, edit) in (1..).zip(edits) {
            let now = minutes(minute).plus_ms(if signer == "Chief" { 7 } else { 3 });
            let documents = draft(&roster, &identity(signer), edit, now).unwrap().into_documents();
            take(&mut roster, &documents, now);
        }
        assert!(roster.take_clashes().is_empty(), "no clash with oneself");
        roster
    }

    /// Lets two islands meet; gives what each side is told.
    fn meet(one: &mut Roster, other: &mut Roster) -> [Vec<Clash>; 2] {
        for _ in 0..2 {
            let from_one: Vec<Vec<u8>> = one.documents().map(|(_, bytes)| bytes.to_vec()).collect();
            let from_other: Vec<Vec<u8>> = other.documents().map(|(_, bytes)| bytes.to_vec()).collect();
            from_one.iter().for_each(|bytes| drop(other.accept(bytes, minutes(60))));
            from_other.iter().for_each(|bytes| drop(one.accept(bytes, minutes(60))));
        }
        assert_eq!(one.digest(), other.digest(), "it is settled the same way");
        assert_eq!(one.members(), other.members());
        [one.take_clashes(), other.take_clashes()]
    }

    #[test]
    fn an_admission_lost_to_the_authority_is_told_on_both_sides() {
        let before = brigade();
        let mut army1 = island(&before, "Army1", &[soldier("Army5")]);
        let mut chief = island(&before, "Chief", &[soldier("Army6")]);
        for clashes in meet(&mut army1, &mut chief) {
            assert_eq!(clashes.len(), 1, "{clashes:?}");
            let clash = &clashes[0];
            assert_eq!(
                clash.to_string(),
                "Army5, admitted by Army1, was lost to the sheet of army by Chief: \
                 admit it again if it belongs to the unit"
            );
            assert_eq!((clash.lost_version, clash.kept_version), (5, 5));
            assert!(clash.concerns(&key("Army1")) && clash.concerns(&key("Chief")) && !clash.concerns(&key("Army2")));
        }
        assert!(chief.find("Army6").is_some() && chief.find("Army5").is_none());
    }

    #[test]
    fn a_removal_by_the_authority_holds_against_any_number_of_sheets_made_without_knowing_of_it() {
        let admit = [soldier("Army5"), soldier("Army6")];
        let rekey_and_admit = [Edit::Rekey, soldier("Army5"), Edit::Rekey, soldier("Army6")];
        for edits in [admit.as_slice(), &rekey_and_admit] {
            let before = brigade();
            let mut chief = island(&before, "Chief", &[remove("Army2")]);
            let mut army1 = island(&before, "Army1", edits);
            for clashes in meet(&mut army1, &mut chief) {
                let told = clashes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
                for lost in ["Army5", "Army6"] {
                    let line =
                        format!("{lost}, admitted by Army1, was lost to the sheet of army by Chief: admit it again");
                    assert!(told.contains(&line), "{told}");
                }
                assert!(clashes.iter().all(|clash| clash.concerns(&key("Army1"))));
            }
            for roster in [&mut army1, &mut chief] {
                let out = ["Army2", "Army5", "Army6"];
                assert!(out.iter().all(|name| roster.find(name).is_none()));
                assert_eq!(roster.removed(&key("Army2")).unwrap().to_string(), "Army2 was removed by Chief");
                let army = group("army");
                let said_next = roster.open_keys(&identity("Army3")).current(&army).unwrap().1.clone();
                for name in out {
                    let ring = roster.open_keys(&identity(name));
                    assert!(ring.current(&army).is_none(), "{name}");
                    let epoch = roster.versions_for(&army).epoch;
                    assert!(ring.candidates(&army, epoch).all(|key| *key != said_next), "{name}");
                }
            }
            // Whoever knows of the removal admits again what was lost, and the one removed too if that is meant.
            for (who, minute) in [("Army5", 61), ("Army2", 62)] {
                let documents =
                    draft(&army1, &identity("Army1"), &soldier(who), minutes(minute)).unwrap().into_documents();
                take(&mut army1, &documents, minutes(minute));
                take(&mut chief, &documents, minutes(minute));
                assert!(chief.find(who).is_some() && chief.digest() == army1.digest());
            }
        }
    }

    #[test]
    fn a_commander_replaced_reads_nothing_more_whatever_a_leader_signed_meanwhile() {
        let before = brigade();
        let heir = NewAuthority { keys: vec![key("Heir")], threshold: 1, commander: Some(person("Heir")) };
        let mut proposal = propose(&before, &identity("Chief"), &Edit::Authority(heir), minutes(1)).unwrap();
        proposal.sign(&before, &identity("Heir"), minutes(1)).unwrap();
        let mut heirs = before.clone();
        take(&mut heirs, &proposal.into_documents(), minutes(1));
        let mut army1 = island(&before, "Army1", &[Edit::Rekey, soldier("Army5"), soldier("Army6")]);
        meet(&mut army1, &mut heirs);
        let army = group("army");
        assert!(army1.open_keys(&identity("Chief")).current(&army).is_none());
        assert!(army1.open_keys(&identity("Heir")).current(&army).is_some());
    }

    #[test]
    fn what_takes_nobody_away_leaves_a_leader_s_later_versions_alone() {
        let before = brigade();
        for edit in [soldier("Army6"), Edit::Rekey] {
            let mut chief = island(&before, "Chief", &[edit]);
            let mut army1 = island(&before, "Army1", &[remove("Army2"), soldier("Army5")]);
            meet(&mut army1, &mut chief);
            assert!(chief.find("Army2").is_none() && chief.find("Army5").is_some());
        }
    }

    #[test]
    fn a_leader_that_lies_about_removals_is_outdone_by_the_authority_all_the_same() {
        let mut roster = brigade();
        let lie = forge_sheet(&roster, "army", &["Army1"], |text| {
            (text.version, text.removal) = (u64::MAX, u64::MAX);
            text.soldiers.push(person("Crony"));
        });
        take(&mut roster, &[lie], minutes(1));
        let documents = crate::remove_member(&roster, &identity("Chief"), "Crony", minutes(2)).unwrap();
        take(&mut roster, &documents, minutes(2));
        assert!(roster.find("Crony").is_none());
        let documents = crate::remove_member(&roster, &identity("Chief"), "Army1", minutes(3)).unwrap();
        documents.iter().for_each(|document| drop(roster.accept(document, minutes(3))));
        assert!(roster.find("Army1").is_none() && roster.find("Crony").is_none(), "nor does it hold its office by it");
        assert!(roster.find("Army3").is_some());
    }

    #[test]
    fn new_keys_lost_are_told() {
        let before = brigade();
        let mut army1 = island(&before, "Army1", &[Edit::Rekey]);
        let mut chief = island(&before, "Chief", &[remove("Army2")]);
        let [told, _] = meet(&mut army1, &mut chief);
        assert_eq!(
            told.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["the new keys by Army1 were lost to the sheet of army by Chief: rekey again"]
        );
    }

    #[test]
    fn two_charters_by_holders_of_one_authority_clash_too() {
        let mut before = brigade();
        let shared = forge_charter(&before, &["Chief"], |text| text.authority = authority(&["Chief", "Deputy"], 1));
        take(&mut before, &[shared], minutes(0));
        let carrier = |who: &str| Edit::Add { name: name(who), role: Role::Carrier, key: key(who) };
        let mut chief = island(&before, "Chief", &[carrier("Truck2")]);
        let mut deputy = island(&before, "Deputy", &[carrier("Truck3")]);
        let [one, other] = meet(&mut chief, &mut deputy);
        assert_eq!(one, other);
        assert_eq!(one.len(), 1);
        assert_eq!(one[0].admitted.len(), 1);
        let lost = one[0].admitted[0].as_str();
        assert!(chief.find(lost).is_none() && ["Truck2", "Truck3"].contains(&lost));
    }

    #[test]
    fn changes_made_one_after_the_other_never_clash() {
        let mut node = brigade();
        let mut away = node.clone();
        for minute in 1..30 {
            let signer = if minute % 3 == 0 { "Chief" } else { "Army1" };
            let edit = match minute % 5 {
                0 => Edit::Rekey,
                1 | 2 => soldier(&format!("A{minute}")),
                3 => remove(&format!("A{}", minute - 1)),
                _ => soldier(&format!("B{minute}")),
            };
            if let Ok(change) = draft(&node, &identity(signer), &edit, minutes(minute)) {
                take(&mut node, &change.into_documents(), minutes(minute));
            }
        }
        assert!(node.take_clashes().is_empty());
        let documents: Vec<Vec<u8>> = node.documents().map(|(_, bytes)| bytes.to_vec()).collect();
        documents.iter().rev().for_each(|bytes| drop(away.accept(bytes, minutes(60))));
        assert!(away.take_clashes().is_empty(), "nor for one who hears of it all at once, the last first");
    }

    #[test]
    fn what_nobody_entitled_has_signed_clashes_with_nothing() {
        let mut roster = brigade();
        take(&mut roster.clone(), &rekey(&roster, &identity("Chief"), minutes(1)).unwrap(), minutes(1));
        let documents = remove_member(&roster, &identity("Chief"), "Army2", minutes(1)).unwrap();
        let forged = forge_sheet(&roster, "army", &["Army3"], |text| text.soldiers.push(person("Crony")));
        take(&mut roster, &documents, minutes(1));
        assert!(roster.accept(&forged, minutes(2)).is_err());
        assert!(roster.take_clashes().is_empty());
    }

    #[test]
    fn a_clash_is_told_once_and_their_number_is_bounded() {
        let mut roster = brigade();
        let kept = island(&roster, "Chief", &[soldier("Army6")]);
        let lost = forge_sheet(&roster, "army", &["Army1"], |text| text.soldiers.push(person("Army5")));
        kept.documents().for_each(|(_, bytes)| drop(roster.accept(bytes, minutes(60))));
        for _ in 0..3 {
            drop(roster.accept(&lost, minutes(60)));
        }
        assert_eq!(roster.take_clashes().len(), 1);
        drop(roster.accept(&lost, minutes(60)));
        assert!(roster.take_clashes().is_empty());
        let before = brigade();
        for n in 0..100 {
            let lost = forge_sheet(&before, "army", &["Army1"], |text| text.soldiers.push(person(&format!("X{n}"))));
            drop(roster.accept(&lost, minutes(60)));
        }
        assert!(roster.take_clashes().len() <= MAX_CLASHES);
    }
}
