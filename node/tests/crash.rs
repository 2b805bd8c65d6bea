//! What was acknowledged survives `kill -9`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod records;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use muster::disk::Disk;
use muster::disk::writer::{Job, Outcome, Writer};
use muster::engine::store::Store;
use muster_roles::Timestamp;

use crate::records::{START_MS, Unit, group};

/// How often the child is killed.
const ROUNDS: u64 = 8;

/// The longest that a child lives after its first commit, in milliseconds: dozens of commits.
const MAX_LIFE_MS: u64 = 200;

/// How long a child may take for its first commit.
const PATIENCE: Duration = Duration::from_secs(30);

/// Names the store to the child.
const STORE: &str = "MUSTER_CRASH_STORE";

/// Tells the child how many there were before it.
const ROUND: &str = "MUSTER_CRASH_ROUND";

/// What a line about an acknowledged record begins with; the test runner prints other lines.
const STORED: &str = "stored ";

#[test]
fn every_acknowledged_record_survives_being_killed() {
    if let Some(path) = std::env::var_os(STORE).map(PathBuf::from) {
        store_until_killed(&path);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("muster.redb");
    let mut rng = fastrand::Rng::new();
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut child = start_child(&path, round);
        let lines = lines_of(&mut child);
        let first = lines.recv_timeout(PATIENCE).expect("the child stores something");
        thread::sleep(Duration::from_millis(rng.u64(0..MAX_LIFE_MS)));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.insert(first);
        acknowledged.extend(lines);
        let stored = stored_ids(&path);
        let lost: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "round {round}: {} of {} records are lost", lost.len(), acknowledged.len());
    }
}

/// Runs this test binary again as the program that is going to be killed.
fn start_child(path: &Path, round: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "every_acknowledged_record_survives_being_killed", "--nocapture"])
        .env(STORE, path)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The ids that a child acknowledges; ends with the child.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let (ids, received) = channel();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    thread::spawn(move || {
        let mut line = String::new();
        // A line that was cut short by the kill acknowledges nothing.
        while output.read_line(&mut line).is_ok() && line.ends_with('\n') {
            if let Some(id) = line.trim_end().strip_prefix(STORED) {
                ids.send(id.to_owned()).unwrap();
            }
            line.clear();
        }
    });
    received
}

fn stored_ids(path: &Path) -> BTreeSet<String> {
    let disk = Disk::open(path).unwrap();
    let mut ids = BTreeSet::new();
    disk.scan(&group("army"), Timestamp::ZERO, Timestamp::from_u64(u64::MAX), &mut |stored| {
        ids.insert(stored.frame().id().to_string());
        ControlFlow::Continue(())
    })
    .unwrap();
    ids
}

/// The child: keeps a few batches under way, as a busy node does, and says of each record when it is stored.
fn store_until_killed(path: &Path) -> ! {
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let mut unit = Unit::found();
    let mut writer = Writer::start(Disk::open(path).unwrap()).unwrap();
    let mut ms = START_MS + round * 1_000_000;
    loop {
        for size in [1, 5, 20] {
            let batch = (0..size).map(|n| unit.post("Army1", "army", ms + n, "a word")).collect();
            ms += size;
            writer.jobs.blocking_send(Job::Append(batch)).unwrap();
        }
        acknowledge(writer.outcomes.blocking_recv().expect("the writer runs"));
        while let Ok(outcome) = writer.outcomes.try_recv() {
            acknowledge(outcome);
        }
    }
}

fn acknowledge(outcome: Outcome) {
    let Outcome::Committed(records) = outcome else { panic!("the store failed") };
    let mut out = std::io::stdout().lock();
    for (record, _) in records {
        writeln!(out, "{STORED}{}", record.frame().id()).unwrap();
    }
    out.flush().unwrap();
}
