//! Records on a stick: `muster bundle` as a person calls it, from home to home.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[allow(dead_code, unreachable_pub, reason = "the simulator uses all of it")]
mod forge;
mod records;
mod unit;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use muster::disk::Disk;
use muster::engine::bundle::{BundleReader, BundleWriter, Found};
use muster::engine::store::Store;
use muster::home::Home;
use muster_keys::{Identity, KeyFile};
use muster_roles::{GroupId, Roster, Timestamp, UnitId};

use crate::forge::Forged;
use crate::unit::{CHIEF, Rank, Unit};

const MINUTE_MS: u64 = 60 * 1000;

fn now_ms() -> u64 {
    jiff::Timestamp::now().as_millisecond() as u64
}

fn identity(unit: &Unit, name: &str) -> Identity {
    match muster_keys::load(&Home::new(unit.home(name)).role_key_path()).unwrap() {
        KeyFile::Open { identity, .. } => identity,
        KeyFile::Locked(_) => panic!("{name}'s key has a passphrase"),
    }
}

fn roster(unit: &Unit, name: &str) -> Roster {
    let bytes = fs::read(Home::new(unit.home(name)).roster_path()).unwrap();
    Roster::decode(&bytes, Timestamp::from_ms(now_ms())).unwrap()
}

fn disk(unit: &Unit, name: &str) -> Disk {
    Disk::open(&Home::new(unit.home(name)).database_path()).unwrap()
}

/// A unit whose Army1 has said so many things, kept in its own home alone.
fn unit_with_talk(lines: u64) -> Unit {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    unit.admit("Truck", Rank::Carrier);
    unit.admit("Navy1", Rank::Soldier("navy"));
    unit.admit("Army2", Rank::Soldier("army"));
    talk(&unit, lines);
    unit
}

/// Army1 says so many things, which stay in its own home.
fn talk(unit: &Unit, lines: u64) {
    let roster = roster(unit, "Army1");
    let mut engines = records::Unit::of(roster.into(), [("Army1", identity(unit, "Army1"))]);
    let begin_ms = now_ms();
    let talk: Vec<_> = (0..lines).map(|n| engines.post("Army1", "army", begin_ms + n, &format!("line {n}"))).collect();
    disk(unit, "Army1").append(&talk).unwrap();
}

/// Has a member write a bundle, and returns where it is.
fn export(unit: &Unit, name: &str, file: &str) -> PathBuf {
    unit.run_ok(name, ["bundle", "export", "-o", file, "--force"]);
    unit.folder().join(file)
}

/// What a member reads of the army: texts alone.
fn log(unit: &Unit, name: &str) -> Vec<String> {
    let log = unit.run_ok(name, ["log", "army"]);
    log.lines().map(|line| line.rsplit_once(": ").unwrap().1.to_owned()).collect()
}

fn lines(numbers: impl Iterator<Item = u64>) -> Vec<String> {
    numbers.map(|n| format!("line {n}")).collect()
}

/// An import that must not succeed: what it prints, and what it says of the failure.
fn import_in_part(unit: &Unit, name: &str, file: &Path) -> (String, String) {
    let output = unit.run(name, ["bundle", "import", file.to_str().unwrap()]);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (said, report) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}{report}");
    (said, report)
}

#[test]
fn a_bundle_brings_a_home_what_it_never_heard_and_then_nothing_new() {
    let unit = unit_with_talk(50);
    let documents = roster(&unit, "Army1").documents().count();
    let said = unit.run_ok("Army1", ["bundle", "export", "-o", "week.bundle"]);
    let path = fs::canonicalize(unit.folder()).unwrap().join("week.bundle");
    assert_eq!(said, format!("50 records and {documents} roster documents in {}\n", path.display()));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // Army1's home is older than the admission of Army2, whose home has all of its documents.
    let said = unit.run_ok("Army2", ["bundle", "import", "week.bundle"]);
    assert_eq!(said, format!("documents: 0 new, {documents} known, 0 refused\nrecords: 50 new, 0 known, 0 refused\n"));
    assert_eq!(log(&unit, "Army2"), lines(0..50));
    let said = unit.run_ok("Army2", ["bundle", "import", "week.bundle"]);
    assert!(said.ends_with("records: 0 new, 50 known, 0 refused\n"), "{said}");

    let mut army2 = unit.start("Army2", &[]);
    army2.expect("[army] Army1: line 49");
    let mut chief = unit.start(CHIEF, &[&army2.address()]);
    chief.say(":r");
    chief.expect("[army] Army1: line 0");
    chief.expect("[army] Army1: line 49");
}

