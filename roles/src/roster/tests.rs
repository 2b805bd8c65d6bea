#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::document::Person;
use crate::fixture::*;
use crate::role::{Denial, Role, permit};
use crate::signed::Payload;
use crate::{rekey, remove_member};

pub(super) fn names(roster: &Roster) -> Vec<String> {
    roster.members().into_iter().map(|member| member.name.to_string()).collect()
}

pub(super) fn accept(roster: &mut Roster, document: &[u8]) -> Result<Accepted, Refusal> {
    roster.accept(document, minutes(60))
}

/// The documents in force, to start another node from.
pub(super) fn copy(roster: &Roster) -> Roster {
    Roster::decode(&roster.encode(), T0).unwrap()
}

#[test]
fn members_are_listed_by_rank_and_troop() {
    let expected =
        ["Chief", "Navy1", "Airforce1", "Army1", "Navy2", "Navy3", "Airforce2", "Airforce3", "Army2", "Army3", "Truck"];
    assert_eq!(names(&brigade()), expected);
}

#[test]
fn entries_are_counted_by_role_as_they_are_listed() {
    let (roster, navy) = (brigade(), group("navy"));
    let counted = |is_meant: fn(&Role, &GroupId) -> bool| roster.current().count(|role| is_meant(role, &navy));
    let listed = |is_meant: fn(&Role, &GroupId) -> bool| {
        roster.members().iter().filter(|member| is_meant(&member.role, &navy)).count()
    };
    let kinds: [fn(&Role, &GroupId) -> bool; 4] = [
        |_, _| true,
        |role, navy| role.may_read(navy),
        |role, _| role.is_in_command(),
        |role, _| *role == Role::Carrier,
    ];
    for is_meant in kinds {
        assert_eq!(counted(is_meant), listed(is_meant));
    }
}

#[test]
fn whoever_s_key_begins_alike_is_beside_it() {
    let roster = brigade();
    let keys: Vec<_> = roster.members().into_iter().map(|member| member.key).collect();
    let alike = |one: &PublicKey, other: &PublicKey| {
        one.as_bytes().iter().zip(other.as_bytes()).take_while(|(one, other)| one == other).count()
    };
    for key in &keys {
        let most = keys.iter().filter(|other| *other != key).map(|other| alike(key, other)).max();
        assert_eq!(roster.current().keys_beside(key).map(|other| alike(key, other)).max(), most);
        assert!(roster.current().keys_beside(key).all(|other| other != key));
    }
}

#[test]
fn a_unit_is_named_by_its_first_authority() {
    let roster = founded();
    assert_eq!(roster.unit(), authority(&["Chief"], 1).unit());
    assert_ne!(roster.unit(), authority(&["Other"], 1).unit());
    assert_eq!(roster.unit().words().split_whitespace().count(), 6);
    assert_eq!(roster.unit_name(), "1st Brigade");
    assert_eq!(roster.version(), 5);
    let groups: Vec<_> = roster.groups().map(GroupId::as_str).collect();
    assert_eq!(groups, ["heads", "navy", "airforce", "army"]);
}

#[test]
fn a_charter_that_claims_a_unit_it_has_not_founded_makes_no_roster() {
    let stranger = forge_charter(&founded(), &["Stranger"], |text| text.authority = authority(&["Stranger"], 1));
    let made = Roster::from_documents([stranger.as_slice()], T0);
    assert!(matches!(made, Err(RosterError::NoCharter)), "{made:?}");
    let made = Roster::from_documents([], T0);
    assert!(matches!(made, Err(RosterError::NoCharter)), "{made:?}");
}

#[test]
fn a_document_of_another_unit_is_refused() {
    let mut roster = founded();
    let other = forge_charter(&roster, &["Other"], |text| {
        text.authority = authority(&["Other"], 1);
        text.unit = text.authority.unit();
    });
    let found = authority(&["Other"], 1).unit();
    let refusal = accept(&mut roster, &other).unwrap_err();
    assert!(matches!(refusal, Refusal::OtherUnit { found: f } if f == found), "{refusal:?}");

    let both = [founding()[0].clone(), other];
    let made = Roster::from_documents(both.iter().map(Vec::as_slice), T0);
    assert!(matches!(made, Err(RosterError::Refused { position: 2, .. })), "{made:?}");
}

