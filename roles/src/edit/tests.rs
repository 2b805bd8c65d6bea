#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::*;
use crate::document::SealedKeyring;
use crate::fixture::{self, *};
use crate::signed::Signed;

fn try_add(roster: &Roster, signer: &str, who: &str, role: Role) -> Result<Vec<Vec<u8>>, EditError> {
    add_member(roster, &identity(signer), name(who), role, key(who), minutes(10))
}

fn try_remove(roster: &Roster, signer: &str, who: &str) -> Result<Vec<Vec<u8>>, EditError> {
    remove_member(roster, &identity(signer), who, minutes(10))
}

fn soldier(troop: &str) -> Role {
    Role::Soldier(group(troop))
}

fn leader_of(troop: &str) -> Role {
    Role::Leader(group(troop))
}

/// The groups that documents are about, in their order: `heads` for a charter.
fn groups_of(documents: &[Vec<u8>]) -> Vec<String> {
    let group = |bytes: &Vec<u8>| match Signed::decode(bytes).unwrap() {
        Signed::Charter(_) => "heads".to_owned(),
        Signed::Sheet(sheet) => sheet.body.group().to_string(),
    };
    documents.iter().map(group).collect()
}

fn after(roster: &Roster, documents: &[Vec<u8>]) -> Roster {
    let mut roster = roster.clone();
    take(&mut roster, documents, minutes(10));
    roster
}

/// The epochs of `heads` and the troops.
fn epochs(roster: &Roster) -> Vec<u64> {
    roster.groups().map(|group| roster.versions_for(group).epoch).collect()
}

/// Checks that each group's key is sealed to exactly those who may read it.
fn assert_sealed_to_readers(roster: &Roster) {
    for group in roster.groups() {
        let sealed: BTreeSet<_> = roster.sealed_keyring(group).unwrap().sealed().iter().map(|entry| entry.to).collect();
        let readers = roster.members().into_iter().filter(|member| member.role.may_read(group));
        assert_eq!(sealed, readers.map(|member| *member.key.as_bytes()).collect(), "{group}");
    }
}

#[test]
fn a_new_unit_has_a_commander_and_empty_troops() {
    let roster = founded();
    let members = roster.members();
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].role, Role::Commander);
    assert_eq!(epochs(&roster), [1, 1, 1, 1]);
    assert_sealed_to_readers(&roster);
}

#[test]
fn a_unit_may_have_any_set_of_troops_that_do_not_clash() {
    let make = |troops: &[&str]| {
        let troops: Vec<TroopDef> = troops.iter().map(|troop| troop.parse().unwrap()).collect();
        found(&"U".parse().unwrap(), &name("Chief"), &identity("Chief"), &troops, T0)
    };
    assert_eq!(make(&[]).unwrap().len(), 2);
    assert_eq!(make(&["marines:m", "scouts:s"]).unwrap().len(), 4);
    for bad in [&["a:x", "a:y"][..], &["a:x", "b:x"], &["heads:x"], &["a:h"], &["a:t"], &["a:d"], &["a:X"]] {
        assert!(matches!(make(bad), Err(EditError::Invalid(_))), "{bad:?}");
    }
    for bad in ["navy", "navy:", ":n", "navy:nn", "Navy:n"] {
        assert!(bad.parse::<TroopDef>().is_err(), "{bad:?}");
    }
}

#[test]
fn each_role_is_admitted_by_the_documents_that_give_its_keys() {
    let roster = founded();
    let cases =
        [(leader_of("army"), &["heads", "army"][..]), (soldier("army"), &["army"]), (Role::Carrier, &["heads"])];
    for (role, groups) in cases {
        let documents = try_add(&roster, "Chief", "New", role.clone()).unwrap();
        assert_eq!(groups_of(&documents), groups, "{role}");
        let roster = after(&roster, &documents);
        assert_eq!(roster.find("New").unwrap().role, role);
        assert_eq!(epochs(&roster), [1, 1, 1, 1], "admitting begins no epoch");
        assert_sealed_to_readers(&roster);
    }
}

