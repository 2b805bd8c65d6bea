//! One node has missed everything: the time until it has it all, against the time of checking the signatures alone.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use divan::Bencher;
use divan::counter::ItemsCount;
use ed25519_dalek::{Signature, VerifyingKey};
use muster::disk::Disk;
use muster::engine::policy::Permitted;
use muster::engine::store::Store;
use muster::engine::wire::Frame;
use muster_keys::KeyFile;
use muster_roles::{Roster, Timestamp};
use serde_bytes::{ByteArray, ByteBuf};
use sha2::{Digest, Sha256};

use crate::figure::{self, figure};
use crate::process::{cpu_s, peak_kib, wait_for_rest};
use crate::records;
use crate::unit::{CHIEF, PATIENCE, Rank, Unit, poll_until};

/// Records that the one node has and the other has not.
const RECORDS: u64 = 100_000;

/// As many where it is only to be seen that all works.
const FEW_RECORDS: u64 = 2_000;

/// What every record says, which makes it about 300 bytes.
const TEXT: &str = "Patrol two has passed the bridge. All is quiet, there is nothing to report from here.";

/// Records that the source's store takes in one commit.
const COMMIT_RECORDS: usize = 1024;

/// How long ago the first record was written: all are within the week, and the last is not too young.
const AGE_MS: u64 = 60 * 60 * 1000;

/// Has two nodes talk, each in a process of its own, and prints the figures.
pub(crate) fn report() {
    let count = if figure::quick() { FEW_RECORDS } else { RECORDS };
    let unit = Unit::found();
    unit.admit("Army1", Rank::Leader("army"));
    unit.admit("Army2", Rank::Soldier("army"));
    unit.admit("Army3", Rank::Soldier("army"));
    let newest = unit.home(CHIEF).join("roster.cbor");
    std::fs::copy(newest, unit.home("Army1").join("roster.cbor")).unwrap();
    let frames = fill(&unit.home("Army1"), &unit.home("Army3"), count);
    let bytes: usize = frames.iter().map(|frame| frame.bytes().len()).sum();
    let verifying = verify_on_all_cores(&frames);
    let (took, source, reader) = catch_up(&unit, count);
    let took_s = took.as_secs_f64();
    let stored = unit.run_ok("Army2", ["log", "army", "--json"]).lines().count();
    assert_eq!(stored as u64, count);
    println!("catching up: {count} records of {} bytes, both nodes on this machine", bytes / frames.len());
    println!("  strict verification alone, {} cores: {:.2} s", cores(), verifying.took_s);
    println!("  from the reader's start to the last record stored: {took_s:.2} s (limit 10 s)");
    println!("  ratio: {:.2} (at least 0.6)", verifying.took_s / took_s);
    println!("  CPU of the verification alone: {:.2} s", verifying.cpu_s);
    for (end, usage) in [("source", &source), ("reader", &reader)] {
        println!("  {end}: {:.2} s of CPU, peak {} MiB resident (limit 150 MiB)", usage.cpu_s, usage.peak_mib);
    }
    println!("  ratio of CPU, which other work on the machine does not disturb: {:.2}", {
        verifying.cpu_s / (source.cpu_s + reader.cpu_s)
    });
    let cpu_s = source.cpu_s + reader.cpu_s;
    figure("sync.catch-up.time", "muster", took_s, "s");
    figure("sync.catch-up.time", "verification", verifying.took_s, "s");
    figure("sync.catch-up.cpu", "muster", cpu_s, "s");
    figure("sync.catch-up.cpu", "verification", verifying.cpu_s, "s");
    figure("sync.catch-up.memory", "muster", source.peak_mib.max(reader.peak_mib) as f64, "MiB");
}