#[test]
fn a_newer_document_comes_into_force_and_an_older_one_never_returns() {
    let mut roster = founded();
    let older = forge_charter(&roster, &["Chief"], |text| {
        text.issued = minutes(1);
        new_epoch(&mut text.keyring, minutes(1));
    });
    let newer = forge_charter(&roster, &["Chief"], |text| {
        text.version = 7;
        text.issued = minutes(2);
        new_epoch(&mut text.keyring, minutes(2));
    });
    assert_eq!(accept(&mut roster, &newer).unwrap(), Accepted::New);
    assert_eq!(accept(&mut roster, &older).unwrap(), Accepted::History);
    assert_eq!(accept(&mut roster, &newer).unwrap(), Accepted::Known);
    assert_eq!(accept(&mut roster, &older).unwrap(), Accepted::Known);
    assert_eq!(roster.charter().version(), 7);
    assert_eq!(copy(&roster).charter().version(), 7);
}

#[test]
fn a_document_outdone_within_its_epoch_is_superseded() {
    let before = founded();
    let mut roster = before.clone();
    let stale = forge_charter(&before, &["Chief"], |text| text.name = "Stale".parse().unwrap());
    let fresh = forge_charter(&before, &["Chief"], |text| text.version = 9);
    accept(&mut roster, &fresh).unwrap();
    let digest = roster.digest();
    for _ in 0..2 {
        assert!(matches!(accept(&mut roster, &stale), Err(Refusal::Superseded)));
    }
    assert_eq!(roster.digest(), digest);
    assert_eq!(roster.unit_name(), "1st Brigade");
}

#[test]
fn a_document_from_the_future_waits() {
    let mut roster = founded();
    let ahead = forge_charter(&roster, &["Chief"], |text| text.issued = minutes(66));
    let refusal = roster.accept(&ahead, minutes(60)).unwrap_err();
    assert!(matches!(refusal, Refusal::FromTheFuture { ahead_ms: 360_000 }), "{refusal:?}");
    assert_eq!(refusal.to_string(), "issued 360 s in the future");
    assert_eq!(roster.accept(&ahead, minutes(61)).unwrap(), Accepted::New);
    let documents = [founding()[0].clone(), ahead];
    let made = Roster::from_documents(documents.iter().map(Vec::as_slice), minutes(60));
    assert!(matches!(made, Err(RosterError::Refused { position: 2, reason: Refusal::FromTheFuture { .. } })));
}

#[test]
fn a_clock_set_back_does_not_lose_a_stored_roster() {
    let mut roster = brigade();
    let documents = rekey(&roster, &identity("Chief"), minutes(60)).unwrap();
    take(&mut roster, &documents, minutes(60));
    let restored = Roster::decode(&roster.encode(), Timestamp::ZERO).unwrap();
    assert_eq!(restored.digest(), roster.digest());
    assert_eq!(restored.issued(), minutes(60));
}

#[test]
fn a_leader_signs_its_own_troop_s_sheet_and_no_other() {
    let mut roster = brigade();
    let own = forge_sheet(&roster, "army", &["Army1"], |text| text.soldiers.push(person("Army4")));
    assert_eq!(accept(&mut roster, &own).unwrap(), Accepted::New);
    assert_eq!(roster.find("Army4").unwrap().role, Role::Soldier(group("army")));
    for signer in ["Army1", "Navy2", "Truck", "Stranger"] {
        let other = forge_sheet(&roster, "navy", &[signer], |text| text.soldiers.clear());
        assert!(matches!(accept(&mut roster, &other), Err(Refusal::NotYetJudgeable)), "{signer}");
    }
    assert!(roster.find("Navy2").is_some());
}