#[test]
fn each_role_is_removed_and_begins_the_epochs_of_what_it_read() {
    let roster = brigade();
    let cases = [
        ("Army1", &["heads", "army"][..], [2, 1, 1, 2]),
        ("navy2", &["navy"], [1, 2, 1, 1]),
        ("Truck", &["heads"], [2, 1, 1, 1]),
    ];
    for (who, groups, expected) in cases {
        let documents = try_remove(&roster, "Chief", who).unwrap();
        assert_eq!(groups_of(&documents), groups, "{who}");
        let roster = after(&roster, &documents);
        assert!(roster.find(who).is_none());
        assert_eq!(epochs(&roster), expected, "{who}");
        assert_sealed_to_readers(&roster);
    }
}

#[test]
fn the_sheet_of_a_removed_leader_is_signed_by_the_authority() {
    let mut roster = brigade();
    add(&mut roster, "Army1", "Army4", soldier("army"), minutes(1));
    let documents = try_remove(&roster, "Chief", "Army1").unwrap();
    let roster = after(&roster, &documents);
    assert!(roster.find("Army4").is_some(), "whom it admitted stays");
    let documents = try_add(&roster, "Chief", "Army9", leader_of("army")).unwrap();
    let roster = after(&roster, &documents);
    assert_eq!(roster.find("Army9").unwrap().role, leader_of("army"));
    assert_sealed_to_readers(&roster);
}

#[test]
fn a_leader_admits_and_removes_soldiers_of_its_own_troop() {
    let roster = brigade();
    let documents = try_add(&roster, "Army1", "Army4", soldier("army")).unwrap();
    assert_eq!(groups_of(&documents), ["army"]);
    let roster = after(&roster, &documents);
    assert_sealed_to_readers(&roster);
    let documents = try_remove(&roster, "Army1", "Army2").unwrap();
    assert_eq!(groups_of(&documents), ["army"]);
    let roster = after(&roster, &documents);
    assert_eq!(epochs(&roster), [1, 1, 1, 2]);
    assert_sealed_to_readers(&roster);
}

#[test]
fn a_leader_changes_nothing_else() {
    let roster = brigade();
    for role in [soldier("navy"), leader_of("army"), leader_of("navy"), Role::Carrier, Role::Commander] {
        let error = try_add(&roster, "Army1", "New", role.clone()).unwrap_err();
        assert!(matches!(&error, EditError::OwnSoldiersOnly { own } if *own == group("army")), "{role}: {error}");
    }
    for who in ["Navy2", "Navy1", "Army1", "Truck"] {
        let error = try_remove(&roster, "Army1", who).unwrap_err();
        assert!(matches!(error, EditError::OwnSoldiersOnly { .. }), "{who}: {error}");
    }
    assert!(matches!(try_remove(&roster, "Army1", "Chief"), Err(EditError::CommanderStays { .. })));
    assert!(matches!(try_remove(&roster, "Army1", "Nobody"), Err(EditError::UnknownMember { .. })));
}

#[test]
fn nobody_else_changes_anything() {
    let roster = brigade();
    for signer in ["Army2", "Truck", "Stranger"] {
        let add = try_add(&roster, signer, "New", soldier("army"));
        let remove = try_remove(&roster, signer, "Army3");
        let rekey = rekey(&roster, &identity(signer), minutes(10));
        for result in [add, remove, rekey] {
            let error = result.unwrap_err();
            assert!(matches!(error, EditError::NotEntitled), "{signer}: {error}");
            assert!(error.hint().unwrap().contains("--home"));
        }
    }
}

#[test]
fn names_and_keys_are_unique_in_the_whole_unit() {
    let roster = brigade();
    for taken in ["CHIEF", "army1", "nAvY2", "truck", "Army2"] {
        let error = try_add(&roster, "Army1", taken, soldier("army")).unwrap_err();
        assert!(
            matches!(&error, EditError::NameTaken { name } if name.as_str().eq_ignore_ascii_case(taken)),
            "{error}"
        );
        assert!(error.hint().is_some());
    }
    for taken in ["Chief", "Army1", "Navy2", "Truck", "Army2"] {
        let signer = identity("Chief");
        let result = add_member(&roster, &signer, name("New"), soldier("army"), key(taken), minutes(10));
        assert!(matches!(result, Err(EditError::KeyTaken { name }) if name.as_str() == taken));
    }
}