#[test]
fn a_carrier_is_a_mule_that_brings_newer_rosters_too() {
    let unit = unit_with_talk(5);
    export(&unit, "Army1", "army1.bundle");
    unit.run_ok("Truck", ["bundle", "import", "army1.bundle"]);
    // The chief's home has heard of everyone, the truck's of those before it.
    export(&unit, CHIEF, "chief.bundle");
    let said = unit.run_ok("Truck", ["bundle", "import", "chief.bundle"]);
    assert!(said.starts_with("documents: ") && !said.starts_with("documents: 0 new"), "{said}");
    export(&unit, "Truck", "truck.bundle");
    for name in ["Army2", CHIEF, "Navy1"] {
        let said = unit.run_ok(name, ["bundle", "import", "truck.bundle"]);
        assert!(said.ends_with("records: 5 new, 0 known, 0 refused\n"), "{name}: {said}");
    }
    assert_eq!(log(&unit, "Army2"), lines(0..5));
    assert_eq!(log(&unit, CHIEF), lines(0..5));
    assert_eq!(unit.run_ok("Navy1", ["log"]), "", "what is carried is not read");
    let digest = |name: &str| roster(&unit, name).digest();
    assert!(["Truck", "Army2", "Navy1"].iter().all(|name| digest(name) == digest(CHIEF)));
}

#[test]
fn since_leaves_out_what_is_older() {
    let unit = unit_with_talk(3);
    let said = unit.run_ok("Army1", ["bundle", "export", "--since", "0m", "-o", "none.bundle"]);
    assert!(said.starts_with("0 records and "), "{said}");
}

#[test]
fn a_flipped_byte_costs_one_record_and_is_told() {
    let unit = unit_with_talk(20);
    let path = export(&unit, "Army1", "week.bundle");
    let whole = fs::read(&path).unwrap();
    // In the last third of the file there is nothing but records; the very end is the end's own.
    for (n, at) in [whole.len() * 2 / 3, whole.len() * 2 / 3 + 150, whole.len() - 700].into_iter().enumerate() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        fs::remove_file(Home::new(unit.home("Army2")).database_path()).unwrap_or_default();
        let (said, report) = import_in_part(&unit, "Army2", &path);
        assert!(said.contains("records: 19 new, 0 known, 1 refused\n  1 damaged on the way\n"), "{n}: {said}");
        assert!(report.starts_with("error: not all of ") && report.contains("\nhint: "), "{report}");
        assert_eq!(log(&unit, "Army2").len(), 19);
    }
}

#[test]
fn a_file_that_was_cut_off_gives_what_is_whole_and_says_so() {
    let unit = unit_with_talk(20);
    let path = export(&unit, "Army1", "week.bundle");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() * 2 / 3]).unwrap();
    let (said, _) = import_in_part(&unit, "Army2", &path);
    assert!(said.ends_with("  its end is missing: the file was cut off, and may have held more\n"), "{said}");
    let there = log(&unit, "Army2");
    assert!(!there.is_empty() && there.len() < 20);
    assert_eq!(there, lines(0..there.len() as u64));
}

#[test]
fn what_is_no_bundle_of_this_unit_is_refused_as_a_whole() {
    let (unit, other) = (unit_with_talk(3), unit_with_talk(3));
    let theirs = export(&other, "Army1", "theirs.bundle");
    let (said, report) = import_in_part(&unit, "Army2", &theirs);
    assert_eq!(said, "");
    assert!(report.starts_with("error: the bundle is of another unit: "), "{report}");

    let mut bytes = fs::read(&theirs).unwrap();
    for (at, why) in
        [(0, "not a bundle of muster"), (14, "in a form that this muster does not know"), (20, "head is damaged")]
    {
        bytes[at] ^= 1;
        fs::write(&theirs, &bytes).unwrap();
        let (_, report) = import_in_part(&unit, "Army2", &theirs);
        assert!(report.contains(why) && report.contains("\nhint: "), "{report}");
        bytes[at] ^= 1;
    }
    let (_, report) = import_in_part(&unit, "Army2", Path::new("/nowhere.bundle"));
    assert!(report.starts_with("error: cannot open /nowhere.bundle\n"), "{report}");
}

