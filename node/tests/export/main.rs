//! Exports: what is in them, what is refused, and what the commands say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod command;
mod file;
#[path = "../records/mod.rs"]
mod records;
#[path = "../unit/mod.rs"]
mod unit;

use jiff::tz::{TimeZone, offset};
use muster::disk::Disk;
use muster::engine::policy::Permitted;
use muster::engine::store::Store;
use muster::engine::view::Reader;
use muster::export::{Export, ExportError, Format, GroupError, Tally, readable};
use muster_roles::Timestamp;
use tempfile::TempDir;

use crate::records::{START_MS, Unit, group, identity};

/// A store with these records in a folder of its own.
fn store(records: &[Permitted]) -> (TempDir, Disk) {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = Disk::open(&folder.path().join("muster.redb")).unwrap();
    disk.append(records).unwrap();
    (folder, disk)
}

/// Everything that a member reads of some groups, as text in UTC.
fn export<'a>(disk: &'a Disk, reader: Reader<'a>, groups: &[&str]) -> Export<'a> {
    Export {
        disk,
        reader,
        groups: groups.iter().map(|name| group(name)).collect(),
        since: Timestamp::ZERO,
        format: Format::Text,
        zone: TimeZone::UTC,
    }
}

fn written(export: &Export<'_>) -> (String, Tally) {
    let mut out = Vec::new();
    let tally = export.write_to(&mut out).unwrap();
    (String::from_utf8(out).unwrap(), tally)
}

fn tally(written: u64, unreadable: u64) -> Tally {
    Tally { written, unreadable }
}

#[test]
fn a_text_line_has_local_time_name_and_text() {
    let mut unit = Unit::found();
    let talk = [unit.post("Army1", "army", START_MS, "hello"), unit.post("Army3", "army", START_MS + 1000, "and you")];
    let (_folder, disk) = store(&talk);
    let mut export = export(&disk, unit.reader("Army3"), &["army"]);
    let expected = "2026-11-22 14:03:05  Army1: hello\n2026-11-22 14:03:06  Army3: and you\n";
    assert_eq!(written(&export), (expected.to_owned(), tally(2, 0)));
    export.zone = TimeZone::fixed(offset(2));
    assert!(written(&export).0.starts_with("2026-11-22 16:03:05  Army1: hello\n"));
}

#[test]
fn several_groups_are_in_one_order_of_time_and_say_their_group() {
    let mut unit = Unit::found();
    let talk = [
        unit.post("Army1", "army", START_MS + 3000, "third"),
        unit.post("Chief", "heads", START_MS + 2000, "second"),
        unit.post("Navy1", "navy", START_MS + 1000, "first"),
        unit.post("Navy1", "navy", START_MS + 4000, "fourth"),
    ];
    let (_folder, disk) = store(&talk);
    let expected = "\
        2026-11-22 14:03:06  [navy] Navy1: first\n\
        2026-11-22 14:03:07  [heads] Chief: second\n\
        2026-11-22 14:03:08  [army] Army1: third\n\
        2026-11-22 14:03:09  [navy] Navy1: fourth\n";
    let export = export(&disk, unit.reader("Chief"), &["heads", "navy", "army"]);
    assert_eq!(written(&export), (expected.to_owned(), tally(4, 0)));
}

/// More than are opened at once on any number of cores.
const MANY: u64 = 3000;

/// So many messages of two groups, in turns, and what is printed of them.
fn much_talk(unit: &mut Unit) -> (Vec<Permitted>, String) {
    let mut lines = String::new();
    let talk = (0..MANY).map(|n| {
        let (name, group) = if n % 3 == 0 { ("Navy1", "navy") } else { ("Army1", "army") };
        lines += &format!("2026-11-22 14:03:05  [{group}] {name}: line {n}\n");
        unit.post(name, group, START_MS, &format!("line {n}"))
    });
    let talk = talk.collect();
    (talk, lines)
}

#[test]
fn many_messages_keep_their_order_though_all_cores_open_them() {
    let mut unit = Unit::found();
    // All of one millisecond, so that only their stamps tell their order; one author's are known to follow each other.
    let (talk, lines) = much_talk(&mut unit);
    let (_folder, disk) = store(&talk);
    let (text, counts) = written(&export(&disk, unit.reader("Chief"), &["army", "navy"]));
    assert_eq!(counts, tally(MANY, 0));
    for name in ["Army1", "Navy1"] {
        let of = |text: &str| text.lines().filter(|line| line.contains(name)).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(of(&text), of(&lines));
    }
    let (_, counts) = written(&export(&disk, unit.reader("Army1"), &["army", "navy"]));
    assert_eq!(counts, tally(MANY - MANY / 3, MANY / 3), "what cannot be read is counted in whatever part it stands");
}