#[test]
fn a_troop_has_one_leader_and_the_unit_one_commander() {
    let roster = brigade();
    let error = try_add(&roster, "Chief", "New", leader_of("army")).unwrap_err();
    assert_eq!(error.to_string(), "troop army has a leader already, Army1");
    assert_eq!(error.hint().unwrap(), "remove the present one first: muster member remove Army1");
    let error = try_add(&roster, "Chief", "New", Role::Commander).unwrap_err();
    assert!(matches!(error, EditError::SecondCommander { .. }));
    let error = try_remove(&roster, "Chief", "chief").unwrap_err();
    assert_eq!(error.to_string(), "Chief is the commander and cannot be removed");
}

#[test]
fn an_unknown_troop_or_member_is_named_with_what_there_is() {
    let roster = brigade();
    for role in [soldier("marines"), leader_of("heads")] {
        let error = try_add(&roster, "Chief", "New", role).unwrap_err();
        assert_eq!(error.hint().unwrap(), "the troops are: navy, airforce, army");
    }
    let error = try_remove(&roster, "Chief", "No\u{1b}body").unwrap_err();
    assert_eq!(error.to_string(), "there is no member \"No\\u{1b}body\" in this unit");
    assert_eq!(error.hint().unwrap(), "see who is in the unit: muster member list");
}

#[test]
fn one_signature_is_not_enough_where_several_must_sign() {
    let mut roster = brigade();
    let council =
        forge_charter(&roster, &["Chief", "Army1"], |text| text.authority = authority(&["Chief", "Army1"], 2));
    take(&mut roster, &[council], minutes(1));
    let error = try_add(&roster, "Chief", "New", Role::Carrier).unwrap_err();
    assert!(matches!(error, EditError::SeveralMustSign { threshold: 2 }), "{error}");
    assert!(try_add(&roster, "Army1", "Army4", soldier("army")).is_ok(), "as a leader it still may");
}

#[test]
fn who_has_no_key_to_pass_on_begins_an_epoch() {
    let mut roster = brigade();
    let unreadable = forge_sheet(&roster, "army", &["Army1"], |text| text.keyring.sealed.clear());
    take(&mut roster, &[unreadable], minutes(1));
    let documents = try_add(&roster, "Chief", "Army4", soldier("army")).unwrap();
    let roster = after(&roster, &documents);
    assert_eq!(epochs(&roster), [1, 1, 1, 2]);
    assert_eq!(roster.find("Army4").unwrap().role, soldier("army"));
    assert_sealed_to_readers(&roster);
}

#[test]
fn rekeying_begins_an_epoch_of_every_group_one_may_sign_for() {
    let roster = brigade();
    let documents = rekey(&roster, &identity("Chief"), minutes(10)).unwrap();
    assert_eq!(groups_of(&documents), ["heads", "navy", "airforce", "army"]);
    let all = after(&roster, &documents);
    assert_eq!(epochs(&all), [2, 2, 2, 2]);
    assert_sealed_to_readers(&all);
    let documents = rekey(&roster, &identity("Army1"), minutes(10)).unwrap();
    assert_eq!(groups_of(&documents), ["army"]);
    let own = after(&roster, &documents);
    assert_eq!(epochs(&own), [1, 1, 1, 2]);
    assert_sealed_to_readers(&own);
}

#[test]
fn documents_are_issued_after_those_they_replace_whatever_the_clock_says() {
    let mut roster = brigade();
    let mut issued = roster.issued();
    for (signer, clock) in [("Chief", minutes(3)), ("Army1", Timestamp::ZERO), ("Chief", T0)] {
        let documents = rekey(&roster, &identity(signer), clock).unwrap();
        take(&mut roster, &documents, minutes(10));
        assert!(roster.issued() > issued);
        let army = roster.sheet(&group("army")).unwrap();
        assert_eq!(army.issued(), roster.issued());
        assert_eq!(army.keyring().since(), roster.issued());
        issued = roster.issued();
    }
}

