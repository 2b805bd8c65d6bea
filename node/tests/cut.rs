//! A synchronisation that is cut at any byte, again and again, still ends with both nodes holding the same.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod records;
mod unit;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use muster::disk::Disk;
use muster::engine::policy::Permitted;
use muster::engine::store::Store;
use muster_keys::KeyFile;
use muster_roles::{Roster, Timestamp};

use crate::unit::{CHIEF, Node, PATIENCE, Rank, Unit, poll_until};

/// How often the connection is cut before it is let be.
const CUTS: usize = 20;

/// A connection passes fewer bytes than this before it is cut, so that all cuts together come before the end.
const MAX_PASSED: u64 = 192 * 1024;

/// Records that each of the two nodes has and the other has not.
const RECORDS: u64 = 800;

/// Bytes of each record's text: all of them are more than pass before the last cut, and their names, which pass first,
/// are less than pass before most.
const TEXT_LEN: usize = 2000;

/// How long all cuts may take: the nodes wait a second or two before they dial again.
const CUTS_LIMIT: Duration = Duration::from_secs(120);

/// The address of the wire between the nodes. It is not a loopback one, so that neither believes what the other tells
/// of its own loopback address, and all goes through the wire.
const WIRE: &str = "10.0.0.1";

/// Tells the test that it runs on a network of its own.
const INSIDE: &str = "MUSTER_CUT_INSIDE";

#[test]
fn a_sync_cut_at_any_byte_again_and_again_ends_with_equal_sets() {
    if std::env::var_os(INSIDE).is_none() {
        return run_inside();
    }
    network();
    let unit = Unit::found();
    let names = ["Army1", "Army2"];
    let authors = ["Army3", "Army4"];
    for name in names.into_iter().chain(authors) {
        unit.admit(name, Rank::Soldier("army"));
    }
    for (name, author) in names.into_iter().zip(authors) {
        fill(&unit, name, author);
    }
    let mut first = unit.start("Army1", &[]);
    let wire = Wire::to(socket(&first.address()));
    let mut second = unit.start("Army2", &[&wire.address]);
    let all_cut = || (wire.cuts.load(Ordering::SeqCst) == CUTS).then_some(());
    assert!(
        poll_until(Instant::now() + CUTS_LIMIT, all_cut).is_some(),
        "{}{}",
        first.transcript(),
        second.transcript()
    );
    let all_told = || [&mut first, &mut second].into_iter().all(|node| told(node) >= RECORDS).then_some(());
    assert!(poll_until(Instant::now() + PATIENCE, all_told).is_some(), "{}{}", first.transcript(), second.transcript());
    for node in [&mut first, &mut second] {
        node.end_input();
        assert!(node.wait_end().success(), "{}", node.transcript());
    }
    let [here, there] = names.map(|name| unit.run_ok(name, ["log", "army", "--json"]));
    assert_eq!(here.lines().count() as u64, 2 * RECORDS);
    assert!(here == there, "the two hold different messages");
}

/// Runs this test again on a network of its own.
fn run_inside() {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "a_sync_cut_at_any_byte_again_and_again_ends_with_equal_sets", "--nocapture"]);
    let status = command.env(INSIDE, "1").status().expect("unshare, of util-linux, is installed");
    assert!(status.success(), "see above; if nothing is, try `unshare --map-root-user --net true`");
}

/// Gives this network, which has nothing, the addresses that are needed.
fn network() {
    for args in [["link", "set", "lo", "up"].as_slice(), &["address", "add", WIRE, "dev", "lo"]] {
        assert!(Command::new("ip").args(args).status().expect("ip, of iproute2, is installed").success());
    }
}

