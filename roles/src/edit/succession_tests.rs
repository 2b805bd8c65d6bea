//! Who speaks for the unit passes on, signed by several.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::fixture::*;
use crate::proposal::{Missing, Proposal};
use crate::signed::Signed;
use crate::{Accepted, ProposalError, permit};

/// Lets others speak for the unit, as everyone named has signed, and gives the documents.
fn succession(
    roster: &Roster,
    signers: &[&str],
    keys: &[&str],
    threshold: u32,
    heir: Option<&str>,
    minute: u64,
) -> Proposal {
    let new =
        NewAuthority { keys: keys.iter().map(|name| key(name)).collect(), threshold, commander: heir.map(person) };
    let now = minutes(minute);
    let mut proposal = propose(roster, &identity(signers[0]), &Edit::Authority(new), now).unwrap();
    for signer in &signers[1..] {
        // From device to device it goes as a file.
        proposal = Proposal::decode(&proposal.encode()).unwrap();
        proposal.sign(roster, &identity(signer), now).unwrap();
    }
    assert!(proposal.missing(roster).is_empty(), "{:?}", proposal.missing(roster));
    proposal
}

fn adopt(roster: &mut Roster, proposal: &Proposal, minute: u64) {
    for document in proposal.documents() {
        roster.accept(document, minutes(minute)).unwrap();
    }
}

/// The brigade with a council of which two of three must sign.
fn council() -> Roster {
    let mut roster = brigade();
    let proposal = succession(&roster, &["Chief", "Army1"], &["Chief", "Army1", "Navy1"], 2, None, 1);
    adopt(&mut roster, &proposal, 1);
    roster
}

/// Checks that each group's key is sealed to exactly those who may read it.
fn assert_sealed_to_readers(roster: &Roster) {
    for group in roster.groups() {
        let sealed: Vec<_> = roster.sealed_keyring(group).unwrap().sealed().iter().map(|entry| entry.to).collect();
        let readers = roster.members().into_iter().filter(|member| member.role.may_read(group));
        let mut readers: Vec<_> = readers.map(|member| *member.key.as_bytes()).collect();
        readers.sort_unstable();
        assert_eq!(sealed, readers, "{group}");
    }
}

#[test]
fn a_council_keeps_everyone_in_office_with_new_keys() {
    let (before, roster) = (brigade(), council());
    assert_eq!(roster.charter().authority(), &authority(&["Chief", "Army1", "Navy1"], 2));
    assert_eq!(roster.members(), before.members());
    for group in roster.groups() {
        assert_eq!(roster.versions_for(group).epoch, before.versions_for(group).epoch + 1, "{group}");
    }
    assert_sealed_to_readers(&roster);
    assert!(permit(&roster.at(T0), &key("Army2"), &group("army")).is_ok(), "what was said before stays good");
}

#[test]
fn two_deputies_replace_a_lost_commander() {
    let mut roster = council();
    let lost = roster.clone();
    let proposal = succession(&roster, &["Army1", "Navy1"], &["Army1", "Navy1", "Navy2"], 2, Some("Navy1"), 5);
    adopt(&mut roster, &proposal, 5);

    assert_eq!(roster.charter().commander(), &person("Navy1"));
    assert!(roster.find("Chief").is_none());
    assert_eq!(roster.find("Navy1").unwrap().role, Role::Commander);
    assert!(roster.charter().leader_of(&group("navy")).is_none(), "the heir has left its post");
    assert_sealed_to_readers(&roster);
    let keyring = roster.open_keys(&identity("Chief"));
    for group in roster.groups() {
        let epoch = roster.versions_for(group).epoch;
        assert!(keyring.candidates(group, epoch).next().is_none(), "the lost commander reads nothing new of {group}");
        assert!(roster.open_keys(&identity("Navy1")).candidates(group, epoch).next().is_some(), "the new one does");
    }
    // What the lost device signs alone, or with the members of its troop, is worth nothing.
    for forged in [
        forge_charter(&lost, &["Chief", "Army2"], |text| text.version = 90),
        forge_sheet(&lost, "army", &["Chief"], |text| text.version = 90),
    ] {
        assert!(roster.accept(&forged, minutes(6)).is_err());
    }
    // The new ones go on.
    let next = draft(&roster, &identity("Army1"), &Edit::Remove { name: "Truck".into() }, minutes(7)).unwrap();
    assert_eq!(next.missing(&roster).present, 1);
}

