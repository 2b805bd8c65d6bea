//! A node that ends while it still goes through its store closes that in good order all the same, so that the next start
//! need not check it from end to end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod records;
mod unit;

use std::path::Path;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use muster::disk::Disk;
use muster::engine::policy::Permitted;
use muster::engine::store::Store;
use muster_keys::KeyFile;
use muster_roles::{Roster, Timestamp};
use unit::{Rank, Unit};

/// Records that take a while to go through: far more than the moment in which the node is told to end.
const RECORDS: u64 = 20_000;

/// When a node with a screen that asks for nothing has begun to go through its store; where it has not, or has done it
/// all, there is nothing to see, and nothing fails.
const BEGUN: Duration = Duration::from_millis(350);

#[test]
fn a_store_that_is_still_being_read_is_closed_in_good_order() {
    let unit = Unit::found();
    let home = unit.admit("Army1", Rank::Leader("army"));
    fill(&home);
    let mark = home.join("muster.redb.clean");
    assert!(mark.exists());
    let mut node = unit.start("Army1", &[]);
    node.address();
    assert!(!mark.exists(), "the store is open");
    thread::sleep(BEGUN);
    node.end_input();
    assert!(node.wait_end().success(), "{}", node.transcript());
    assert!(mark.exists());
}

fn fill(home: &Path) {
    let now_ms = u64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let roster = std::fs::read(home.join("roster.cbor")).unwrap();
    let roster = Roster::decode(&roster, Timestamp::from_ms(now_ms)).unwrap();
    let KeyFile::Open { identity, .. } = muster_keys::load(&home.join("role.key")).unwrap() else {
        panic!("the key has no passphrase")
    };
    let mut army = records::Unit::of(roster.into(), [("Army1", identity)]);
    let said: Vec<Permitted> = (0..RECORDS).map(|_| army.post("Army1", "army", now_ms, "All is quiet.")).collect();
    let mut disk = Disk::open(&home.join("muster.redb")).unwrap();
    disk.append(&said).unwrap();
    disk.sent(&records::group("army"), &records::names(&said)).unwrap();
}