/// Gives a member's home the newest roster, and to its store what somebody has said whose device is not there; one's own
/// words, unheard so far, would go out by gossip too.
fn fill(unit: &Unit, name: &str, author: &'static str) {
    let home = unit.home(name);
    std::fs::copy(unit.home(CHIEF).join("roster.cbor"), home.join("roster.cbor")).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now_ms = u64::try_from(now.as_millis()).unwrap();
    let bytes = std::fs::read(home.join("roster.cbor")).unwrap();
    let roster = Roster::decode(&bytes, Timestamp::from_ms(now_ms)).unwrap();
    let KeyFile::Open { identity, .. } = muster_keys::load(&unit.home(author).join("role.key")).unwrap() else {
        panic!("the key has no passphrase")
    };
    let mut engines = records::Unit::of(roster.into(), [(author, identity)]);
    // The oldest first, a second each, so that the newest is not too young to be compared.
    let time_ms = |n: u64| now_ms - (RECORDS + 60 - n) * 1000;
    let text = |n: u64| format!("{n} {}", "x".repeat(TEXT_LEN));
    let said: Vec<Permitted> = (0..RECORDS).map(|n| engines.post(author, "army", time_ms(n), &text(n))).collect();
    let mut disk = Disk::open(&home.join("muster.redb")).unwrap();
    disk.append(&said).unwrap();
    // What waited for somebody to hear it would go out by gossip.
    disk.sent(&records::group("army"), &records::names(&said)).unwrap();
}

/// How many messages a node has told its person to have come while it was away or late.
fn told(node: &mut Node) -> u64 {
    node.look();
    let counts = node.seen().iter().filter_map(|line| {
        let (count, what) = line.strip_prefix("-- ")?.split_once(' ')?;
        let is_told = what.starts_with("message") || what.starts_with("more older than these");
        count.parse::<u64>().ok().filter(|_| is_told)
    });
    counts.sum()
}

/// Passes bytes on to a node, and cuts every connection after some of them until it has done so [`CUTS`] times.
struct Wire {
    address: String,
    cuts: Arc<AtomicUsize>,
}

impl Wire {
    fn to(node: SocketAddr) -> Self {
        let listener = TcpListener::bind((WIRE, 0)).unwrap();
        let address = format!("/ip4/{WIRE}/tcp/{}", listener.local_addr().unwrap().port());
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&cuts);
        thread::spawn(move || {
            for caller in listener.incoming() {
                let called = TcpStream::connect(node).unwrap();
                let connection = Arc::new(Connection::new(caller.unwrap(), called, &counted));
                for backward in [false, true] {
                    let connection = Arc::clone(&connection);
                    // However it ends, the connection is over.
                    thread::spawn(move || connection.pass(backward).unwrap_or_default());
                }
            }
        });
        Self { address, cuts }
    }
}

/// One connection, and how many bytes it may still pass, in both directions together.
struct Connection {
    ends: [TcpStream; 2],
    left: AtomicU64,
    cuts: Arc<AtomicUsize>,
}

impl Connection {
    fn new(caller: TcpStream, called: TcpStream, cuts: &Arc<AtomicUsize>) -> Self {
        let let_be = cuts.load(Ordering::SeqCst) >= CUTS;
        let left = if let_be { u64::MAX } else { fastrand::u64(1..MAX_PASSED) };
        Self { ends: [caller, called], left: left.into(), cuts: Arc::clone(cuts) }
    }

    fn pass(&self, backward: bool) -> io::Result<()> {
        let [mut from, mut to] = self.ends.each_ref();
        if backward {
            std::mem::swap(&mut from, &mut to);
        }
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer)?;
            let len = u64::try_from(read).unwrap();
            let left =
                self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(len)));
            let left = left.unwrap_or_default();
            let passed = usize::try_from(len.min(left)).unwrap();
            to.write_all(&buffer[..passed])?;
            // Of the two directions the one that passes the last byte counts the cut.
            if (1..=len).contains(&left) {
                self.cuts.fetch_add(1, Ordering::SeqCst);
            }
            if read == 0 || left <= len {
                return self.ends.iter().try_for_each(|end| end.shutdown(Shutdown::Both));
            }
        }
    }
}

/// Reads an address as a node prints it.
fn socket(address: &str) -> SocketAddr {
    let parts: Vec<&str> = address.split('/').collect();
    let ["", "ip4", ip, "tcp", port] = parts[..] else { panic!("not a TCP address: {address}") };
    format!("{ip}:{port}").parse().unwrap()
}
