//! Whose turn it is to end an epoch, and when.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::due_rekey;
use crate::fixture::*;
use crate::name::GroupId;
use crate::role::Role;
use crate::roster::Roster;
use crate::timestamp::Timestamp;
use crate::{Edit, NewAuthority, overdue_groups, propose};

fn hours(n: u64) -> Timestamp {
    T0.plus_ms(n * HOUR_MS)
}

/// The groups whose epoch somebody ends at an hour; `heads` first.
fn ended(roster: &Roster, signer: &str, hour: u64) -> Vec<String> {
    let documents = due_rekey(roster, &identity(signer), hours(hour)).unwrap().unwrap_or_default();
    let mut after = roster.clone();
    take(&mut after, &documents, hours(hour));
    let epoch = |roster: &Roster, group| roster.versions_for(group).epoch;
    let ended = roster.groups().filter(|group| epoch(&after, group) > epoch(roster, group));
    ended.map(ToString::to_string).collect()
}

/// The brigade with an authority of these keys of which one is enough.
fn shared_authority(names: &[&str]) -> Roster {
    let mut roster = brigade();
    let document = forge_charter(&roster, names, |text| text.authority = authority(names, 1));
    take(&mut roster, &[document], T0.plus_ms(1));
    roster
}

#[test]
fn a_leader_ends_its_troop_s_epoch_after_a_day() {
    let roster = brigade();
    assert!(ended(&roster, "Army1", 23).is_empty());
    assert_eq!(ended(&roster, "Army1", 24), ["army"]);
    assert_eq!(ended(&roster, "Army1", 1_000), ["army"]);
}

#[test]
fn the_authority_ends_that_of_heads_and_leaves_troops_to_their_leaders_for_a_while() {
    let mut roster = brigade();
    assert!(ended(&roster, "Chief", 23).is_empty());
    assert_eq!(ended(&roster, "Chief", 24), ["heads"]);
    assert_eq!(ended(&roster, "Chief", 27), ["heads"]);
    assert_eq!(ended(&roster, "Chief", 28), ["heads", "navy", "airforce", "army"]);
    let documents = due_rekey(&roster, &identity("Army1"), hours(24)).unwrap().unwrap();
    take(&mut roster, &documents, hours(24));
    assert_eq!(ended(&roster, "Chief", 28), ["heads", "navy", "airforce"]);
    assert_eq!(ended(&founded(), "Chief", 24), ["heads", "navy", "airforce", "army"], "troops without a leader");
}

#[test]
fn nobody_else_ends_anything() {
    let roster = brigade();
    for signer in ["Army2", "Truck", "Stranger"] {
        assert!(due_rekey(&roster, &identity(signer), hours(1_000)).unwrap().is_none(), "{signer}");
    }
    let council = {
        let mut council = roster;
        let document = forge_charter(&council, &["Chief", "Army1"], |text| {
            text.authority = authority(&["Chief", "Army1"], 2);
        });
        take(&mut council, &[document], T0.plus_ms(1));
        // The sheets are the leaders' own, for those by the chief alone have lost their standing.
        council
    };
    assert!(due_rekey(&council, &identity("Chief"), hours(1_000)).unwrap().is_none(), "not one of several");
}

#[test]
fn the_holders_of_an_authority_take_turns() {
    let names = ["Chief", "Deputy", "Third"];
    let mut roster = shared_authority(&names);
    let mut first = Vec::new();
    for round in 0..3 {
        let began = roster.charter().keyring().since();
        let at = |hour: u64| began.plus_ms(hour * HOUR_MS);
        let due = |hour: u64| -> Vec<&str> {
            let ends_heads = |name: &&str| due_rekey(&roster, &identity(name), at(hour)).unwrap().is_some();
            names.into_iter().filter(ends_heads).collect()
        };
        assert!(due(23).is_empty());
        assert_eq!((due(24).len(), due(25).len(), due(26).len()), (1, 2, 3), "round {round}");
        let turn = due(24)[0];
        first.push(turn);
        let documents = crate::rekey(&roster, &identity(turn), at(24)).unwrap();
        take(&mut roster, &documents, at(24));
    }
    first.sort_unstable();
    assert_eq!(first, names, "each is first once");
}

