//! What an export of signed records proves: `muster export --signed` and `muster verify` as a person calls them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod records;
mod unit;

use std::fs;
use std::path::{Path, PathBuf};

use muster::disk::Disk;
use muster::engine::bundle::{BundleReader, BundleWriter, Found};
use muster::engine::proof::{Flaw, Prover, Report};
use muster::engine::store::Store;
use muster::home::Home;
use muster_keys::KeyFile;
use muster_roles::{Roster, Timestamp};

use crate::unit::{CHIEF, Rank, Unit};

const MINUTE_MS: u64 = 60 * 1000;

/// A unit whose Army1 has said so many things to the army, and the file that Army1 has exported.
fn exported(lines: u64) -> (Unit, PathBuf) {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    unit.admit("Navy1", Rank::Soldier("navy"));
    let home = Home::new(unit.home("Army1"));
    let KeyFile::Open { identity, .. } = muster_keys::load(&home.role_key_path()).unwrap() else {
        panic!("the key has no passphrase")
    };
    let now_ms = jiff::Timestamp::now().as_millisecond() as u64;
    let roster = Roster::decode(&fs::read(home.roster_path()).unwrap(), Timestamp::from_ms(now_ms)).unwrap();
    let mut engines = records::Unit::of(roster.into(), [("Army1", identity)]);
    let talk: Vec<_> = (0..lines)
        .map(|line| engines.post("Army1", "army", now_ms - MINUTE_MS + line, &format!("line {line}")))
        .collect();
    let mut disk = Disk::open(&home.database_path()).unwrap();
    talk.chunks(1024).for_each(|batch| drop(disk.append(batch).unwrap()));
    drop(disk);
    let file = unit.home(CHIEF).with_file_name("week.muster");
    let said = unit.run_ok("Army1", ["export", "--signed", "-o", file.to_str().unwrap()]);
    assert!(said.contains(&format!("{lines} records")), "{said}");
    (unit, file)
}

fn items(file: &Path) -> Vec<Found> {
    BundleReader::new(fs::File::open(file).unwrap()).unwrap().map(Result::unwrap).collect()
}

fn proven(items: impl IntoIterator<Item = Found>) -> Report {
    let mut prover = Prover::default();
    items.into_iter().for_each(|found| drop(prover.take(found)));
    prover.finish()
}

/// Writes the same file with its records changed by `edit`, with sound checks and a sound end.
fn rewritten(file: &Path, edit: impl Fn(&mut Vec<Vec<u8>>)) -> PathBuf {
    let unit = BundleReader::new(fs::File::open(file).unwrap()).unwrap().unit();
    let mut records = Vec::new();
    let other = file.with_extension("edited");
    let mut bundle = BundleWriter::new(fs::File::create(&other).unwrap(), unit).unwrap();
    for found in items(file) {
        match found {
            Found::Document(bytes) => bundle.document(&bytes).unwrap(),
            Found::Record(bytes) => records.push(bytes),
            _ => {}
        }
    }
    edit(&mut records);
    records.iter().for_each(|record| bundle.record(record).unwrap());
    bundle.finish().unwrap();
    other
}