#[test]
fn an_output_that_takes_no_more_ends_an_export_of_many() {
    struct Full;

    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut unit = Unit::found();
    let (_folder, disk) = store(&much_talk(&mut unit).0);
    let failed = export(&disk, unit.reader("Chief"), &["army", "navy"]).write_to(&mut Full);
    assert!(matches!(failed, Err(ExportError::Write(_))), "{failed:?}");
}

#[test]
fn jsonl_is_an_object_a_line_with_the_time_in_utc() {
    let mut unit = Unit::found();
    let record = unit.post("Army1", "army", START_MS + 7, "say \"hi\"\tto Ém");
    let (_folder, disk) = store(std::slice::from_ref(&record));
    let export = Export {
        format: Format::Jsonl,
        zone: TimeZone::fixed(offset(2)),
        ..export(&disk, unit.reader("Army1"), &["army"])
    };
    let id = record.frame().id();
    let expected = format!(
        r#"{{"id":"{id}","group":"army","author":"Army1","time":"2026-11-22T14:03:05.007Z","text":"say \"hi\" to Ém"}}"#
    );
    assert_eq!(written(&export).0, expected + "\n");
}

#[test]
fn csv_quotes_as_rfc_4180_does_and_disarms_formulas() {
    const TEXTS: [(&str, &str); 8] = [
        ("plain", "plain"),
        ("a, b", "\"a, b\""),
        ("say \"hi\"", "\"say \"\"hi\"\"\""),
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-5", "'-5"),
        ("@all, hear", "\"'@all, hear\""),
        ("1=1", "1=1"),
    ];
    let mut unit = Unit::found();
    let talk: Vec<Permitted> = TEXTS.iter().map(|(text, _)| unit.post("Army1", "army", START_MS, text)).collect();
    let (_folder, disk) = store(&talk);
    let export = Export { format: Format::Csv, ..export(&disk, unit.reader("Army1"), &["army"]) };
    let lines = talk
        .iter()
        .zip(TEXTS)
        .map(|(record, (_, cell))| format!("{},army,Army1,2026-11-22T14:03:05.000Z,{cell}\r\n", record.frame().id()));
    assert_eq!(written(&export).0, "id,group,author,time,text\r\n".to_owned() + &lines.collect::<String>());
}

#[test]
fn since_leaves_out_what_is_older() {
    let mut unit = Unit::found();
    let (_folder, disk) = store(&unit.army_talk(5));
    let since = Timestamp::from_ms(START_MS + 3);
    let export = Export { since, ..export(&disk, unit.reader("Army1"), &["army"]) };
    assert_eq!(written(&export).1, tally(2, 0));
}

#[test]
fn what_a_member_cannot_read_is_left_out_and_counted() {
    let mut unit = Unit::found();
    let talk = [
        unit.post("Army1", "army", START_MS, "for the army"),
        unit.post("Army3", "army", START_MS + 1, "for the army"),
        unit.post("Navy1", "navy", START_MS + 2, "for the navy"),
    ];
    let (_folder, disk) = store(&talk);
    let (text, counted) = written(&export(&disk, unit.reader("Navy1"), &["army", "navy"]));
    assert_eq!((text.as_str(), counted), ("2026-11-22 14:03:05  [navy] Navy1: for the navy\n", tally(1, 2)));
}

#[test]
fn a_member_gets_the_groups_of_its_role_and_no_other() {
    let unit = Unit::found();
    let groups = |name: &str, wanted| {
        let groups = readable(&unit.roster, &identity(name).public(), wanted)?;
        Ok(groups.iter().map(|group| group.as_str().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(groups("Chief", None).unwrap(), ["heads", "navy", "army"]);
    assert_eq!(groups("Army1", None).unwrap(), ["heads", "army"]);
    assert_eq!(groups("Navy1", None).unwrap(), ["navy"]);
    assert_eq!(groups("Navy1", Some("navy")).unwrap(), ["navy"]);

    let denied: GroupError = groups("Navy1", Some("army")).unwrap_err();
    assert_eq!(denied.to_string(), "Navy1 may not read army");
    assert_eq!(denied.hint().as_deref(), Some("groups to choose from: navy"));
    let unknown = groups("Navy1", Some("marines")).unwrap_err();
    assert_eq!(unknown.to_string(), "the unit has no group `marines`");
    assert_eq!(groups("Truck", None).unwrap_err().to_string(), "Truck is a carrier and reads no group");
    assert_eq!(groups("Stranger", None).unwrap_err(), GroupError::NotAMember);
}

#[test]
fn a_reader_that_has_gone_is_told_from_a_store_that_cannot_be_read() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut unit = Unit::found();
    let (_folder, disk) = store(&unit.army_talk(1));
    let error = export(&disk, unit.reader("Army1"), &["army"]).write_to(&mut Gone).unwrap_err();
    assert!(matches!(error, ExportError::Write(_)), "{error:?}");
}
