//! A carrier at work: it brings what it cannot read, and has nothing to read it with.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr)]

mod unit;

use std::fs::{self, File};
use std::io::{self, BufRead};
use std::os::unix::fs::FileExt;
use std::path::Path;

use muster::disk::Disk;
use muster::engine::store::Store;
use muster::engine::{Boot, State};
use muster::home::Home;
use muster_keys::{Identity, KeyFile};
use muster_roles::{GroupId, Roster, Timestamp};

use crate::unit::{CHIEF, Rank, Unit};

/// Memory that is read at once.
const CHUNK_LEN: usize = 1024 * 1024;

fn identity(unit: &Unit, name: &str) -> Identity {
    match muster_keys::load(&Home::new(unit.home(name)).role_key_path()).unwrap() {
        KeyFile::Open { identity, .. } => identity,
        KeyFile::Locked(_) => panic!("{name}'s key has a passphrase"),
    }
}

fn roster(unit: &Unit, name: &str) -> Roster {
    let bytes = fs::read(Home::new(unit.home(name)).roster_path()).unwrap();
    Roster::decode(&bytes, Timestamp::ZERO).unwrap()
}

/// The key of every group, as the commander has it.
fn group_keys(unit: &Unit) -> Vec<(GroupId, [u8; 32])> {
    let roster = roster(unit, CHIEF);
    let keyring = roster.open_keys(&identity(unit, CHIEF));
    roster.groups().map(|group| (group.clone(), *keyring.current(group).unwrap().1.as_bytes())).collect()
}

/// Looks for bytes in bytes, by the first of them: fast enough for a process's memory.
fn contains(mut bytes: &[u8], wanted: &[u8]) -> bool {
    while bytes.skip_until(wanted[0]).unwrap() > 0 {
        if bytes.starts_with(&wanted[1..]) {
            return true;
        }
    }
    false
}

/// Everything in the files of a home.
fn files(home: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
}

/// Which of these keys stand in a process's memory.
fn keys_in_memory(pid: u32, keys: &[(GroupId, [u8; 32])]) -> io::Result<Vec<GroupId>> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let mut found = Vec::new();
    let mut chunk = vec![0; CHUNK_LEN];
    for line in fs::read_to_string(format!("/proc/{pid}/maps"))?.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (Some(range), Some(permissions)) = (fields.next(), fields.next()) else { continue };
        if !permissions.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [mut at, to] = [from, to].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        while at < to {
            let len = CHUNK_LEN.min(usize::try_from(to - at).unwrap());
            // A region may go while it is read.
            if memory.read_exact_at(&mut chunk[..len], at).is_ok() {
                let here = keys.iter().filter(|(_, key)| contains(&chunk[..len], key));
                found.extend(here.map(|(group, _)| group.clone()));
            }
            at += len as u64;
        }
    }
    Ok(found)
}

#[test]
fn a_carrier_brings_messages_and_holds_no_key_on_disk_or_in_memory() {
    let unit = Unit::found();
    unit.admit("Truck", Rank::Carrier);
    for name in ["Army1", "Army2"] {
        unit.admit(name, Rank::Soldier("army"));
    }
    let mut truck = unit.start("Truck", &[]);
    let address = truck.address();
    let mut army1 = unit.start("Army1", &[&address]);
    truck.expect_in_reach(1);
    army1.say("the bridge is out");
    army1.expect_start("[army] Army1 (me): the bridge is out");
    army1.end_input();
    assert!(army1.wait_end().success(), "{}", army1.transcript());
    let mut army2 = unit.start("Army2", &[&address]);
    army2.expect("[army] Army1: the bridge is out");

    let keys = group_keys(&unit);
    match (keys_in_memory(army2.id(), &keys), keys_in_memory(truck.id(), &keys)) {
        (Ok(of_reader), Ok(of_carrier)) => {
            assert!(of_reader.contains(&"army".parse().unwrap()), "a reader holds its group's key: {of_reader:?}");
            assert!(of_carrier.is_empty(), "the carrier holds the keys of {of_carrier:?}");
        }
        // Some systems let nobody look into another process; the files are still told below.
        (of_reader, of_carrier) => eprintln!("memory cannot be read: {of_reader:?}, {of_carrier:?}"),
    }
    truck.end_input();
    assert!(truck.wait_end().success(), "{}", truck.transcript());
    assert!(!truck.seen().iter().any(|line| line.contains("bridge")), "{}", truck.transcript());

    let home = Home::new(unit.home("Truck"));
    let stored = Disk::open(&home.database_path()).unwrap().latest(&"army".parse().unwrap(), 1).unwrap();
    let files = files(home.dir());
    assert!(
        files.iter().any(|(_, bytes)| contains(bytes, stored[0].frame().bytes())),
        "the search finds what is there"
    );
    for (path, bytes) in &files {
        assert!(!contains(bytes, b"the bridge is out"), "{path}");
        for (group, key) in &keys {
            assert!(!contains(bytes, key), "the key of {group} in {path}");
        }
    }
}

#[test]
fn a_carriers_keyring_is_empty() {
    let unit = Unit::found();
    unit.admit("Truck", Rank::Carrier);
    let engine = State::new(identity(&unit, "Truck"), roster(&unit, "Truck").into(), Boot::default());
    assert!(engine.reader().keyring.is_empty());
}