#[test]
fn a_name_listed_twice_goes_from_every_sheet() {
    let mut roster = brigade();
    for (troop, signer) in [("army", "Army1"), ("navy", "Navy1")] {
        let sheet = forge_sheet(&roster, troop, &[signer], |text| {
            let key = key(&format!("{troop} twin"));
            text.soldiers.push(Person { name: name("Twin"), key });
        });
        take(&mut roster, &[sheet], minutes(1));
    }
    let documents = try_remove(&roster, "Chief", "Twin").unwrap();
    assert_eq!(groups_of(&documents), ["navy", "army"]);
    let roster = after(&roster, &documents);
    assert!(roster.find("Twin").is_none());
    assert_sealed_to_readers(&roster);
}

#[test]
fn an_entry_without_standing_gets_no_key() {
    let mut roster = brigade();
    let sheet = forge_sheet(&roster, "army", &["Army1"], |text| {
        text.soldiers.push(person("Navy1"));
        text.soldiers.push(Person { name: name("truck"), key: key("Impostor") });
    });
    take(&mut roster, &[sheet], minutes(1));
    let documents = rekey(&roster, &identity("Army1"), minutes(10)).unwrap();
    assert_sealed_to_readers(&after(&roster, &documents));
}

#[test]
fn a_troop_without_a_sheet_gets_a_new_one() {
    let mut roster = brigade();
    let charter = forge_charter(&roster, &["Chief"], |text| {
        text.groups.push(TroopDef { id: group("marines"), letter: 'm' });
    });
    take(&mut roster, &[charter], minutes(1));
    assert!(roster.sheet(&group("marines")).is_none());
    let documents = try_add(&roster, "Chief", "Marine1", soldier("marines")).unwrap();
    let roster = after(&roster, &documents);
    assert_eq!(roster.find("Marine1").unwrap().role, soldier("marines"));
    assert_sealed_to_readers(&roster);
}

#[test]
fn a_sheet_that_fell_away_is_followed_by_a_higher_version_and_epoch() {
    let mut roster = fixture::founded();
    add(&mut roster, "Chief", "Army1", leader_of("army"), T0);
    for minute in 1..4 {
        let documents = rekey(&roster, &identity("Army1"), minutes(minute)).unwrap();
        take(&mut roster, &documents, minutes(minute));
    }
    let deposed = forge_charter(&roster, &["Chief"], |text| {
        text.leaders.clear();
        text.issued = minutes(5);
        text.keyring = new_epoch_of(&text.keyring, minutes(5));
    });
    take(&mut roster, &[deposed], minutes(5));
    assert_eq!(roster.versions_for(&group("army")).epoch, 1, "back to the authority's");
    let documents = try_add(&roster, "Chief", "Army2", soldier("army")).unwrap();
    let roster = after(&roster, &documents);
    assert_eq!(roster.versions_for(&group("army")).epoch, 5, "no epoch's number is used twice");
    assert_eq!(roster.versions_for(&group("army")).sheet_version, 6);
    assert_eq!(roster.open_keys(&identity("Chief")).len(), 3 + 5, "nor is one lost");
}

fn new_epoch_of(ring: &SealedKeyring, since: Timestamp) -> SealedKeyring {
    let mut ring = ring.clone();
    fixture::new_epoch(&mut ring, since);
    ring
}

#[test]
fn a_member_of_a_thousand_is_admitted_and_removed_quickly() {
    let mut roster = founded();
    let troops = ["navy", "airforce", "army"];
    let sheets: Vec<_> = troops
        .iter()
        .map(|troop| {
            forge_sheet(&roster, troop, &["Chief"], |text| {
                text.soldiers = (0..333).map(|n| person(&format!("{troop}{n}"))).collect();
            })
        })
        .collect();
    take(&mut roster, &sheets, minutes(1));
    let documents = rekey(&roster, &identity("Chief"), minutes(2)).unwrap();
    take(&mut roster, &documents, minutes(2));
    assert_eq!(roster.members().len(), 1_000);

    let start = Instant::now();
    let documents = try_add(&roster, "Chief", "New", soldier("army")).unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    let roster = after(&roster, &documents);
    assert!(roster.find("New").is_some());
}

