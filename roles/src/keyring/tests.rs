#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixture::*;
use crate::role::Role;
use crate::{rekey, remove_member};

/// Which epochs of a group somebody can open.
fn epochs(roster: &Roster, who: &str, id: &str) -> Vec<u64> {
    let ring = roster.open_keys(&identity(who));
    (0..20).filter(|&epoch| ring.candidates(&group(id), epoch).next().is_some()).collect()
}

fn rekeyed(roster: &mut Roster, signer: &str, minute: u64) {
    let documents = rekey(roster, &identity(signer), minutes(minute)).unwrap();
    take(roster, &documents, minutes(minute));
}

#[test]
fn everybody_opens_the_keys_of_the_groups_it_may_read_and_no_others() {
    let mut roster = brigade();
    for minute in 1..3 {
        for member in roster.members() {
            let ring = roster.open_keys(&identity(member.name.as_str()));
            for group in roster.groups() {
                let current = ring.current(group);
                assert_eq!(current.is_some(), member.role.may_read(group), "{member:?} and {group}");
                let epoch = roster.versions_for(group).epoch;
                assert!(current.is_none_or(|(current, _)| current == epoch));
            }
        }
        rekeyed(&mut roster, "Chief", minute);
    }
}

#[test]
fn everybody_opens_the_same_key() {
    let roster = brigade();
    let army = group("army");
    let key = |who: &str| roster.open_keys(&identity(who)).candidates(&army, 1).next().cloned().unwrap();
    assert_eq!(key("Chief"), key("Army1"));
    assert_eq!(key("Chief"), key("Army3"));
    let navy = roster.open_keys(&identity("Chief")).candidates(&group("navy"), 1).next().cloned().unwrap();
    assert_ne!(key("Chief"), navy);
}

#[test]
fn a_carrier_and_a_stranger_open_nothing() {
    let roster = brigade();
    for who in ["Truck", "Stranger"] {
        let ring = roster.open_keys(&identity(who));
        assert!(ring.is_empty());
        assert!(ring.current(&GroupId::heads()).is_none());
    }
    assert_eq!(roster.open_keys(&identity("Chief")).len(), 4);
}

#[test]
fn a_member_that_was_away_opens_the_epochs_in_between() {
    let mut roster = brigade();
    let mut away = roster.clone();
    for minute in 1..5 {
        rekeyed(&mut roster, "Chief", minute);
    }
    let have = away.documents().map(|(id, _)| id).collect();
    take(&mut away, &roster.missing_from(&have).into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>(), minutes(5));
    assert_eq!(epochs(&away, "Army2", "army"), [1, 2, 3, 4, 5]);
    assert_eq!(away.open_keys(&identity("Army2")).current(&group("army")).unwrap().0, 5);
}

#[test]
fn a_removed_member_keeps_the_epochs_it_had_and_gets_no_new_one() {
    let mut roster = brigade();
    let documents = remove_member(&roster, &identity("Chief"), "Army2", minutes(1)).unwrap();
    take(&mut roster, &documents, minutes(1));
    rekeyed(&mut roster, "Chief", 2);
    assert_eq!(epochs(&roster, "Army2", "army"), [1]);
    assert_eq!(epochs(&roster, "Army3", "army"), [1, 2, 3]);
    assert!(roster.open_keys(&identity("Army2")).current(&group("army")).is_none());
}

#[test]
fn a_member_admitted_later_opens_the_running_epoch_and_none_before() {
    let mut roster = brigade();
    rekeyed(&mut roster, "Chief", 1);
    add(&mut roster, "Army1", "Army9", Role::Soldier(group("army")), minutes(2));
    assert_eq!(epochs(&roster, "Army9", "army"), [2]);
}

#[test]
fn a_key_sealed_wrongly_is_passed_over() {
    let mut roster = brigade();
    let spoilt = forge_sheet(&roster, "army", &["Army1"], |text| {
        let army3 = key("Army3");
        let entry = text.keyring.sealed.iter_mut().find(|entry| entry.to == *army3.as_bytes());
        entry.unwrap().sealed.fill(7);
    });
    take(&mut roster, &[spoilt], minutes(1));
    assert_eq!(epochs(&roster, "Army3", "army"), Vec::<u64>::new());
    assert_eq!(epochs(&roster, "Army2", "army"), [1]);
}