#[test]
fn the_same_person_with_another_device_is_a_new_commander() {
    let mut roster = council();
    let heir = Person { name: name("chief"), key: key("Chief's new device") };
    let new = |commander| NewAuthority {
        keys: vec![key("Chief's new device"), key("Army1"), key("Navy1")],
        threshold: 2,
        commander: Some(commander),
    };
    let mut proposal = propose(&roster, &identity("Army1"), &Edit::Authority(new(heir.clone())), minutes(5)).unwrap();
    proposal.sign(&roster, &identity("Navy1"), minutes(5)).unwrap();
    adopt(&mut roster, &proposal, 5);
    assert_eq!(roster.charter().commander(), &heir);
    assert_sealed_to_readers(&roster);

    let taken = [Person { name: name("Army2"), key: key("X") }, Person { name: name("X"), key: key("Army2") }];
    for taken in taken {
        let result = propose(&roster, &identity("Army1"), &Edit::Authority(new(taken)), minutes(6));
        assert!(matches!(result, Err(EditError::NameTaken { .. } | EditError::KeyTaken { .. })), "{result:?}");
    }
}

#[test]
fn a_change_of_authority_takes_the_old_and_the_new_signatures() {
    let roster = brigade();
    let new = NewAuthority { keys: vec![key("Army1"), key("Navy1")], threshold: 2, commander: None };
    let mut proposal = propose(&roster, &identity("Chief"), &Edit::Authority(new), minutes(1)).unwrap();
    let mut keys = vec![key("Army1"), key("Navy1")];
    keys.sort_unstable();
    assert_eq!(proposal.missing(&roster), Missing { present: 0, next: 2, keys });
    let mut other = roster.clone();
    for document in proposal.documents().take(2) {
        assert!(other.accept(document, minutes(1)).is_err(), "neither charter is taken");
    }
    proposal.sign(&roster, &identity("Army1"), minutes(2)).unwrap();
    assert_eq!(proposal.missing(&roster), Missing { present: 0, next: 1, keys: vec![key("Navy1")] });
    proposal.sign(&roster, &identity("Navy1"), minutes(3)).unwrap();
    assert!(proposal.missing(&roster).is_empty());
    adopt(&mut other, &proposal, 3);
    assert_eq!(other.members(), roster.members());
    assert_eq!(other.charter().authority(), &authority(&["Army1", "Navy1"], 2));
}

#[test]
fn nobody_takes_the_authority_by_itself() {
    let roster = council();
    for signer in ["Army2", "Airforce1", "Truck", "Stranger"] {
        let new = NewAuthority { keys: vec![key(signer)], threshold: 1, commander: None };
        let result = propose(&roster, &identity(signer), &Edit::Authority(new), minutes(2));
        assert!(matches!(result, Err(EditError::NotEntitled)), "{signer}");
    }
    let new = NewAuthority { keys: vec![key("Army1")], threshold: 1, commander: None };
    let proposal = propose(&roster, &identity("Army1"), &Edit::Authority(new), minutes(2)).unwrap();
    assert_eq!(proposal.missing(&roster).present, 1);
    let mut other = roster.clone();
    for document in proposal.documents() {
        let of_army = Signed::read(document).unwrap().group() == group("army");
        assert_eq!(other.accept(document, minutes(2)).is_ok(), of_army, "its own troop's sheet is its to sign");
    }
    assert_eq!(other.charter().authority(), roster.charter().authority());
    assert_eq!(other.members(), roster.members());
}