#[test]
fn of_two_sheets_with_one_version_the_authority_s_goes_first() {
    let roster = brigade();
    let chiefs = forge_sheet(&roster, "army", &["Chief"], |text| text.soldiers.push(person("ByChief")));
    for n in 0..8 {
        let leaders = forge_sheet(&roster, "army", &["Army1"], |text| text.soldiers.push(person(&format!("L{n}"))));
        for pair in [[&chiefs, &leaders], [&leaders, &chiefs]] {
            let mut node = roster.clone();
            for document in pair {
                drop(accept(&mut node, document));
            }
            assert!(node.find("ByChief").is_some());
        }
    }
}

#[test]
fn the_authority_outdoes_a_leader_that_used_up_the_versions() {
    let mut roster = brigade();
    let last = forge_sheet(&roster, "army", &["Army1"], |text| text.version = u64::MAX);
    accept(&mut roster, &last).unwrap();
    let documents = remove_member(&roster, &identity("Chief"), "Army2", minutes(1)).unwrap();
    take(&mut roster, &documents, minutes(1));
    assert!(roster.find("Army2").is_none());
    assert_eq!(roster.version(), u64::MAX);
}

#[test]
fn the_sheet_of_a_leader_that_lost_its_office_falls_away() {
    let before = brigade();
    let forged = forge_sheet(&before, "army", &["Army1"], |text| {
        text.version = 1_000;
        text.soldiers = vec![person("Crony")];
        new_epoch(&mut text.keyring, minutes(1));
        text.issued = minutes(1);
    });
    let deposed = forge_charter(&before, &["Chief"], |text| {
        text.leaders.retain(|leader| leader.person.name.as_str() != "Army1");
        text.issued = minutes(2);
        new_epoch(&mut text.keyring, minutes(2));
    });
    let mut digests = BTreeSet::new();
    for order in [[&forged, &deposed], [&deposed, &forged]] {
        let mut roster = before.clone();
        for document in order {
            accept(&mut roster, document).unwrap();
        }
        assert!(roster.find("Crony").is_none(), "the forged sheet is gone");
        assert!(roster.find("Army2").is_some(), "the authority's is back");
        assert!(roster.at(minutes(1)).find("Crony").is_some(), "but it was in force then");
        digests.insert(roster.digest());
    }
    assert_eq!(digests.len(), 1);
}

#[test]
fn a_sheet_that_comes_before_its_leader_s_charter_waits_in_reserve() {
    let ahead = {
        let mut roster = founded();
        add(&mut roster, "Chief", "Army1", Role::Leader(group("army")), minutes(1));
        add(&mut roster, "Army1", "Army2", Role::Soldier(group("army")), minutes(2));
        roster
    };
    let mut node = founded();
    let documents: Vec<_> = ahead.documents().map(|(_, bytes)| bytes).collect();
    let sheet = documents.last().unwrap();
    assert!(matches!(node.accept(sheet, minutes(5)), Err(Refusal::NotYetJudgeable)));
    assert!(matches!(node.accept(sheet, minutes(5)), Err(Refusal::NotYetJudgeable)));
    for document in documents {
        drop(node.accept(document, minutes(5)));
    }
    assert!(node.find("Army2").is_some());
    assert_eq!(node.digest(), ahead.digest());
}

#[test]
fn a_sheet_of_a_troop_yet_unheard_of_waits_in_reserve() {
    let mut roster = founded();
    let charter = forge_charter(&roster, &["Chief"], |text| {
        text.groups.push(TroopDef { id: group("marines"), letter: 'm' });
    });
    let sheet = forge_sheet(&roster, "army", &["Chief"], |text| {
        text.group = group("marines");
        text.soldiers = vec![person("Marine1")];
    });
    assert!(matches!(accept(&mut roster, &sheet), Err(Refusal::NotYetJudgeable)));
    assert!(roster.find("Marine1").is_none());
    assert_eq!(accept(&mut roster, &charter).unwrap(), Accepted::New);
    assert_eq!(roster.find("Marine1").unwrap().role, Role::Soldier(group("marines")));
    assert_eq!(accept(&mut roster, &sheet).unwrap(), Accepted::Known);
}

