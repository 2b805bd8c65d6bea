//! What is kept of documents that are no longer in force, for how long, and how the past is judged by them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::tests::{accept, copy, names, sealed_to};
use super::*;
use crate::fixture::*;
use crate::role::{Role, permit};
use crate::{rekey, remove_member};

#[test]
fn the_authority_s_sheet_is_kept_to_fall_back_on_while_its_epoch_is_of_the_week() {
    let mut roster = brigade();
    let leaders = forge_sheet(&roster, "army", &["Army1"], |text| {
        text.soldiers = vec![person("Crony")];
        text.issued = minutes(1);
        new_epoch(&mut text.keyring, minutes(1));
    });
    accept(&mut roster, &leaders).unwrap();
    let depose = |days: u64| {
        let later = T0.plus_ms(days * DAY_MS);
        let mut roster = roster.clone();
        roster.prune(later);
        roster = Roster::decode(&roster.encode(), later).unwrap();
        let deposed = forge_charter(&roster, &["Chief"], |text| {
            text.leaders.clear();
            text.issued = later;
            new_epoch(&mut text.keyring, later);
        });
        roster.accept(&deposed, later).unwrap();
        roster
    };
    assert!(depose(6).find("Crony").is_none());
    assert!(depose(6).find("Army2").is_some());
    assert!(depose(100).find("Crony").is_none());
    assert!(depose(100).sheet(&group("army")).is_none(), "nothing to fall back on until the authority signs");
}

#[test]
fn what_the_file_holds_of_an_epoch_is_gone_seven_days_after_its_end() {
    let mut roster = brigade();
    let mut sealed_by_day = Vec::new();
    // The leader changes its troop's keys day by day, the chief those of heads; then the authority passes on.
    for day in 1..=3 {
        sealed_by_day.push(sealed_keys(&roster));
        let now = T0.plus_ms(day * DAY_MS);
        for signer in ["Army1", "Navy1", "Airforce1"] {
            let documents = rekey(&roster, &identity(signer), now).unwrap();
            take(&mut roster, &documents, now);
        }
        let heads = forge_charter(&roster, &["Chief"], |text| {
            text.issued = now.plus_ms(1);
            new_epoch(&mut text.keyring, now.plus_ms(1));
            text.keyring.sealed = vec![sealed_to(day as u32, &[day as u8; muster_keys::SEALED_LEN])];
        });
        take(&mut roster, &[heads], now.plus_ms(1));
    }
    sealed_by_day.push(sealed_keys(&roster));
    let day = |n: u64| T0.plus_ms(n * DAY_MS + 1);
    let new = crate::NewAuthority { keys: vec![key("Chief"), key("Army1")], threshold: 1, commander: None };
    let documents =
        crate::propose(&roster, &identity("Chief"), &crate::Edit::Authority(new), day(4)).unwrap().into_documents();
    take(&mut roster, &documents, day(4));

    let held = |roster: &Roster, epoch: usize| {
        let file = roster.encode();
        let holds = |sealed: &Vec<u8>| file.windows(sealed.len()).any(|bytes| bytes == sealed);
        sealed_by_day[epoch].iter().filter(|sealed| holds(sealed)).count()
    };
    for (epoch, keys) in sealed_by_day.iter().enumerate() {
        assert_eq!(held(&roster, epoch), keys.len(), "all of epoch {epoch} is there at first");
        let ends = u64::try_from(epoch + 1).unwrap();
        let mut before = roster.clone();
        before.prune(day(ends + 7).minus_ms(2));
        assert_eq!(held(&before, epoch), keys.len(), "and as long as its records are");
        let mut after = roster.clone();
        after.prune(day(ends + 7).plus_ms(1_000));
        assert_eq!(held(&after, epoch), 0, "but no longer");
        let read = Roster::decode(&after.encode(), day(ends + 7).plus_ms(1_000)).unwrap();
        assert_eq!(read.encode(), after.encode());
    }
}

/// Every sealed key of the epochs in force, as the file holds it.
fn sealed_keys(roster: &Roster) -> Vec<Vec<u8>> {
    let keyrings = roster.groups().map(|group| roster.sealed_keyring(group).unwrap());
    keyrings.flat_map(|keyring| keyring.sealed().iter().map(|entry| entry.sealed.to_vec())).collect()
}