#[test]
fn admitting_somebody_does_not_make_an_epoch_younger_or_begin_one() {
    let mut roster = brigade();
    add(&mut roster, "Army1", "Army4", Role::Soldier(group("army")), hours(23));
    assert_eq!(roster.versions_for(&group("army")).epoch, 1);
    assert_eq!(ended(&roster, "Army1", 24), ["army"]);
}

/// A brigade in which two leaders apart have admitted one device; it counts as the army's, whose leader was first.
fn admitted_twice() -> Roster {
    let mut roster = brigade();
    let mut apart = roster.clone();
    add(&mut roster, "Army1", "Twice", Role::Soldier(group("army")), minutes(10));
    add(&mut apart, "Navy1", "Twice", Role::Soldier(group("navy")), minutes(11));
    let sheets: Vec<Vec<u8>> = apart.documents().map(|(_, bytes)| bytes.to_vec()).collect();
    take(&mut roster, &sheets, minutes(12));
    assert_eq!(roster.member(&key("Twice")).unwrap().role, Role::Soldier(group("army")));
    assert!(roster.sealed_keyring(&group("navy")).unwrap().sealed_to(&key("Twice")).is_some());
    roster
}

#[test]
fn a_key_that_has_come_to_a_device_of_another_troop_is_changed_at_once() {
    let mut roster = admitted_twice();
    let ended_by =
        |signer: &str, minute: u64| due_rekey(&roster, &identity(signer), minutes(minute)).unwrap().is_some();
    assert!(ended_by("Navy1", 12) && !ended_by("Army1", 12), "it is the navy's key");
    assert!(!ended_by("Chief", 14) && ended_by("Chief", 15), "the leader goes first");
    let documents = due_rekey(&roster, &identity("Navy1"), minutes(12)).unwrap().unwrap();
    take(&mut roster, &documents, minutes(12));
    assert!(roster.sealed_keyring(&group("navy")).unwrap().sealed_to(&key("Twice")).is_none());
    for signer in ["Navy1", "Army1", "Chief"] {
        assert_eq!(due_rekey(&roster, &identity(signer), hours(20)).unwrap(), None, "{signer}: once is enough");
    }
}

#[test]
fn what_is_due_is_done_once() {
    let mut roster = brigade();
    for hour in (24..24 * 9).step_by(1) {
        for signer in ["Chief", "Army1", "Navy1", "Airforce1"] {
            if let Some(documents) = due_rekey(&roster, &identity(signer), hours(hour)).unwrap() {
                take(&mut roster, &documents, hours(hour));
            }
        }
    }
    let epochs: Vec<_> = roster.groups().map(|group| roster.versions_for(group).epoch).collect();
    assert_eq!(epochs, [9, 9, 9, 9]);
}

#[test]
fn what_takes_several_signatures_is_said_to_be_overdue() {
    let mut roster = brigade();
    assert_eq!(overdue_groups(&roster, hours(100)), [], "one signature is enough");
    let documents = crate::remove_member(&roster, &identity("Chief"), "Airforce1", T0).unwrap();
    take(&mut roster, &documents, minutes(1));
    let keys = ["Chief", "Army1", "Navy1"].map(key).to_vec();
    let council = Edit::Authority(NewAuthority { keys, threshold: 2, commander: None });
    let mut proposal = propose(&roster, &identity("Chief"), &council, minutes(1)).unwrap();
    proposal.sign(&roster, &identity("Army1"), minutes(1)).unwrap();
    take(&mut roster, &proposal.into_documents(), minutes(1));
    assert_eq!(overdue_groups(&roster, hours(23)), []);
    assert_eq!(overdue_groups(&roster, hours(25)), [GroupId::heads(), group("airforce")]);
    assert_eq!(overdue_groups(&roster, hours(29)).len(), 4, "leaders have had their turn");
    assert_eq!(due_rekey(&roster, &identity("Chief"), hours(29)).unwrap(), None);
}