#[test]
fn the_reserve_is_bounded_in_number_and_bytes() {
    let mut roster = brigade();
    for n in 0..200 {
        let junk = forge_sheet(&roster, "army", &["Stranger"], |text| text.version = 10 + n);
        assert!(matches!(accept(&mut roster, &junk), Err(Refusal::NotYetJudgeable)));
    }
    assert_eq!(roster.reserve.len(), MAX_RESERVE);
    let sealed = roster.sheet(&group("army")).unwrap().keyring().sealed()[0].clone();
    for n in 0..30 {
        let junk = forge_sheet(&roster, "army", &["Stranger"], |text| {
            text.version = 1_000 + n;
            text.keyring.sealed = (0..2_000_u32).map(|i| sealed_to(i, &sealed.sealed)).collect();
        });
        drop(accept(&mut roster, &junk));
        let len: usize = roster.reserve.iter().map(|document| document.bytes().len()).sum();
        assert!(len <= MAX_RESERVE_LEN);
    }
    assert!(roster.reserve.len() < 30);
}

pub(super) fn sealed_to(i: u32, sealed: &[u8; muster_keys::SEALED_LEN]) -> crate::SealedKey {
    let mut to = [0; 32];
    to[..4].copy_from_slice(&i.to_be_bytes());
    crate::SealedKey { to, sealed: *sealed }
}

/// A soldier of one name with the key of another.
fn disguised(name_as: &str, key_of: &str) -> Person {
    Person { name: name(name_as), key: key(key_of) }
}

/// Lets each troop's leader list somebody, the troops' sheets being issued in the order given.
fn listed(troops: &[(&str, &str, Person)]) -> Roster {
    let mut roster = brigade();
    for (minute, (troop, signer, person)) in (1..).zip(troops) {
        let sheet = forge_sheet(&roster, troop, &[signer], |text| {
            text.soldiers.push(person.clone());
            text.issued = minutes(minute);
        });
        accept(&mut roster, &sheet).unwrap();
    }
    roster
}

#[test]
fn a_sheet_cannot_list_anybody_of_the_charter() {
    let roster = listed(&[("army", "Army1", disguised("Chief2", "Chief"))]);
    assert_eq!(roster.member(&key("Chief")).unwrap().role, Role::Commander);
    assert!(roster.find("Chief2").is_none());

    let roster = listed(&[("army", "Army1", disguised("tRUCK", "Impostor"))]);
    assert!(roster.member(&key("Impostor")).is_none());
    assert_eq!(roster.find("truck").unwrap().role, Role::Carrier);
    let in_twice = listed(&[("army", "Army1", person("Army1"))]);
    assert_eq!(in_twice.member(&key("Army1")).unwrap().role, Role::Leader(group("army")));
    assert_eq!(in_twice.members(), brigade().members());
    let denial = permit(&roster.at(minutes(5)), &key("Impostor"), &group("army"));
    assert_eq!(denial, Err(Denial::NotAMember));
}

#[test]
fn of_two_sheets_that_list_one_name_the_earlier_has_it() {
    let (army, navy) = (disguised("Twin", "A"), disguised("TWIN", "N"));
    let roster = listed(&[("army", "Army1", army.clone()), ("navy", "Navy1", navy.clone())]);
    assert_eq!(roster.find("twin").unwrap().key, key("A"));
    assert!(roster.member(&key("N")).is_none());
    let roster = listed(&[("navy", "Navy1", navy), ("army", "Army1", army)]);
    assert_eq!(roster.find("twin").unwrap().key, key("N"));
    assert!(roster.member(&key("A")).is_none());
    assert_eq!(names(&roster).len(), 12);
}

#[test]
fn of_two_sheets_that_list_one_key_the_earlier_has_it() {
    let roster =
        listed(&[("army", "Army1", disguised("InArmy", "Twin")), ("navy", "Navy1", disguised("InNavy", "Twin"))]);
    assert_eq!(roster.member(&key("Twin")).unwrap().role, Role::Soldier(group("army")));
    assert!(roster.find("InNavy").is_none());
}

