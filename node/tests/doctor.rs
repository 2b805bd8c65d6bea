//! The doctor on small networks, which are made of namespaces here: what it says helps.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "lan/network.rs"]
mod network;
mod unit;

use serde_json::Value;

use crate::network::{Host, Lan};
use crate::unit::{Node, Rank, Unit};

/// What the doctor said to a program.
struct Told {
    findings: Vec<Value>,
    dial: Value,
    code: Option<i32>,
}

fn doctor(unit: &Unit, host: &Host, name: &str) -> Told {
    let output = host.run(&unit.command(name, ["doctor", "--json"])).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut findings: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let dial = findings.pop().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)))["dial"].clone();
    Told { findings, dial, code: output.status.code() }
}

impl Told {
    /// What a check found, at a level.
    #[track_caller]
    fn found(&self, check: &str, level: &str) -> &str {
        let found = self.findings.iter().find(|finding| finding["check"] == check && finding["level"] == level);
        found.unwrap_or_else(|| panic!("no {level} of {check} in {:?}", self.findings))["what"].as_str().unwrap()
    }

    fn has(&self, check: &str, level: &str) -> bool {
        self.findings.iter().any(|finding| finding["check"] == check && finding["level"] == level)
    }
}

/// Starts a node by a line that the doctor gave, on a member's home.
fn start_by(unit: &Unit, host: &Host, name: &str, line: &str) -> Node {
    let (_, flags) = line.split_once(" start").unwrap_or_else(|| panic!("{line:?} starts no node"));
    Node::spawn(
        name,
        &mut host.run(&unit.command(name, ["start", "--plain"].into_iter().chain(flags.split_whitespace()))),
    )
}

fn two_leaders() -> Unit {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Leader("army"));
    unit.admit("Navy1", Rank::Leader("navy"));
    unit
}

/// Two hosts whose cable takes no multicast.
fn without_multicast() -> Lan {
    let lan = Lan::new();
    for host in [&lan.first, &lan.second] {
        host.ip(&["link", "set", "lan0", "multicast", "off"]);
    }
    lan
}

#[test]
fn without_multicast_the_doctor_names_it_and_its_dial_line_works() {
    let (unit, lan) = (two_leaders(), without_multicast());
    let told = doctor(&unit, &lan.first, "Navy1");
    assert_eq!(told.code, Some(1));
    let expected = "no multicast: lan0 does not take it, so nodes cannot find each other by themselves here";
    assert_eq!(told.found("multicast", "problem"), expected);
    assert_eq!(told.found("interfaces", "good"), "connected by lan0");
    let mut navy1 = start_by(&unit, &lan.first, "Navy1", told.dial["here"].as_str().unwrap());
    navy1.address();
    let mut army1 = start_by(&unit, &lan.second, "Army1", told.dial["there"][0].as_str().unwrap());
    army1.expect("-- 1 member in reach");
    navy1.expect("-- 1 member in reach");
}

#[test]
fn beside_a_running_node_the_doctor_gives_the_line_that_reaches_it() {
    let (unit, lan) = (two_leaders(), without_multicast());
    let mut navy1 = Node::spawn("Navy1", &mut lan.first.run(&unit.command("Navy1", ["start", "--plain"])));
    navy1.address();
    let told = doctor(&unit, &lan.first, "Navy1");
    assert!(told.found("node", "note").ends_with("connected to nobody"), "{:?}", told.findings);
    assert!(told.has("multicast", "problem"), "{:?}", told.findings);
    assert!(told.dial["here"].is_null(), "{}", told.dial);
    let mut army1 = start_by(&unit, &lan.second, "Army1", told.dial["there"][0].as_str().unwrap());
    army1.expect("-- 1 member in reach");
    navy1.expect("-- 1 member in reach");
    let told = doctor(&unit, &lan.first, "Navy1");
    assert!(told.found("node", "good").ends_with("connected to 1 member"), "{:?}", told.findings);
    assert_eq!(told.found("clock", "good"), "within a minute of the other members'");
}

#[test]
fn on_a_sound_network_the_doctor_hears_the_others_and_exits_with_zero() {
    let (unit, lan) = (two_leaders(), Lan::new());
    let mut army1 = Node::spawn("Army1", &mut lan.second.run(&unit.command("Army1", ["start", "--plain"])));
    army1.address();
    let told = doctor(&unit, &lan.first, "Navy1");
    assert_eq!(told.found("mdns", "good"), "heard Army1");
    assert_eq!(told.found("multicast", "good"), "lan0 takes multicast, by which nodes find each other");
    assert_eq!(told.code, Some(0), "{:?}", told.findings);
    assert!(!told.has("reach", "problem"), "{:?}", told.findings);
}

#[test]
fn a_node_of_another_unit_is_heard_and_told_apart() {
    let (unit, other, lan) = (two_leaders(), two_leaders(), Lan::new());
    let mut stranger = Node::spawn("Army1", &mut lan.second.run(&other.command("Army1", ["start", "--plain"])));
    stranger.address();
    let told = doctor(&unit, &lan.first, "Navy1");
    assert_eq!(told.found("unit", "note"), "a node was heard that this home's roster does not know");
    assert_eq!(told.found("mdns", "note"), "no other member of the unit answered on the local network");
}

#[test]
fn a_host_with_its_interface_off_and_one_with_loopback_alone_are_told_so() {
    let (unit, lan) = (two_leaders(), Lan::new());
    lan.first.ip(&["link", "set", "lan0", "down"]);
    assert_eq!(doctor(&unit, &lan.first, "Navy1").found("interfaces", "problem"), "lan0 is switched off");
    lan.first.cut_cable(0);
    let told = doctor(&unit, &lan.first, "Navy1");
    let expected = "this device has no network interface but loopback, which leads nowhere";
    assert_eq!(told.found("interfaces", "problem"), expected);
    assert_eq!(told.dial["loopback_only"], true);
}