/// Has Army3, whose device is not there, write all the records, and puts them into the store of a home.
fn fill(home: &Path, author: &Path, count: u64) -> Vec<Frame> {
    let now = UNIX_EPOCH.elapsed().unwrap();
    let now_ms = u64::try_from(now.as_millis()).unwrap();
    let bytes = std::fs::read(home.join("roster.cbor")).unwrap();
    let roster = Roster::decode(&bytes, Timestamp::from_ms(now_ms)).unwrap();
    let KeyFile::Open { identity, .. } = muster_keys::load(&author.join("role.key")).unwrap() else {
        panic!("the key has no passphrase")
    };
    let mut unit = records::Unit::of(roster.into(), [("Army3", identity)]);
    let records: Vec<Permitted> = (0..count).map(|n| unit.post("Army3", "army", now_ms - AGE_MS + n, TEXT)).collect();
    let mut disk = Disk::open(&home.join("muster.redb")).unwrap();
    for batch in records.chunks(COMMIT_RECORDS) {
        disk.append(batch).unwrap();
        // What waited for somebody to hear it would go out by gossip.
        disk.sent(&records::group("army"), &records::names(batch)).unwrap();
    }
    records.iter().map(|record| record.frame().clone()).collect()
}

/// What a signature check is given: nothing but bytes.
struct Signed {
    author: [u8; 32],
    message: Vec<u8>,
    signature: [u8; 64],
}

impl Signed {
    fn of(frame: &Frame) -> Self {
        let record: (u64, ByteBuf, ByteArray<64>, u64, ByteBuf) = serde_cbor::from_slice(frame.bytes()).unwrap();
        // Signed alone, so that what is signed is the payload's digest.
        assert!(record.4.is_empty());
        let message = [b"muster record 3".as_slice(), &Sha256::digest(&record.1)].concat();
        Self { author: *frame.header().author.as_bytes(), message, signature: record.2.into_array() }
    }

    /// The bare work as a program does it that knows nothing of Muster: the key from its bytes, and the strict check.
    fn verify(&self) {
        let key = VerifyingKey::from_bytes(&self.author).unwrap();
        key.verify_strict(&self.message, &Signature::from_bytes(&self.signature)).unwrap();
    }
}

/// What the bare work took.
struct Verifying {
    took_s: f64,
    cpu_s: f64,
}

/// Checks every signature once, on as many threads as there are cores.
fn verify_on_all_cores(frames: &[Frame]) -> Verifying {
    let all: Vec<Signed> = frames.iter().map(Signed::of).collect();
    let me = std::process::id();
    let (began, cpu_before) = (Instant::now(), cpu_s(me).unwrap());
    thread::scope(|scope| {
        for part in all.chunks(all.len().div_ceil(cores())) {
            scope.spawn(move || part.iter().for_each(Signed::verify));
        }
    });
    Verifying { took_s: began.elapsed().as_secs_f64(), cpu_s: cpu_s(me).unwrap() - cpu_before }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Starts a node that has nothing beside one that runs and has everything; returns how long the former took, and what both used
/// meanwhile.
fn catch_up(unit: &Unit, count: u64) -> (Duration, Usage, Usage) {
    let mut source = unit.start("Army1", &[]);
    let address = source.address();
    // What the source reads of its store when it starts is no part of catching up.
    wait_for_rest(source.id());
    let (began, before) = (Instant::now(), Usage::of(source.id()));
    let mut reader = unit.start("Army2", &[&address]);
    let all_there = || (unit.synchronised("Army2") >= count).then(|| began.elapsed());
    let took = poll_until(began + PATIENCE, all_there).expect("it has all within the time");
    let (source, of_reader) = (Usage::of(source.id()), Usage::of(reader.id()));
    reader.end_input();
    assert!(reader.wait_end().success(), "{}", reader.transcript());
    (took, Usage { cpu_s: source.cpu_s - before.cpu_s, ..source }, of_reader)
}

/// What a process has used so far.
struct Usage {
    peak_mib: u64,
    cpu_s: f64,
}

impl Usage {
    fn of(process: u32) -> Self {
        Self { peak_mib: peak_kib(process).unwrap() / 1024, cpu_s: cpu_s(process).unwrap() }
    }
}

/// The bare work: one core's strict verifications.
#[divan::bench]
fn strict_verification(bencher: Bencher<'_, '_>) {
    const COUNT: u64 = 1000;
    let mut unit = records::Unit::found();
    let all: Vec<Signed> = unit.army_talk(COUNT).iter().map(|record| Signed::of(record.frame())).collect();
    bencher.counter(ItemsCount::new(all.len())).bench_local(|| all.iter().for_each(Signed::verify));
}
