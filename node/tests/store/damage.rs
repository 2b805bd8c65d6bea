//! Files that are no store, or not any more.

use std::fs;
use std::path::Path;

use muster::disk::{Disk, DiskError, OpenError};
use muster::engine::store::Store;
use muster_roles::Timestamp;
use redb::{Database, TableDefinition};

use crate::records::{START_MS, Unit, group};
use crate::{END_OF_TIME, Place, at, ids, ids_in, scan};

#[test]
fn a_second_process_is_refused() {
    let place = Place::holding(&[]);
    let _first = place.open();
    let refused = Disk::open(&place.path).unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused:?}");
}

/// Opens what must be refused as damaged, and sees that nothing was done to it.
fn refused_as_damaged(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let error = Disk::open(path).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    let path_text = path.display().to_string();
    assert!(error.to_string().starts_with(&format!("{path_text} is damaged: ")), "{error}");
    let command = format!("`mv {path_text} {path_text}.damaged`");
    assert!(error.hint().contains(&command), "{}", error.hint());
    assert_eq!(fs::read(path).unwrap(), bytes, "the file is left as it was");
    error.to_string()
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let place = Place::new();
    fs::write(&place.path, "a shopping list").unwrap();
    refused_as_damaged(&place.path);
    fs::write(&place.path, vec![0xa5; 1 << 20]).unwrap();
    refused_as_damaged(&place.path);
}

#[test]
fn an_empty_file_is_a_store_that_has_lost_everything() {
    let place = Place::new();
    fs::write(&place.path, "").unwrap();
    refused_as_damaged(&place.path);
}

#[test]
fn a_database_of_somebody_else_is_refused() {
    let place = Place::new();
    let database = Database::create(&place.path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u64, u64>::new("theirs")).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = Disk::open(&place.path).unwrap_err();
    assert!(matches!(&error, OpenError::Damaged { found, .. } if found.contains("no schema version")), "{error:?}");
}

#[test]
fn a_store_of_a_newer_or_an_older_muster_is_refused_and_left_as_it_is() {
    let place = Place::holding(&[]);
    let opened_with = |schema: u64| {
        let database = Database::open(&place.path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(TableDefinition::<&str, u64>::new("meta")).unwrap().insert("schema", schema).unwrap();
        transaction.commit().unwrap();
        drop(database);
        Disk::open(&place.path).unwrap_err()
    };
    let newer = opened_with(5);
    assert!(matches!(newer, OpenError::NewerSchema { found: 5, known: 4, .. }), "{newer:?}");
    assert!(newer.hint().contains("newer muster"), "{}", newer.hint());
    for schema in [1, 2, 3] {
        let older = opened_with(schema);
        assert!(matches!(older, OpenError::OlderSchema { known: 4, .. }), "{older:?}");
        assert!(older.hint().contains("move it aside"), "{}", older.hint());
    }
    assert!(matches!(opened_with(0), OpenError::Damaged { .. }));
}

#[test]
fn no_damage_to_the_file_makes_the_store_panic_or_lie() {
    let talk = Unit::found().army_talk(1500);
    let place = Place::holding(&talk);
    let whole = fs::read(&place.path).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    let mut rng = fastrand::Rng::with_seed(7);
    let mut refused = 0;
    for round in 0..120 {
        let mut bytes = whole.clone();
        match round % 4 {
            // The header and its two commit slots.
            0 => bytes[rng.usize(0..320)] ^= 1 << rng.u8(0..8),
            1 => bytes[rng.usize(0..used)] ^= 1 << rng.u8(0..8),
            2 => bytes.truncate(rng.usize(0..whole.len())),
            _ => {
                let from = rng.usize(0..used);
                bytes[from..(from + 4096).min(used)].fill(0);
            }
        }
        fs::write(&place.path, &bytes).unwrap();
        match Disk::open(&place.path) {
            Ok(disk) => assert_eq!(ids_in(&disk, "army"), ids(&talk), "damage that was not noticed did none"),
            Err(OpenError::Damaged { .. }) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    // The rest hit bytes that hold nothing.
    assert!(refused > 60, "{refused} of 120 were noticed");
}

#[test]
fn a_store_is_marked_as_left_in_good_order_only_while_it_is() {
    let place = Place::holding(&Unit::found().army_talk(3));
    let mark = place.path.with_extension("redb.clean");
    assert!(mark.exists());
    let disk = place.open();
    assert!(!mark.exists(), "an open store may be cut off at any time");
    let handle = disk.clone();
    drop(disk);
    assert!(!mark.exists(), "it is still open");
    drop(handle);
    assert!(mark.exists());
    // Whoever changes the file, its length and its time of writing, or only what is in it: it is checked.
    let mut bytes = fs::read(&place.path).unwrap();
    let (at, _) = bytes.iter().enumerate().rfind(|(_, byte)| **byte != 0).unwrap();
    bytes[at] ^= 1;
    fs::write(&place.path, &bytes).unwrap();
    if let Ok(disk) = Disk::open(&place.path) {
        assert_eq!(ids_in(&disk, "army").len(), 3, "damage that was not noticed did none");
    }
}

/// Puts an entry into the table of records that no muster would.
fn plant(path: &Path, key: (&str, u64, &[u8; 32]), bytes: &[u8]) {
    let table = TableDefinition::<(&str, u64, &[u8; 32]), (u64, &[u8])>::new("records");
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(table).unwrap().insert(key, (0, bytes)).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn an_entry_that_is_no_record_is_reported_as_damage() {
    let place = Place::holding(&Unit::found().army_talk(1));
    plant(&place.path, ("army", at(START_MS + 10).to_u64(), &[1; 32]), b"junk");
    let disk = place.open();
    let error = scan(&disk, &group("army"), Timestamp::ZERO, END_OF_TIME).unwrap_err();
    assert!(matches!(&error, DiskError::Damaged { found } if found.contains("not a record")), "{error:?}");
    assert!(disk.latest(&group("army"), 10).is_err());
}

#[test]
fn a_record_under_another_name_is_reported_as_damage() {
    let talk = Unit::found().army_talk(1);
    let frame = talk[0].frame();
    let place = Place::holding(&[]);
    plant(&place.path, ("army", frame.header().time.to_u64(), &[1; 32]), frame.bytes());
    let error = scan(&place.open(), &group("army"), Timestamp::ZERO, END_OF_TIME).unwrap_err();
    assert!(matches!(error, DiskError::Damaged { .. }), "{error:?}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let error = Disk::open(Path::new("/nowhere/at/all/muster.redb")).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("/nowhere/at/all/muster.redb"), "{error}");
}

#[test]
fn a_store_that_was_being_made_when_the_power_went_is_made_anew() {
    let place = Place::new();
    fs::write(place.path.with_extension("redb.new"), "half").unwrap();
    drop(place.open());
    let left: Vec<_> =
        fs::read_dir(place.path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(
        left.iter().filter(|name| !name.to_str().unwrap().ends_with(".clean")).collect::<Vec<_>>(),
        ["muster.redb"]
    );
}