/// Everyone of the brigade, and somebody who is not.
const PEOPLE: [&str; 12] = [
    "Chief",
    "Navy1",
    "Airforce1",
    "Army1",
    "Navy2",
    "Navy3",
    "Airforce2",
    "Airforce3",
    "Army2",
    "Army3",
    "Truck",
    "Stranger",
];

/// Whose sheet somebody may sign, by office alone.
fn led_by(who: &str) -> Option<&'static str> {
    TROOPS.map(|(troop, _)| troop).into_iter().find(|troop| format!("{troop}1").eq_ignore_ascii_case(who))
}

#[test]
fn everyone_is_given_exactly_the_changes_of_its_office() {
    let roster = brigade();
    for signer in PEOPLE {
        let may = |troop: Option<&str>| signer == "Chief" || (troop.is_some() && led_by(signer) == troop);
        for (troop, _) in TROOPS {
            assert_eq!(try_add(&roster, signer, "New", soldier(troop)).is_ok(), may(Some(troop)), "{signer} {troop}");
        }
        assert_eq!(try_add(&roster, signer, "New", Role::Carrier).is_ok(), may(None), "{signer}");
        for who in PEOPLE.iter().filter(|who| !["Chief", "Stranger"].contains(who)) {
            let role = roster.find(who).unwrap().role;
            let troop = if let Role::Soldier(troop) = &role { Some(troop.as_str()) } else { None };
            assert_eq!(try_remove(&roster, signer, who).is_ok(), may(troop), "{signer} removes {who}");
        }
        let groups = rekey(&roster, &identity(signer), minutes(10)).map(|documents| groups_of(&documents)).ok();
        let expected = match (signer, led_by(signer)) {
            ("Chief", _) => Some(vec!["heads", "navy", "airforce", "army"]),
            (_, Some(troop)) => Some(vec![troop]),
            _ => None,
        };
        assert_eq!(groups, expected.map(|groups| groups.into_iter().map(str::to_owned).collect()), "{signer}");
    }
}

/// A change to what a document says.
type Forgery<T> = fn(&mut T);

#[test]
fn what_is_forged_without_the_office_is_refused_by_everyone_else() {
    let before = brigade();
    let sheet_changes: [(&str, Forgery<SheetText>); 4] = [
        ("admits", |text| text.soldiers.push(person("Crony"))),
        ("removes", |text| text.soldiers.truncate(1)),
        ("rekeys", |text| {
            text.issued = minutes(9);
            fixture::new_epoch(&mut text.keyring, minutes(9));
        }),
        ("counts ahead", |text| text.version = u64::MAX),
    ];
    let charter_changes: [(&str, Forgery<CharterText>); 5] = [
        ("admits", |text| text.carriers.push(person("Crony"))),
        ("deposes", |text| text.leaders.clear()),
        ("commands", |text| text.commander = person("Crony")),
        ("rekeys", |text| {
            text.issued = minutes(9);
            fixture::new_epoch(&mut text.keyring, minutes(9));
        }),
        ("dates back", |text| text.issued = text.keyring.since),
    ];
    for signer in PEOPLE {
        for (what, change) in sheet_changes {
            for (troop, _) in TROOPS {
                let mut roster = before.clone();
                let taken = roster.accept(&forge_sheet(&before, troop, &[signer], change), minutes(10)).is_ok();
                assert_eq!(taken, signer == "Chief" || led_by(signer) == Some(troop), "{signer} {what} {troop}");
                if !taken {
                    assert_eq!(roster.digest(), before.digest(), "{signer} {what} {troop}");
                    assert_eq!(roster.members(), before.members(), "{signer} {what} {troop}");
                }
            }
        }
        for (what, change) in charter_changes {
            let mut roster = before.clone();
            let taken = roster.accept(&forge_charter(&before, &[signer], change), minutes(10)).is_ok();
            assert_eq!(taken, signer == "Chief", "{signer} {what}");
            assert_eq!(taken, roster.digest() != before.digest(), "{signer} {what}");
        }
    }
}