#[test]
fn of_two_sheets_issued_at_once_the_order_of_the_troops_decides() {
    let mut roster = brigade();
    for (troop, signer, person) in [("army", "Army1", disguised("T", "A")), ("navy", "Navy1", disguised("T", "N"))] {
        let sheet = forge_sheet(&roster, troop, &[signer], |text| {
            text.soldiers.push(person);
            text.issued = minutes(1);
        });
        accept(&mut roster, &sheet).unwrap();
    }
    assert_eq!(roster.find("T").unwrap().role, Role::Soldier(group("navy")));
}

#[test]
fn a_record_waits_for_the_documents_it_cites() {
    let mut roster = brigade();
    let (heads, army) = (GroupId::heads(), group("army"));
    let before = roster.clone();
    let cited = |roster: &Roster, group| {
        let Cited { charter_version, sheet_version, epoch } = roster.versions_for(group);
        (charter_version, sheet_version, epoch)
    };
    assert_eq!(cited(&roster, &heads), (6, 0, 1));
    assert_eq!(cited(&roster, &army), (6, 4, 1));
    let documents = rekey(&roster, &identity("Army1"), minutes(1)).unwrap();
    take(&mut roster, &documents, minutes(1));
    assert_eq!(cited(&roster, &army), (6, 5, 2));
    assert!(roster.holds(&army, 6, 5) && roster.holds(&army, 5, 2) && roster.holds(&heads, 6, 0));
    assert!(!before.holds(&army, 6, 5) && !roster.holds(&heads, 7, 0) && !roster.holds(&heads, 6, 1));
    assert_eq!(cited(&roster, &group("marines")), (6, 0, 0));
}

#[test]
fn an_unsigned_or_damaged_document_changes_nothing() {
    let mut roster = brigade();
    let digest = roster.digest();
    let good = forge_sheet(&roster, "army", &["Army1"], |text| text.soldiers.clear());
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        assert!(matches!(accept(&mut roster, &bad), Err(Refusal::Decode(_))), "byte {at}");
        assert!(accept(&mut roster, &good[..at]).is_err());
    }
    let unsigned = sign(Payload::Sheet(roster.sheet(&group("army")).unwrap().text().clone()), &[]);
    assert!(matches!(accept(&mut roster, &unsigned), Err(Refusal::Decode(DecodeError::UnderSigned { found: 0 }))));
    assert_eq!(roster.digest(), digest);
}

#[test]
fn a_stored_roster_with_a_foreign_or_unentitled_document_is_refused_with_its_place() {
    let roster = brigade();
    let mut documents: Vec<_> = roster.documents().map(|(_, bytes)| bytes.to_vec()).collect();
    documents.push(forge_sheet(&roster, "army", &["Stranger"], |_| {}));
    let made = Roster::from_documents(documents.iter().map(Vec::as_slice), minutes(1));
    let place = documents.len();
    let error = made.unwrap_err();
    assert!(
        matches!(&error, RosterError::Refused { position, reason: Refusal::NotYetJudgeable } if *position == place),
        "{error:?}"
    );
    assert_eq!(error.to_string(), format!("document {place} of the roster is refused"));
}

#[test]
fn a_damaged_file_is_refused() {
    let good = brigade().encode();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x01;
        assert!(Roster::decode(&bad, T0).is_err(), "byte {at}");
        assert!(Roster::decode(&good[..at], T0).is_err(), "length {at}");
    }
    let longer = [good.as_slice(), &[0]].concat();
    assert!(matches!(Roster::decode(&longer, T0), Err(RosterError::Damaged(_))));
    let newer = [&[0x82, 0x02], &good[2..]].concat();
    assert!(matches!(Roster::decode(&newer, T0), Err(RosterError::Damaged(DecodeError::Format { found: 2 }))));
}

#[test]
fn debug_shows_people_by_fingerprint() {
    let shown = format!("{:?}", brigade());
    assert!(shown.contains("SHA256:") && shown.contains("Army2"), "{shown}");
}