#[test]
fn a_removed_member_is_judged_by_its_time() {
    let mut roster = brigade();
    let documents = remove_member(&roster, &identity("Chief"), "Army2", minutes(30)).unwrap();
    take(&mut roster, &documents, minutes(30));
    let may = |roster: &Roster, minute| permit(&roster.at(minutes(minute)), &key("Army2"), &group("army")).is_ok();
    assert!(may(&roster, 29));
    assert!(!may(&roster, 30));
    assert!(!may(&roster, 10_000));
    assert!(may(&copy(&roster), 29) && !may(&copy(&roster), 30), "stored and read again");
}

#[test]
fn a_removal_that_comes_late_judges_again() {
    let mut away = brigade();
    let mut roster = away.clone();
    let documents = remove_member(&roster, &identity("Chief"), "Army2", minutes(30)).unwrap();
    take(&mut roster, &documents, minutes(30));
    add(&mut roster, "Chief", "Army9", Role::Soldier(group("army")), minutes(50));
    assert!(away.at(minutes(40)).find("Army2").is_some());
    let have = away.documents().map(|(id, _)| id).collect();
    for document in roster.missing_from(&have) {
        away.accept(document, minutes(60)).unwrap();
    }
    assert!(away.at(minutes(40)).find("Army2").is_none());
    assert_eq!(away.digest(), roster.digest());
    assert!(roster.missing_from(&away.documents().map(|(id, _)| id).collect()).is_empty());
}

#[test]
fn before_the_unit_its_first_documents_count() {
    let roster = brigade();
    assert!(roster.at(Timestamp::ZERO).find("Army2").is_some());
}

#[test]
fn history_lasts_seven_days() {
    let mut roster = brigade();
    for day in 1..=20 {
        let now = T0.plus_ms(day * DAY_MS);
        let documents = rekey(&roster, &identity("Chief"), now).unwrap();
        take(&mut roster, &documents, now);
    }
    let now = T0.plus_ms(20 * DAY_MS);
    let epochs = |roster: &Roster| {
        let ring = roster.open_keys(&identity("Army2"));
        (1..=21).filter(|&epoch| ring.candidates(&group("army"), epoch).next().is_some()).collect::<Vec<_>>()
    };
    // The one of day 13 was in force when the seven days began.
    assert_eq!(epochs(&roster), (14..=21).collect::<Vec<_>>());
    let kept = roster.documents().count();
    assert_eq!(kept, 1 + 4 * 8, "the first charter, and for each group eight epochs");

    roster.prune(now.plus_ms(30 * DAY_MS));
    assert_eq!(epochs(&roster), [21]);
    assert_eq!(roster.documents().count(), 1 + 4);
    assert_eq!(names(&roster), names(&brigade()));
}

#[test]
fn many_admissions_leave_no_trail_of_documents() {
    let mut roster = founded();
    for n in 0..200 {
        add(&mut roster, "Chief", &format!("A{n}"), Role::Soldier(group("army")), minutes(n));
    }
    assert_eq!(roster.members().len(), 201);
    assert_eq!(roster.documents().count(), 5);
    let len: usize = roster.reserve.iter().map(|document| document.bytes().len()).sum();
    assert!(len <= MAX_RESERVE_LEN);
}

#[test]
fn history_of_a_leader_gone_wrong_is_bounded() {
    let roster = brigade();
    let mut documents: Vec<_> = roster.documents().map(|(_, bytes)| bytes.to_vec()).collect();
    for n in 1..1_500 {
        documents.push(forge_sheet(&roster, "army", &["Army1"], |text| {
            text.version += n;
            text.issued = T0.plus_ms(n);
            new_epoch(&mut text.keyring, T0.plus_ms(n));
        }));
    }
    let mut roster = roster_of(&documents, minutes(60));
    let kept = roster.documents().count();
    assert!((1_024..1_040).contains(&kept), "{kept}");
    assert_eq!(copy(&roster).digest(), roster.digest());
    let documents = rekey(&roster, &identity("Chief"), minutes(60)).unwrap();
    take(&mut roster, &documents, minutes(60));
    assert_eq!(roster.sheet(&group("army")).unwrap().keyring().since(), minutes(60));
}