#[test]
fn an_authority_that_makes_no_sense_is_refused() {
    let roster = brigade();
    let set = |keys: &[&str], threshold| {
        let new = NewAuthority { keys: keys.iter().map(|name| key(name)).collect(), threshold, commander: None };
        propose(&roster, &identity("Chief"), &Edit::Authority(new), minutes(1))
    };
    let many: Vec<_> = (0..17).map(|n| format!("K{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for (keys, threshold) in
        [(&[][..], 0), (&[], 1), (&["Chief"], 0), (&["Chief"], 2), (&["Army1", "Army1"], 1), (&many, 1)]
    {
        assert!(matches!(set(keys, threshold), Err(EditError::Invalid(_))), "{keys:?} {threshold}");
    }
    assert!(matches!(set(&["Chief"], 1), Err(EditError::NothingChanges)));
}

#[test]
fn a_node_that_missed_two_changes_of_authority_walks_the_chain() {
    let mut roster = council();
    let away = brigade();
    let first = succession(&roster, &["Army1", "Navy1"], &["Army1", "Navy1", "Navy2"], 2, Some("Navy1"), 5);
    adopt(&mut roster, &first, 5);
    let second = succession(&roster, &["Navy2", "Army1"], &["Army2", "Army1"], 1, None, 6);
    adopt(&mut roster, &second, 6);
    let removal = crate::remove_member(&roster, &identity("Army2"), "Army3", minutes(7)).unwrap();
    take(&mut roster, &removal, minutes(7));

    for days in [0, 3, 30] {
        let now = minutes(8).plus_ms(days * DAY_MS);
        let mut there = roster.clone();
        there.prune(now);
        let have = away.documents().map(|(id, _)| id).collect();
        let mut missing: Vec<Vec<u8>> = there.missing_from(&have).into_iter().map(<[u8]>::to_vec).collect();
        for turn in 0..2 {
            let mut node = away.clone();
            for document in &missing {
                drop(node.accept(document, now));
            }
            node.prune(now);
            assert_eq!(node.members(), there.members(), "after {days} days, {turn}");
            assert_eq!(node.digest(), there.digest(), "after {days} days, {turn}");
            missing.reverse();
        }
    }
}

#[test]
fn a_deputy_that_leads_a_troop_needs_nobody_for_its_own_soldiers() {
    let roster = council();
    let army1 = identity("Army1");
    let add = |who: &str, troop: &str| Edit::Add { name: name(who), role: Role::Soldier(group(troop)), key: key(who) };
    let own = draft(&roster, &army1, &add("Army4", "army"), minutes(2)).unwrap();
    assert!(own.missing(&roster).is_empty());
    let other = draft(&roster, &army1, &add("Navy4", "navy"), minutes(2)).unwrap();
    assert_eq!(other.missing(&roster).present, 1);
    assert!(matches!(
        crate::add_member(&roster, &army1, name("Navy4"), Role::Soldier(group("navy")), key("Navy4"), minutes(2)),
        Err(EditError::SeveralMustSign { threshold: 2 })
    ));

    // It cannot read the navy's key, so what it proposes begins an epoch of it.
    let mut proposal = other;
    proposal.sign(&roster, &identity("Chief"), minutes(3)).unwrap();
    let mut after = roster.clone();
    adopt(&mut after, &proposal, 3);
    assert_eq!(after.find("Navy4").unwrap().role, Role::Soldier(group("navy")));
    assert_sealed_to_readers(&after);

    let all = propose(&roster, &army1, &Edit::Rekey, minutes(2)).unwrap();
    assert_eq!(all.documents().count(), 4);
    assert_eq!(draft(&roster, &army1, &Edit::Rekey, minutes(2)).unwrap().documents().count(), 1);
}

#[test]
fn signatures_given_apart_are_joined() {
    let mut roster = brigade();
    let new = NewAuthority { keys: ["Chief", "Army1", "Navy1"].map(key).to_vec(), threshold: 3, commander: None };
    let first = propose(&roster, &identity("Chief"), &Edit::Authority(new), minutes(1)).unwrap();
    let (mut one, mut two) = (first.clone(), first.clone());
    one.sign(&roster, &identity("Army1"), minutes(2)).unwrap();
    two.sign(&roster, &identity("Navy1"), minutes(2)).unwrap();
    assert!(!one.missing(&roster).is_empty() && !two.missing(&roster).is_empty());
    let mut joined = one.clone();
    joined.merge(&two).unwrap();
    two.merge(&one).unwrap();
    assert_eq!(joined.encode(), two.encode(), "whichever is joined to the other");
    assert!(joined.missing(&roster).is_empty());
    let again = joined.encode();
    joined.merge(&first).unwrap();
    assert_eq!(joined.encode(), again);

    let other = propose(&roster, &identity("Chief"), &Edit::Rekey, minutes(1)).unwrap();
    assert!(matches!(joined.merge(&other), Err(ProposalError::Different)));
    adopt(&mut roster, &joined, 2);
    assert_eq!(roster.charter().authority().threshold(), 3);
}

#[test]
fn a_document_that_only_has_more_signatures_changes_nothing() {
    let mut roster = council();
    let rekey = |signers: &[&str]| {
        let mut proposal = propose(&roster, &identity(signers[0]), &Edit::Rekey, minutes(5)).unwrap();
        proposal.sign(&roster, &identity(signers[1]), minutes(5)).unwrap();
        proposal
    };
    let two = rekey(&["Army1", "Navy1"]);
    let mut three = two.clone();
    three.sign(&roster, &identity("Chief"), minutes(5)).unwrap();
    adopt(&mut roster, &two, 5);
    let before = roster.members();
    for document in three.documents() {
        let outcome = roster.accept(document, minutes(6));
        assert!(matches!(outcome, Ok(Accepted::New) | Err(crate::Refusal::Superseded)), "{outcome:?}");
    }
    assert_eq!(roster.members(), before);
}
