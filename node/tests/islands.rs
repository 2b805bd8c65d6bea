//! Members that have no network in common: a node with a leg in two networks joins them, one that walks from one to the
//! other carries what was said, and one that starts anew finds those again whom it has met.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "lan/network.rs"]
mod network;
#[path = "unit/mod.rs"]
mod unit;

use std::fs;
use std::time::Instant;

use crate::network::Host;
use crate::unit::{Node, PATIENCE, Rank, Unit, poll_until};

/// A unit of two soldiers of the army, one of the navy, and a carrier, all of whom know of each other.
fn found() -> Unit {
    let unit = Unit::found();
    for (name, rank) in [
        ("Army1", Rank::Soldier("army")),
        ("Navy2", Rank::Soldier("navy")),
        ("Army2", Rank::Soldier("army")),
        ("Carrier", Rank::Carrier),
    ] {
        unit.admit(name, rank);
    }
    unit
}

/// Starts a member's node on a host, with no address given.
fn start(unit: &Unit, host: &Host, name: &str) -> Node {
    Node::spawn(name, &mut host.run(&unit.command(name, ["start", "--plain"])))
}

/// Ends a node and makes sure that it has shown nothing of a group.
fn end_having_seen_nothing_of(group: &str, mut node: Node) {
    node.end_input();
    assert!(node.wait_end().success(), "{}", node.transcript());
    let shown = node.seen().iter().find(|line| line.starts_with(&format!("[{group}]")));
    assert_eq!(shown, None, "{}", node.transcript());
}

#[test]
fn two_networks_with_one_node_in_both_are_one_mesh() {
    let (unit, hosts) = (found(), network::row::<3>());
    let mut army1 = start(&unit, &hosts[0], "Army1");
    let mut carrier = start(&unit, &hosts[1], "Carrier");
    let mut army2 = start(&unit, &hosts[2], "Army2");
    let mut navy2 = start(&unit, &hosts[2], "Navy2");
    carrier.expect_in_reach(3);
    for round in 0..3 {
        army1.say(&format!("Can you hear me, {round}?"));
        army2.expect(&format!("[army] Army1: Can you hear me, {round}?"));
        army2.say(&format!("Loud and clear, {round}."));
        army1.expect(&format!("[army] Army2: Loud and clear, {round}."));
    }
    // What the carrier tells the first of the others is of no use to it: it stays where it is.
    assert_eq!(army1.count("-- 2 members in reach"), 0, "{}", army1.transcript());
    navy2.expect_in_reach(2);
    end_having_seen_nothing_of("army", navy2);
    end_having_seen_nothing_of("army", carrier);
}

#[test]
fn a_node_that_walks_from_one_network_to_another_carries_what_was_said() {
    let (unit, [army, walker, other]) = (found(), network::hosts());
    army.lay_cable(&walker, 0);
    let mut army1 = start(&unit, &army, "Army1");
    let mut carrier = start(&unit, &walker, "Carrier");
    let mut army2 = start(&unit, &other, "Army2");
    let mut navy2 = start(&unit, &other, "Navy2");
    army1.expect_in_reach(1);
    army1.say("We hold the bridge.");
    army1.say("Send the boats.");
    army1.expect_start("[army] Army1 (me): Send the boats.");
    // It leaves only once somebody has taken what it said, and there is but one who can.
    army1.say("logmeout");
    assert!(army1.wait_end().success(), "{}", army1.transcript());
    carrier.expect("-- no member is in reach; what you write waits");
    walker.cut_cable(0);
    walker.lay_cable(&other, 1);
    for line in ["We hold the bridge.", "Send the boats."] {
        army2.expect_end(&format!("Army1: {line}"));
    }
    navy2.expect_in_reach(2);
    end_having_seen_nothing_of("army", navy2);
    end_having_seen_nothing_of("army", carrier);
}

#[test]
fn a_node_that_starts_anew_finds_those_it_has_met_without_being_told_where() {
    for first_dials in [true, false] {
        let unit = found();
        let (mut army1, mut army2);
        if first_dials {
            army2 = unit.start("Army2", &[]);
            army1 = unit.start("Army1", &[&army2.address()]);
        } else {
            army1 = unit.start("Army1", &[]);
            army2 = unit.start("Army2", &[&army1.address()]);
        }
        army1.expect_in_reach(1);
        army2.expect_in_reach(1);
        // It listens elsewhere from now on, so the other one cannot find it.
        army2.end_input();
        assert!(army2.wait_end().success(), "{}", army2.transcript());
        let mut army2 = unit.start("Army2", &[]);
        army2.say("Back again.");
        army1.expect("[army] Army2: Back again.");
    }
}

#[test]
fn a_node_that_was_killed_finds_those_it_has_met_and_a_damaged_list_of_them_stops_nobody() {
    let unit = found();
    let mut army1 = unit.start("Army1", &[]);
    let address = army1.address();
    let peers = unit.home("Army2").join("peers.cbor");
    let mut army2 = unit.start("Army2", &[&address]);
    army2.expect_in_reach(1);
    let written = poll_until(Instant::now() + PATIENCE, || peers.exists().then_some(()));
    assert_eq!(written, Some(()), "{}", army2.transcript());
    army2.kill();
    let mut army2 = unit.start("Army2", &[]);
    army2.say("Back again.");
    army1.expect("[army] Army2: Back again.");
    army2.end_input();
    assert!(army2.wait_end().success(), "{}", army2.transcript());
    let whole = fs::read(&peers).unwrap();
    fs::write(&peers, &whole[..whole.len() / 2]).unwrap();
    let mut army2 = unit.start("Army2", &[&address]);
    army2.expect_in_reach(1);
    army2.end_input();
    assert!(army2.wait_end().success(), "{}", army2.transcript());
    assert_eq!(fs::read(&peers).unwrap(), whole, "it is made anew");
}