/// Writes a bundle by hand, as a patched client would.
fn write_bundle(path: &Path, of: UnitId, documents: &[Vec<u8>], records: &[Vec<u8>]) {
    let mut bytes = Vec::new();
    let mut writer = BundleWriter::new(&mut bytes, of).unwrap();
    records.iter().take(1).for_each(|record| writer.record(record).unwrap());
    documents.iter().for_each(|document| writer.document(document).unwrap());
    records.iter().skip(1).for_each(|record| writer.record(record).unwrap());
    writer.finish().unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_was_never_right_is_refused_for_its_reason_and_the_rest_is_taken() {
    let unit = unit_with_talk(1);
    let whole = fs::read(export(&unit, "Army1", "week.bundle")).unwrap();
    let genuine = BundleReader::new(&whole[..]).unwrap().find_map(|found| match found.unwrap() {
        Found::Record(bytes) => Some(bytes),
        _ => None,
    });
    let roster = roster(&unit, "Army2");
    let (army1, navy1) = (identity(&unit, "Army1"), identity(&unit, "Navy1"));
    let forged = |signer, author, group: &str, ms| {
        let (group, time) = (group.parse::<GroupId>().unwrap(), Timestamp::from_ms(ms));
        Forged { roster: &roster, signer, author, group, time, seq: 9, kind: 0, precedence: 0 }.record()
    };
    let now = now_ms();
    let records = [
        genuine.unwrap(),
        forged(&navy1, &army1, "army", now),
        forged(&navy1, &navy1, "army", now),
        forged(&army1, &army1, "army", now - 8 * 24 * 60 * MINUTE_MS),
        forged(&army1, &army1, "army", now + 60 * MINUTE_MS),
        vec![0; 300],
    ];
    let path = unit.folder().join("forged.bundle");
    let document = roster.documents().next().unwrap().1.to_vec();
    write_bundle(&path, roster.unit(), &[document], &records);
    let (said, _) = import_in_part(&unit, "Army2", &path);
    assert_eq!(
        said,
        "documents: 0 new, 0 known, 1 refused\n\
         records: 1 new, 0 known, 5 refused\n\
         \u{20} 1 malformed\n\
         \u{20} 1 badly signed\n\
         \u{20} 1 not permitted to its author\n\
         \u{20} 1 older than the week that is kept\n\
         \u{20} 1 from too far in the future\n\
         \u{20} 1 a document behind the records\n"
    );
    assert_eq!(log(&unit, "Army2"), lines(0..1));
}

#[test]
fn records_by_a_roster_that_is_nowhere_wait_for_a_bundle_that_has_it() {
    let unit = unit_with_talk(0);
    unit.admit("Army9", Rank::Soldier("army"));
    let newer = roster(&unit, CHIEF);
    let mut engines = records::Unit::of(newer.clone().into(), [("Army9", identity(&unit, "Army9"))]);
    let record = engines.post("Army9", "army", now_ms(), "new here");
    let path = unit.folder().join("bare.bundle");
    write_bundle(&path, newer.unit(), &[], &[record.frame().bytes().to_vec()]);
    let (said, _) = import_in_part(&unit, "Army2", &path);
    assert!(said.ends_with("  1 by a roster that is neither here nor in the bundle\n"), "{said}");

    disk(&unit, "Army9").append(&[record]).unwrap();
    export(&unit, "Army9", "full.bundle");
    let said = unit.run_ok("Army2", ["bundle", "import", "full.bundle"]);
    assert!(said.ends_with("records: 1 new, 0 known, 0 refused\n"), "{said}");
    assert_eq!(unit.run_ok("Army2", ["log", "army"]).lines().count(), 1);
}

#[test]
fn a_running_node_keeps_its_home_and_the_hint_says_what_to_do() {
    let unit = unit_with_talk(1);
    let path = export(&unit, "Army1", "week.bundle");
    let _lock = Home::new(unit.home("Army1")).lock().unwrap();
    let refused = [vec!["bundle", "export", "-o", "more.bundle"], vec!["bundle", "import", path.to_str().unwrap()]];
    for args in refused {
        let output = unit.run("Army1", args);
        let report = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{report}");
        assert!(report.starts_with("error: a node is running on this home"), "{report}");
        assert!(report.contains("hint: stop it first"), "{report}");
    }
    assert!(!unit.folder().join("more.bundle").exists());
}

#[test]
fn a_file_that_exists_is_kept_unless_told_otherwise() {
    let unit = unit_with_talk(1);
    fs::write(unit.folder().join("week.bundle"), "precious").unwrap();
    let output = unit.run("Army1", ["bundle", "export", "-o", "week.bundle"]);
    let report = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(report.starts_with("error: week.bundle exists already and is not overwritten\nhint: "), "{report}");
    assert_eq!(fs::read_to_string(unit.folder().join("week.bundle")).unwrap(), "precious");
    unit.run_ok("Army1", ["bundle", "export", "-o", "week.bundle", "--force"]);
}