#[test]
fn a_whole_file_is_proven_anywhere_and_read_by_who_has_the_keys() {
    let (unit, file) = exported(30);
    let path = file.to_str().unwrap();
    // The navy's soldier has no key of the army, and a home is not needed at all.
    let said = unit.run_ok("Navy1", ["verify", path]);
    for part in
        ["unit: ", "30 records", "Army1: 30 messages (1 to 30), 0 receipts", "all signatures are good", "no holes"]
    {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    assert!(!said.contains("line 7"), "{said}");
    let said = unit.run_ok("Army1", ["verify", "--text", path]);
    assert!(said.contains("[army] Army1: line 7"), "{said}");
    assert!(!unit.run_ok("Navy1", ["verify", "--text", path]).contains("line 7"));
}

#[test]
fn a_record_that_was_taken_out_leaves_a_hole_that_is_named() {
    let (_unit, file) = exported(20);
    for taken in [1, 6, 18] {
        let report = proven(items(&rewritten(&file, |records| drop(records.remove(taken)))));
        assert_eq!((report.good, report.bad, report.missing, report.holes.len()), (19, 0, 1, 1));
        let (hole, count) = (&report.holes[0], taken as u64 + 1);
        assert_eq!((hole.group.as_str(), hole.author.as_str()), ("army", "Army1"));
        assert_eq!((hole.first, hole.last, hole.is_receipt), (count, count, false));
        assert!(!report.is_whole());
    }
}

#[test]
fn an_author_s_first_or_last_record_is_missed_by_the_file_s_own_count_and_else_only_its_row_is_shorter() {
    let (unit, file) = exported(20);
    for (taken, span, told) in [(0, (2, 20), "(2 to 20)"), (19, (1, 19), "(1 to 19)")] {
        // Whoever can write a file can also mend its count: then nothing but the numbers tells.
        let mended = rewritten(&file, |records| drop(records.remove(taken)));
        let report = proven(items(&mended));
        assert_eq!((report.good, report.missing, report.lost), (19, 0, Some(0)));
        assert_eq!((report.shares[0].messages.count, report.shares[0].messages.span), (19, Some(span)));
        let said = unit.run_ok("Navy1", ["verify", mended.to_str().unwrap()]);
        assert!(said.contains(&format!("army  Army1: 19 messages {told}, 0 receipts")), "{said}");
        // Whoever only takes it out leaves the count.
        let mut found = items(&file);
        let first = found.iter().position(|item| matches!(item, Found::Record(_))).unwrap();
        found.remove(first + taken);
        let report = proven(found);
        assert_eq!((report.good, report.missing, report.lost), (19, 0, Some(1)));
        assert!(!report.is_whole());
    }
}

#[test]
fn a_changed_byte_names_the_record_whether_the_file_s_checks_were_mended_or_not() {
    let (unit, file) = exported(20);
    let len =
        items(&file).iter().find_map(|item| if let Found::Record(bytes) = item { Some(bytes.len()) } else { None });
    // Every byte of the first, of one in the middle, and of the last record.
    for (record, at) in [0, 6, 19].into_iter().flat_map(|record| (0..len.unwrap()).map(move |at| (record, at))) {
        let edited = rewritten(&file, |records| records[record][at] ^= 1);
        let report = proven(items(&edited));
        assert_eq!((report.good, report.bad), (19, 1), "byte {at}");
        let fault = &report.faults[0];
        assert_eq!(fault.number, record as u64 + 1, "byte {at}");
        assert!(matches!(fault.flaw, Flaw::BadSignature | Flaw::Malformed | Flaw::OtherUnit), "byte {at}: {fault:?}");
    }
    let mut bytes = fs::read(&file).unwrap();
    let end = bytes.len();
    bytes[end / 2] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let report = proven(items(&file));
    assert_eq!((report.good, report.missing), (19, 1), "{report:?}");
    let refused = unit.run("Navy1", ["verify", file.to_str().unwrap()]);
    let said = format!("{}{}", String::from_utf8_lossy(&refused.stdout), String::from_utf8_lossy(&refused.stderr));
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("army  Army1: message {}", report.holes[0].first)), "{said}");
}

#[test]
fn a_record_that_its_author_had_no_right_to_is_named() {
    let (_unit, file) = exported(3);
    // With the documents before the author was admitted, nobody was entitled to it.
    let mut found = items(&file);
    let documents = found.iter().filter(|item| matches!(item, Found::Document(_))).count();
    assert!(documents > 1);
    found.retain(|item| !matches!(item, Found::Document(_)));
    let report = proven(found);
    assert_eq!((report.good, report.bad, report.documents), (0, 3, 0));
    assert!(report.faults.iter().all(|fault| fault.flaw == Flaw::UnknownRoster));
}
