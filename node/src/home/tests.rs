#![allow(clippy::unwrap_used)]

use super::*;

const NOON: Timestamp = Timestamp::from_ms(1_800_000_000_000);

/// A home with a new unit and its commander's key in it.
fn founded() -> (tempfile::TempDir, Home, Roster) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path().join("chief"));
    let identity = Identity::from_seed(&[1; 32]);
    let (name, chief) = ("Brigade".parse().unwrap(), "Chief".parse().unwrap());
    let documents = muster_roles::found(&name, &chief, &identity, &["army:r".parse().unwrap()], NOON).unwrap();
    let roster = Roster::from_documents(documents.iter().map(Vec::as_slice), NOON).unwrap();
    home.create().unwrap();
    muster_keys::create(&home.role_key_path(), &identity, "Chief", None).unwrap();
    home.write_roster(&roster).unwrap();
    (folder, home, roster)
}

#[test]
fn an_opened_home_knows_its_member_and_is_locked_if_asked_for() {
    let (_folder, home, roster) = founded();
    let opened = home.open(Locking::Take, &KeyChoice::default(), NOON).unwrap();
    assert_eq!(opened.member.name.as_str(), "Chief");
    assert_eq!(opened.member.key, opened.identity.public());
    assert_eq!(opened.roster.digest(), roster.digest());
    assert!(home.open(Locking::Take, &KeyChoice::default(), NOON).is_err());
    assert!(home.open(Locking::Leave, &KeyChoice::default(), NOON).unwrap().lock.is_none());
    drop(opened);
    assert!(home.open(Locking::Take, &KeyChoice::default(), NOON).unwrap().lock.is_some());
}

#[test]
fn what_an_interrupted_write_left_behind_is_in_nobodys_way() {
    let (_folder, home, roster) = founded();
    let leftover = home.roster_path().with_added_extension("new");
    fs::write(&leftover, vec![0; 100_000]).unwrap();
    assert_eq!(home.read_roster(NOON).unwrap().digest(), roster.digest());
    home.write_roster(&roster).unwrap();
    assert_eq!(fs::read(home.roster_path()).unwrap(), roster.encode());
    assert!(!leftover.exists());
}

#[test]
fn a_clock_set_back_to_1970_does_not_shut_a_member_out() {
    let (_folder, home, _) = founded();
    home.open(Locking::Leave, &KeyChoice::default(), Timestamp::ZERO).unwrap();
}
