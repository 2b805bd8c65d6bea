//! Who got it, and who has answered: real nodes, as processes on loopback, that come and go.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod records;
mod unit;

use std::fs;
use std::process::Command;
use std::time::Instant;

use muster::disk::Disk;
use muster::engine::draft::Draft;
use muster::engine::store::Store;
use muster::home::Home;
use muster_keys::{Identity, KeyFile};
use muster_roles::{Roster, Timestamp};
use serde_json::Value;

use crate::unit::{CHIEF, Node, PATIENCE, Rank, Unit, poll_until};

const MINUTE_MS: u64 = 60 * 1000;

/// The leaders of the troops, in the order in which they are told.
const LEADERS: [&str; 3] = ["Navy1", "Air1", "Army1"];

fn end(mut node: Node) -> Vec<String> {
    node.end_input();
    assert!(node.wait_end().success(), "{}", node.transcript());
    node.seen().to_vec()
}

/// Types a question again and again until a line of the answer starts like this, and returns the line.
fn ask_until(node: &mut Node, question: &str, start: &str) -> String {
    let asked = || {
        node.say(question);
        node.look();
        node.seen().iter().find(|line| line.starts_with(start)).cloned()
    };
    let found = poll_until(Instant::now() + PATIENCE, asked);
    found.unwrap_or_else(|| panic!("{question} never says {start:?}\n{}", node.transcript()))
}

fn now_s() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// How a screen in UTC shows each of these seconds.
fn shown(from_s: i64, to_s: i64) -> Vec<String> {
    let show = |second| jiff::Timestamp::from_second(second).unwrap().strftime("%a %H:%M:%S").to_string();
    (from_s..=to_s).map(show).collect()
}

#[test]
fn a_sender_that_was_away_learns_when_the_last_reader_got_it_with_only_a_carrier_between_them() {
    let unit = Unit::found();
    unit.admit("Lead", Rank::Leader("army"));
    for name in ["Army1", "Army2", "Army3"] {
        unit.admit(name, Rank::Soldier("army"));
    }
    unit.admit("Base", Rank::Carrier);
    let mut base = unit.start("Base", &[]);
    let address = base.address();
    let mut army2 = unit.start("Army2", &[&address]);
    let mut army1 = unit.start("Army1", &[&address]);
    for node in [&mut army1, &mut army2] {
        node.expect_in_reach(2);
    }

    // The commander, the leader, Army2 and Army3 read what Army1 says.
    let sent = unit.run_ok("Army1", ["send", "army", "who has this?", "--wait", "25s"]);
    assert!(sent.ends_with(": 1 of 4 members have it\n"), "{sent}");
    army1.say(":who");
    army1.expect("-- 1/4 delivered in army");
    army1.expect_start("-- Army2, a soldier of army: has it since ");
    for line in ["Army3, a soldier of army", "Chief, the commander", "Lead, the leader of army"] {
        army1.expect(&format!("-- {line}: not yet"));
    }
    end(army1);
    end(army2);

    let came_s = now_s();
    let mut army3 = unit.start("Army3", &[&address]);
    army3.expect("[army] Army1: who has this?");
    ask_until(&mut army3, ":who 1", "-- Army3, a soldier of army: has it since ");
    end(army3);
    let went_s = now_s();

    let mut army1 = unit.start("Army1", &[&address]);
    ask_until(&mut army1, ":who", "-- 2/4 delivered in army");
    let line = army1.expect_start("-- Army3, a soldier of army: has it since ");
    let at = line.rsplit("since ").next().unwrap();
    assert!(shown(came_s, went_s).iter().any(|second| second == at), "{line}: it was there at {came_s} to {went_s}");
    // Who carried message and receipt could read neither.
    assert!(!end(base).iter().any(|line| line.contains("who has this?")));
}

/// Starts the commander and the leaders, all connected.
fn heads(unit: &Unit) -> (Node, Vec<Node>) {
    let mut chief = unit.start(CHIEF, &[]);
    let address = chief.address();
    let mut leaders: Vec<Node> = LEADERS.iter().map(|name| unit.start(name, &[&address])).collect();
    for node in leaders.iter_mut().chain([&mut chief]) {
        node.expect_in_reach(LEADERS.len());
    }
    (chief, leaders)
}

fn commander_and_leaders() -> Unit {
    let unit = Unit::found();
    for (name, troop) in LEADERS.iter().zip(["navy", "airforce", "army"]) {
        unit.admit(name, Rank::Leader(troop));
    }
    unit
}

/// Waits until a node knows an order to which its member owes an answer or not, and returns the order.
fn order(unit: &Unit, name: &str, is_owed: bool) -> Value {
    let look = || {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--unix-socket", "control.sock", "http://m/v1/orders"]).current_dir(unit.home(name));
        let answer: Value = serde_json::from_slice(&curl.output().unwrap().stdout).ok()?;
        answer["orders"].as_array()?.iter().find(|order| order["mine_to_answer"] == is_owed).cloned()
    };
    poll_until(Instant::now() + PATIENCE, look).unwrap_or_else(|| panic!("{name} knows no such order"))
}