#[test]
fn a_key_sealed_for_another_epoch_or_group_or_unit_does_not_open() {
    let mut roster = brigade();
    let renumbered = forge_sheet(&roster, "army", &["Army1"], |text| text.keyring.epoch = 9);
    take(&mut roster, &[renumbered], minutes(1));
    assert_eq!(epochs(&roster, "Army2", "army"), [1], "what it had opens, and nothing new");
    assert!(roster.open_keys(&identity("Army2")).current(&group("army")).is_none());

    let mut roster = brigade();
    let heads = roster.charter().keyring().sealed().to_vec();
    let moved = forge_sheet(&roster, "army", &["Army1"], |text| text.keyring.sealed = heads);
    take(&mut roster, &[moved], minutes(1));
    assert_eq!(epochs(&roster, "Chief", "army"), Vec::<u64>::new());

    let info = |unit: u8, id: &str, epoch: u64| seal_info(UnitId::from_bytes([unit; 16]), &group(id), epoch);
    assert_ne!(info(1, "army", 1), info(2, "army", 1));
    assert_ne!(info(1, "army", 1), info(1, "navy", 1));
    assert_ne!(info(1, "army", 1), info(1, "army", 2));
}

#[test]
fn of_two_keys_for_one_epoch_the_later_in_force_counts() {
    let before = brigade();
    let by_leader = rekey(&before, &identity("Army1"), minutes(1)).unwrap();
    let by_chief = rekey(&before, &identity("Chief"), minutes(2)).unwrap();
    let key_after = |documents: &[&[Vec<u8>]]| {
        let mut roster = before.clone();
        documents.iter().for_each(|documents| take(&mut roster, documents, minutes(2)));
        roster.open_keys(&identity("Army2")).candidates(&group("army"), 2).next().cloned().unwrap()
    };
    let (leaders, chiefs) = (key_after(&[&by_leader]), key_after(&[&by_chief]));
    assert_ne!(leaders, chiefs);
    assert_eq!(key_after(&[&by_leader, &by_chief]), chiefs);
    assert_eq!(key_after(&[&by_chief, &by_leader]), chiefs);
}

#[test]
fn whoever_held_the_key_of_an_epoch_outdone_goes_on_holding_it_for_a_week() {
    let before = brigade();
    let army = group("army");
    let by_leader = rekey(&before, &identity("Army1"), minutes(2)).unwrap();
    let by_chief = remove_member(&before, &identity("Chief"), "Army2", minutes(1)).unwrap();
    let mut roster = before.clone();
    take(&mut roster, &by_leader, minutes(2));
    let lost = roster.open_keys(&identity("Army3")).current(&army).unwrap().1.clone();
    take(&mut roster, &by_chief, minutes(3));
    let documents: Vec<_> = roster.documents().map(|(_, bytes)| bytes.to_vec()).collect();
    let mut other = before;
    documents.iter().rev().for_each(|document| drop(other.accept(document, minutes(3))));
    assert_eq!(other.digest(), roster.digest());
    for roster in [&roster, &other, &Roster::decode(&roster.encode(), minutes(4)).unwrap()] {
        let ring = roster.open_keys(&identity("Army3"));
        let current = ring.current(&army).unwrap().1;
        let keys: Vec<_> = ring.candidates(&army, 2).collect();
        assert_eq!(keys, [current, &lost], "what is written next is sealed with the key in force");
        let ring = roster.open_keys(&identity("Army2"));
        assert_eq!(ring.candidates(&army, 2).collect::<Vec<_>>(), [&lost], "it was given that one, and no more");
        assert!(ring.current(&army).is_none());
    }
    roster.prune(minutes(3).plus_ms(8 * DAY_MS));
    assert_eq!(roster.open_keys(&identity("Army3")).candidates(&army, 2).count(), 1);
}

#[test]
fn the_rivals_of_an_epoch_are_bounded() {
    let mut roster = brigade();
    for n in 0..100 {
        let rival = rekey(&brigade(), &identity("Army1"), minutes(2 + n)).unwrap();
        drop(roster.accept(rival.first().unwrap(), minutes(200)));
    }
    let documents = remove_member(&brigade(), &identity("Chief"), "Army2", minutes(1)).unwrap();
    take(&mut roster, &documents, minutes(200));
    let ring = roster.open_keys(&identity("Army3"));
    assert_eq!(ring.candidates(&group("army"), 2).count(), MAX_KEYS_AN_EPOCH);
    assert!(roster.documents().count() <= 100, "{}", roster.documents().count());
}

#[test]
fn debug_shows_no_key() {
    let roster = brigade();
    let ring = roster.open_keys(&identity("Army2"));
    let key = ring.candidates(&group("army"), 1).next().unwrap();
    let shown = format!("{ring:?}");
    assert!(!shown.contains(&format!("{:?}", key.as_bytes())), "{shown}");
    assert!(shown.contains('…'), "{shown}");
}
