//! The file that an export ends in.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use jiff::Zoned;
use muster::export::{ExportError, Format};
use muster::new_file::FileError;

use crate::records::Unit;
use crate::{export, store, tally};

fn today() -> Zoned {
    "2026-11-22T23:30:00+02:00[+02:00]".parse().unwrap()
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_its_owners_alone_and_nothing_lies_beside_it() {
    let mut unit = Unit::found();
    let (_folder, disk) = store(&unit.army_talk(2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.txt");
    assert_eq!(export(&disk, unit.reader("Army1"), &["army"]).save(&path, false).unwrap(), tally(2, 0));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    assert_eq!(names_in(folder.path()), ["talk.txt"]);
}

#[test]
fn a_file_that_exists_is_replaced_only_when_asked_for() {
    let mut unit = Unit::found();
    let (_folder, disk) = store(&unit.army_talk(1));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.txt");
    fs::write(&path, "precious").unwrap();
    let export = export(&disk, unit.reader("Army1"), &["army"]);
    let refused = export.save(&path, false).unwrap_err();
    assert!(matches!(refused, ExportError::File(FileError::Exists { .. })), "{refused:?}");
    assert!(refused.hint().unwrap().contains("--force"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    export.save(&path, true).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "2026-11-22 14:03:05  Army1: line 0\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names_in(folder.path()), ["talk.txt"]);
}

#[test]
fn what_is_no_file_is_never_replaced() {
    let mut unit = Unit::found();
    let (_folder, disk) = store(&unit.army_talk(1));
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real.txt"), folder.path().join("link.txt"));
    fs::write(&real, "precious").unwrap();
    symlink(&real, &link).unwrap();
    let export = export(&disk, unit.reader("Army1"), &["army"]);
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    for path in [link.as_path(), folder.path(), &socket] {
        let refused = export.save(path, true).unwrap_err();
        assert!(matches!(refused, ExportError::File(FileError::NotAFile { .. })), "{refused:?}");
    }
    assert_eq!(fs::read_to_string(&real).unwrap(), "precious");
}

#[test]
fn a_failed_export_leaves_nothing_behind() {
    let mut unit = Unit::found();
    let talk = unit.army_talk(2);
    let (place, disk) = store(&talk);
    drop(disk);
    let path = place.path().join("muster.redb");
    let table = redb::TableDefinition::<(&str, u64, &[u8; 32]), (u64, &[u8])>::new("records");
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(table).unwrap().insert(("army", u64::MAX - 1, &[1; 32]), (0, &b"junk"[..])).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let disk = muster::disk::Disk::open(&path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let failed = export(&disk, unit.reader("Army1"), &["army"]).save(&folder.path().join("talk.txt"), false);
    assert!(matches!(failed, Err(ExportError::Read(_))), "{failed:?}");
    assert_eq!(names_in(folder.path()), [""; 0]);
}

#[test]
fn default_names_tell_group_and_local_day_and_never_collide() {
    let mut unit = Unit::found();
    let (_folder, disk) = store(&unit.army_talk(1));
    let folder = tempfile::tempdir().unwrap();
    let mut export = export(&disk, unit.reader("Chief"), &["army"]);
    let folders = [Path::new("/nowhere/at/all").to_owned(), folder.path().to_owned()];
    for _ in 0..3 {
        export.save_in(&folders, &today()).unwrap();
    }
    export.groups.push("heads".parse().unwrap());
    export.format = Format::Csv;
    export.save_in(&folders, &today()).unwrap();
    let expected = [
        "muster-all-2026-11-22.csv",
        "muster-army-2026-11-22-2.txt",
        "muster-army-2026-11-22-3.txt",
        "muster-army-2026-11-22.txt",
    ];
    assert_eq!(names_in(folder.path()), expected);
}