#[test]
fn an_order_shows_who_has_answered_and_who_is_missing_through_restarts_of_all() {
    let unit = commander_and_leaders();
    let (mut chief, mut leaders) = heads(&unit);
    chief.say(":order hold the bridge");
    for leader in &mut leaders {
        leader.expect("-- order of Chief in heads: hold the bridge (answer with :ack or :cannot)");
    }
    leaders[2].say(":ack on it");
    chief.expect("-- order in heads: hold the bridge: Army1 ack: on it; missing: Navy1, Air1");
    leaders[0].say(":cannot the road is cut");
    let two = "-- order in heads: hold the bridge: Army1 ack: on it; Navy1 cannot: the road is cut; missing: Air1";
    chief.expect(two);
    for node in leaders.iter_mut().chain([&mut chief]) {
        node.kill();
    }

    let (mut chief, mut leaders) = heads(&unit);
    ask_until(&mut chief, ":orders", two);
    ask_until(&mut leaders[1], ":orders", "-- order of Chief in heads: hold the bridge (answer with :ack or :cannot)");
    for name in ["Army1", "Navy1"] {
        assert_eq!(order(&unit, name, false)["missing"], serde_json::json!(["Air1"]), "{name} has answered");
    }
    leaders[1].say(":ack");
    let all = "Army1 ack: on it; Navy1 cannot: the road is cut; Air1 ack";
    chief.expect(&format!("-- order in heads: hold the bridge: all have answered: {all}"));
    for node in leaders.iter_mut().chain([&mut chief]) {
        node.kill();
    }

    // All know who has answered what, and nobody is told of it anew.
    let (mut chief, leaders) = heads(&unit);
    for name in LEADERS.iter().chain([&CHIEF]) {
        let order = order(&unit, name, false);
        assert_eq!(order["missing"], serde_json::json!([]), "{name}");
        let answers = order["answers"].as_array().unwrap().iter();
        let answers: Vec<_> = answers.map(|answer| (answer["member"].clone(), answer["able"].clone())).collect();
        assert_eq!(
            answers,
            [("Army1", true), ("Navy1", false), ("Air1", true)].map(|(who, able)| (who.into(), able.into()))
        );
    }
    chief.say(":orders");
    chief.expect("-- no order waits");
    assert!(!chief.seen().iter().any(|line| line.starts_with("-- order in heads")), "{}", chief.transcript());
    drop(leaders);
}

fn identity(unit: &Unit, name: &str) -> Identity {
    match muster_keys::load(&Home::new(unit.home(name)).role_key_path()).unwrap() {
        KeyFile::Open { identity, .. } => identity,
        KeyFile::Locked(_) => panic!("{name}'s key has a passphrase"),
    }
}

/// Has every home hold an order of the commander that came so long ago.
fn order_long_ago(unit: &Unit, ago_ms: u64, text: &str) {
    let now_ms = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap();
    let bytes = fs::read(Home::new(unit.home(CHIEF)).roster_path()).unwrap();
    let roster = Roster::decode(&bytes, Timestamp::from_ms(now_ms)).unwrap();
    let mut engines = records::Unit::of(roster.into(), [(CHIEF, identity(unit, CHIEF))]);
    let order = engines.say(CHIEF, "heads", now_ms - ago_ms, Draft::order(text));
    for name in LEADERS.iter().chain([&CHIEF]) {
        // Every home has the newest roster, as if all had run since.
        fs::write(Home::new(unit.home(name)).roster_path(), &bytes).unwrap();
        let mut disk = Disk::open(&Home::new(unit.home(name)).database_path()).unwrap();
        disk.append(std::slice::from_ref(&order)).unwrap();
        disk.sent(&records::group("heads"), &records::names(std::slice::from_ref(&order))).unwrap();
    }
}

#[test]
fn after_ten_minutes_whoever_owes_an_answer_and_who_gave_the_order_are_reminded_and_nobody_else() {
    let unit = commander_and_leaders();
    order_long_ago(&unit, 11 * MINUTE_MS, "report");
    let (mut chief, mut leaders) = heads(&unit);
    for leader in &mut leaders {
        leader.expect("-- an order of Chief in heads still waits for your answer: :ack or :cannot");
    }
    chief.expect("-- your order has no answer yet from Navy1, Air1, Army1");
    leaders[0].say(":ack");
    chief.expect("-- order in heads: report: Navy1 ack; missing: Air1, Army1");
    leaders[2].say(":ack");
    chief.expect("-- order in heads: report: Navy1 ack; Army1 ack; missing: Air1");
    for node in leaders.iter_mut().chain([&mut chief]) {
        node.kill();
    }

    // A start reminds of what has waited so long, whoever was reminded before it.
    let (mut chief, mut leaders) = heads(&unit);
    chief.expect("-- your order has no answer yet from Air1");
    leaders[1].expect("-- an order of Chief in heads still waits for your answer: :ack or :cannot");
    // Who confirms a message has been through all that a start does, and through the tick that reminds.
    let sent = unit.run_ok(CHIEF, ["send", "heads", "and the others?", "--flash", "--wait", "25s"]);
    assert!(sent.contains(" of 3 members have it"), "{sent}");
    ask_until(&mut chief, ":who", "-- 3/3 delivered in heads");
    for answered in [0, 2] {
        let leader = &mut leaders[answered];
        leader.look();
        assert!(!leader.seen().iter().any(|line| line.contains("still waits")), "{}", leader.transcript());
    }
    leaders[1].say(":ack");
    chief.expect("-- order in heads: report: all have answered: Navy1 ack; Army1 ack; Air1 ack");
}
