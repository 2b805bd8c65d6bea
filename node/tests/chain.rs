//! Five hosts in a row, each of which sees its neighbours only: what the ends say to each other is carried by others.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "lan/network.rs"]
mod network;
#[path = "unit/mod.rs"]
mod unit;

use std::time::{Duration, Instant};

use crate::unit::{Node, Rank, Unit};

/// Who sits at which host: the army at the ends, the other troops between.
const CHAIN: [(&str, Rank<'_>); 5] = [
    ("Army1", Rank::Leader("army")),
    ("Navy1", Rank::Leader("navy")),
    ("Air1", Rank::Soldier("airforce")),
    ("Navy2", Rank::Soldier("navy")),
    ("Army2", Rank::Soldier("army")),
];

/// How soon a message must be at the other end. On a machine with nothing else to do it takes some milliseconds; this
/// leaves room for one that builds and tests at the same time, and none for waiting until the next synchronisation.
const DELIVERY_LIMIT: Duration = Duration::from_secs(10);

/// How many messages each end sends.
const MESSAGES: usize = 5;

#[test]
fn what_the_ends_of_a_chain_say_is_carried_by_other_troops() {
    let (unit, hosts) = (Unit::found(), network::row::<{ CHAIN.len() }>());
    for (name, rank) in CHAIN {
        unit.admit(name, rank);
    }
    let mut nodes: Vec<Node> = (CHAIN.iter().zip(&hosts))
        .map(|((name, _), host)| Node::spawn(name, &mut host.run(&unit.command(name, ["start", "--plain"]))))
        .collect();
    for (nth, node) in nodes.iter_mut().enumerate() {
        node.expect_in_reach(neighbours(nth));
    }
    let [first, between @ .., last] = nodes.as_mut_slice() else { unreachable!("a chain has two ends") };
    let mut took = Vec::new();
    for round in 0..MESSAGES {
        took.push(deliver(first, last, "Army1", &format!("There, {round}.")));
        took.push(deliver(last, first, "Army2", &format!("And back, {round}.")));
    }
    report(&took);
    assert!(took.iter().all(|took| *took < DELIVERY_LIMIT), "{took:?}");
    for carrier in between {
        carrier.end_input();
        assert!(carrier.wait_end().success(), "{}", carrier.transcript());
        let shown = carrier.seen().iter().find(|line| line.starts_with("[army]"));
        assert_eq!(shown, None, "{}", carrier.transcript());
        // Addresses of members further on are passed along and are of no use here: nobody got past a neighbour.
        assert_eq!(carrier.count("-- 3 members in reach"), 0, "{}", carrier.transcript());
    }
}

/// Has one end say something and returns how long it took to the other.
fn deliver(from: &mut Node, to: &mut Node, author: &str, text: &str) -> Duration {
    let began = Instant::now();
    from.say(text);
    to.expect(&format!("[army] {author}: {text}"));
    began.elapsed()
}

fn neighbours(nth: usize) -> usize {
    if nth == 0 || nth == CHAIN.len() - 1 { 1 } else { 2 }
}

/// Says how long it took, for whoever runs the test with `--nocapture`.
#[allow(clippy::print_stdout, reason = "a test's output is where its figures go")]
fn report(took: &[Duration]) {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    println!(
        "end to end over {} hops: median {:?}, longest {:?}",
        CHAIN.len() - 1,
        sorted[sorted.len() / 2],
        sorted[sorted.len() - 1]
    );
}
