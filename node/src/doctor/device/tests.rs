#![allow(clippy::unwrap_used)]

use super::super::Level;
use super::super::facts::Firewall;
use super::*;
use crate::control::{ClockState, PeerRoster, Status};

const HOUR_MS: u64 = 60 * 60 * 1000;

/// A node as it says it is.
fn running(change: impl FnOnce(&mut Status)) -> Facts {
    let mut status: Status = serde_json::from_value(serde_json::json!({
        "version": "0.1.0", "pid": 42, "uptime_s": 60, "name": "Army1", "role": "leader", "troop": "army",
        "unit": "1st Brigade", "unit_words": "one two three four five six",
        "roster": {"version": 7, "issued_ms": 0, "age_s": 60, "members": 3},
        "connected": 2, "listening": [], "waiting": 0, "clock": {"off_by_ms": null}, "store_works": true, "listeners": 1
    }))
    .unwrap();
    change(&mut status);
    Facts { node: NodeFacts::Running(Box::new(status)), ..Facts::default() }
}

#[track_caller]
fn problem(check: Check, facts: &Facts) -> (String, String) {
    let found = check(facts);
    let [Finding { level: Level::Problem, what, advice, .. }] = found.as_slice() else { panic!("{found:?}") };
    (what.clone(), advice.clone().unwrap())
}

#[test]
fn every_trouble_of_the_home_is_told_with_its_advice() {
    let mut facts = Facts::default();
    facts.home.dir = "army1".into();
    facts.home.member = Some("Army1, leader of army of 1st Brigade".to_owned());
    assert_eq!(home(&facts), [Finding::good("home", "army1 is Army1, leader of army of 1st Brigade")]);
    facts.home.troubles = vec![("the key is open".to_owned(), Some("close it".to_owned())), ("odd".to_owned(), None)];
    let expected = [
        Finding::problem("home", "the key is open", "close it"),
        Finding::problem("home", "odd", "see what lies in army1"),
    ];
    assert_eq!(home(&facts), expected);
}

#[test]
fn little_space_is_a_problem_and_enough_or_unknown_is_none() {
    let with = |free_bytes| Facts { free_bytes, ..Facts::default() };
    assert!(problem(space, &with(Some(LITTLE_SPACE - 1))).0.starts_with("63 MiB are left"));
    assert_eq!(space(&with(Some(LITTLE_SPACE))), []);
    assert_eq!(space(&with(None)), []);
}

#[test]
fn a_roster_older_than_that_of_a_peer_is_a_problem_and_any_other_is_none() {
    let met = |version: u64| {
        running(|status| {
            let newest = PeerRoster { version, name: "Chief".parse().unwrap() };
            status.roster.newest_of_peers = Some(newest);
        })
    };
    let (what, _) = problem(roster, &met(8));
    assert_eq!(what, "this node's roster is version 7, older than that of its peers: Chief has version 8");
    for version in [6, 7] {
        assert_eq!(roster(&met(version)), [Finding::good("roster", "version 7, no peer has a newer one")]);
    }
    assert_eq!(roster(&running(|_| {})), []);
}

#[test]
fn a_node_says_whom_it_has_met_and_whether_its_store_works() {
    assert_eq!(node(&running(|_| {})), [Finding::good("node", "running (pid 42), connected to 2 members")]);
    let alone = node(&running(|status| status.connected = 0));
    assert!(matches!(alone.as_slice(), [Finding { level: Level::Note, .. }]), "{alone:?}");
    let full = node(&running(|status| status.store_works = false));
    assert!(full.iter().any(|found| found.level == Level::Problem && found.check == "store"), "{full:?}");
    assert!(problem(node, &Facts { node: NodeFacts::Mute("busy".to_owned()), ..Facts::default() }).0.ends_with("busy"));
    assert_eq!(node(&Facts::default()), []);
}

#[test]
fn a_clock_that_is_off_from_the_others_is_told_either_way() {
    let off = |off_by_ms| running(|status| status.clock = ClockState { off_by_ms: Some(off_by_ms) });
    assert_eq!(problem(clock, &off(3 * HOUR_MS as i64)).0, "the clock is 3 hours ahead of the other members'");
    assert_eq!(problem(clock, &off(-119_000)).0, "the clock is 119 seconds behind the other members'");
    assert_eq!(clock(&off(60_000)), [Finding::good("clock", "within a minute of the other members'")]);
}

#[test]
fn a_clock_before_the_roster_is_wrong_even_with_no_node_running() {
    let mut facts = Facts { now_ms: HOUR_MS, ..Facts::default() };
    facts.home.roster = Some((7, 49 * HOUR_MS));
    assert_eq!(
        problem(clock, &facts).0,
        "the clock is at least 2 days behind: the roster was issued later than it shows"
    );
    facts.home.roster = Some((7, HOUR_MS + MAX_AHEAD_MS));
    assert_eq!(clock(&facts), []);
}

#[test]
fn what_is_not_known_of_a_firewall_is_said() {
    let with = |active, filter_loaded| {
        let facts = Facts { firewall: Firewall { active, filter_loaded }, ..Facts::default() };
        firewall(&facts).into_iter().map(|found| (found.level, found.advice.unwrap())).next()
    };
    let (level, advice) = with(Some(FirewallKind::Ufw), true).unwrap();
    assert!(level == Level::Note && advice.contains("ufw allow 5353/udp"), "{advice}");
    assert!(with(Some(FirewallKind::Firewalld), true).unwrap().1.contains("firewall-cmd"));
    assert!(with(None, true).unwrap().1.contains("nft list ruleset"));
    assert_eq!(with(None, false), None);
}
