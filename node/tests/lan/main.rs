//! Nodes that are given no address find each other on a network, which is made of namespaces here.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod network;
#[path = "../unit/mod.rs"]
mod unit;

use std::time::{Duration, Instant};

use crate::network::{Host, Lan};
use crate::unit::{CHIEF, Node, Rank, Unit, poll_until};

/// How soon a node that was restarted with its key must be heard again.
const RETURN_LIMIT: Duration = Duration::from_secs(5);

/// How soon a device must be known to be gone that says nothing more: twenty seconds after the last that was sent to it, and that
/// may have been so long after the last that came.
const SILENCE_LIMIT: Duration = Duration::from_secs(45);

/// Starts a member's node on a host as a person would, with no address given.
fn start(unit: &Unit, host: &Host, name: &str) -> Node {
    Node::spawn(name, &mut host.run(&unit.command(name, ["start", "--plain"])))
}

/// A unit whose homes were handed out one after the other: the first one's roster lists nobody after it.
fn found() -> Unit {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Leader("army"));
    unit.admit("Navy1", Rank::Leader("navy"));
    unit.admit("Army2", Rank::Soldier("army"));
    unit
}

#[test]
fn nodes_find_each_other_and_hear_what_their_roles_allow() {
    let (unit, lan) = (found(), Lan::new());
    let [mut army1, mut navy1, mut army2] = ["Army1", "Navy1", "Army2"].map(|name| start(&unit, &lan.first, name));
    for node in [&mut army1, &mut navy1, &mut army2] {
        node.expect("-- 2 members in reach");
    }
    army1.say("Hello guys, how are you doing?");
    army1.expect("[army] Army1 (me): Hello guys, how are you doing?");
    army2.expect("[army] Army1: Hello guys, how are you doing?");
    army2.say("I am fine, what about you?");
    army1.expect("[army] Army2: I am fine, what about you?");
    let mut chief = start(&unit, &lan.first, CHIEF);
    chief.expect("-- 3 members in reach");
    chief.say("Leaders, report.");
    for leader in [&mut army1, &mut navy1] {
        leader.expect("[heads] Chief: Leaders, report.");
    }
    army1.say("We march.");
    for reader in [&mut chief, &mut army2] {
        reader.expect("[army] Army1: We march.");
    }
    // What comes after it is there: so would it be, were it coming.
    chief.say("Navy1, sail.");
    navy1.expect("[heads] Chief: Navy1, sail.");
    army2.say("Marching.");
    chief.expect("[army] Army2: Marching.");
    for (node, forbidden) in [(&navy1, "[army]"), (&army2, "[heads]")] {
        assert!(!node.seen().iter().any(|line| line.starts_with(forbidden)), "{}", node.transcript());
    }
}

#[test]
fn hosts_on_one_cable_find_each_other() {
    let (unit, lan) = (found(), Lan::new());
    let mut army1 = start(&unit, &lan.first, "Army1");
    let mut army2 = start(&unit, &lan.second, "Army2");
    army1.say("Over here!");
    army2.expect("[army] Army1: Over here!");
    army2.say("I hear you.");
    army1.expect("[army] Army2: I hear you.");
}

#[test]
fn a_node_restarted_with_its_key_is_heard_within_seconds() {
    let (unit, lan) = (found(), Lan::new());
    let [mut army1, mut army2] = ["Army1", "Army2"].map(|name| start(&unit, &lan.first, name));
    army1.say("I am here.");
    army2.expect("[army] Army1: I am here.");
    for round in 0..3 {
        army1.kill();
        let restarted = Instant::now();
        army1 = start(&unit, &lan.first, "Army1");
        army1.say(&format!("I am back, {round}."));
        army2.expect(&format!("[army] Army1: I am back, {round}."));
        army2.say(&format!("Good, {round}."));
        army1.expect(&format!("[army] Army2: Good, {round}."));
        let took = restarted.elapsed();
        assert!(took < RETURN_LIMIT, "round {round} took {took:?}\n{}", army2.transcript());
    }
}

#[test]
fn a_message_that_was_shown_survives_being_killed_a_moment_after() {
    let (unit, lan) = (found(), Lan::new());
    let mut army1 = start(&unit, &lan.first, "Army1");
    army1.say("Remember this.");
    army1.expect("[army] Army1 (me): Remember this. (waiting)");
    army1.kill();
    let export = unit.run_ok("Army1", ["export", "army", "-o", "-"]);
    assert!(export.ends_with("Army1: Remember this.\n"), "{export}");
    let mut army1 = start(&unit, &lan.first, "Army1");
    army1.expect("[army] Army1 (me): Remember this. (waiting)");
}

#[test]
fn a_second_node_on_a_home_is_refused() {
    let (unit, lan) = (found(), Lan::new());
    let mut army1 = start(&unit, &lan.first, "Army1");
    army1.address();
    let refused = lan.first.run(&unit.command("Army1", ["start", "--plain"])).output().unwrap();
    let errors = String::from_utf8(refused.stderr).unwrap();
    let expected = format!("error: already running (pid {})\n", army1.id());
    assert_eq!((refused.status.code(), errors.starts_with(&expected)), (Some(3), true), "{errors}");
    army1.say("Still here.");
    army1.expect("[army] Army1 (me): Still here. (waiting)");
}

#[test]
fn a_device_that_falls_silent_on_tcp_is_known_to_be_gone() {
    falls_silent("/ip4/0.0.0.0/tcp/0");
}

#[test]
fn a_device_that_falls_silent_on_quic_is_known_to_be_gone() {
    falls_silent("/ip4/0.0.0.0/udp/0/quic-v1");
}

/// Nothing on either host has ended, and no interface is gone: one device does not answer to its address any more.
fn falls_silent(listen: &str) {
    let gone = "-- no member is in reach; what you write waits";
    let (unit, lan) = (found(), Lan::new());
    let [mut army1, mut army2] = [("Army1", &lan.first), ("Army2", &lan.second)].map(|(name, host)| {
        Node::spawn(name, &mut host.run(&unit.command(name, ["start", "--plain", "--listen", listen])))
    });
    for node in [&mut army1, &mut army2] {
        node.expect_in_reach(1);
    }
    assert_eq!(army1.count(gone), 0, "{}", army1.transcript());
    lan.second.ip(&["address", "del", "10.0.0.2/24", "dev", "lan0"]);
    let is_told = || {
        army1.look();
        (army1.count(gone) > 0).then_some(())
    };
    let told = poll_until(Instant::now() + SILENCE_LIMIT, is_told);
    assert!(told.is_some(), "{}", army1.transcript());
}
