//! Conversations of real nodes over pipes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod unit;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use unit::{CHIEF, Node, PATIENCE, Rank, Unit, poll_until, start_args};

/// A commander's node and others that dial it, once each is connected to all the others.
fn chief_and(unit: &Unit, names: &[&str]) -> (Node, Vec<Node>) {
    let mut chief = unit.start(CHIEF, &[]);
    let address = chief.address();
    let mut others: Vec<Node> = names.iter().map(|name| unit.start(name, &[&address])).collect();
    for node in others.iter_mut().chain([&mut chief]) {
        node.expect_in_reach(names.len());
    }
    (chief, others)
}

#[test]
fn a_troop_talks_and_only_who_may_read_it_reads_it() {
    let unit = Unit::found();
    for (name, troop) in [("Army1", "army"), ("Army2", "army"), ("Army3", "army"), ("Navy1", "navy")] {
        unit.admit(name, Rank::Soldier(troop));
    }
    let (mut chief, mut others) = chief_and(&unit, &["Army1", "Army2", "Army3", "Navy1"]);
    let [army1, army2, army3, navy1] = others.as_mut_slice() else { unreachable!() };

    army1.say("Hello guys, how are you doing?");
    army2.expect("[army] Army1: Hello guys, how are you doing?");
    army2.say("I am fine, what about you?");
    army3.expect("[army] Army2: I am fine, what about you?");
    army3.say("I am also fine.");
    army3.expect("[army] Army3 (me): I am also fine.");
    army1.expect("[army] Army3: I am also fine.");
    chief.expect("[army] Army1: Hello guys, how are you doing?");
    chief.expect("[army] Army3: I am also fine.");

    navy1.say("ahoy");
    chief.expect("[navy] Navy1: ahoy");
    for node in [&mut chief, army1, army2, army3, navy1] {
        node.end_input();
        assert!(node.wait_end().success(), "{}", node.transcript());
    }
    let messages = |node: &Node| node.seen().iter().filter(|line| line.starts_with('[')).cloned().collect::<Vec<_>>();
    assert_eq!(messages(navy1), ["[navy] Navy1 (me): ahoy"]);
    assert!(messages(army1).iter().all(|line| line.starts_with("[army] ")), "{}", army1.transcript());
    assert_eq!(messages(&chief).len(), 4, "{}", chief.transcript());
}

#[test]
fn a_refused_post_says_why_and_the_chat_goes_on() {
    let unit = Unit::found();
    let mut chief = unit.start(CHIEF, &[]);
    chief.say(":r");
    chief.expect("-- army is open, to read only");
    chief.say("hold your position");
    chief.expect_start("-- refused: ");
    chief.expect_start("-- hint: ");
    chief.say(":h");
    chief.say("report");
    chief.expect("[heads] Chief (me): report (waiting)");
    chief.end_input();
    assert!(chief.wait_end().success());
    assert!(!chief.seen().iter().any(|line| line.contains("hold your position")), "{}", chief.transcript());
}

#[test]
fn a_soldier_opens_no_other_group_and_no_mistyped_command_is_posted() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    let mut army1 = unit.start("Army1", &[]);
    army1.say(":h");
    army1.expect("-- refused: `:h` opens no group of yours: a soldier of army reads army only");
    army1.say(":t");
    army1.expect_start("-- refused: `:t` is for a troop's leader");
    army1.say(":helpme");
    army1.expect("-- refused: there is no command `:helpme`");
    army1.say("::helpme is what I typed");
    army1.expect("[army] Army1 (me): :helpme is what I typed (waiting)");
    army1.say(":help");
    army1.expect_start("-- :quit, logmeout");
    army1.say("logmeout");
    assert!(army1.wait_end().success());
}

#[test]
fn a_leader_toggles_and_is_heard_in_both_groups() {
    let unit = Unit::found();
    unit.admit("Lead", Rank::Leader("army"));
    unit.admit("Army1", Rank::Soldier("army"));
    let (mut chief, mut others) = chief_and(&unit, &["Lead", "Army1"]);
    let [lead, army1] = others.as_mut_slice() else { unreachable!() };
    lead.say("fall in");
    lead.say(":t");
    lead.expect("-- heads is open");
    lead.say("all here");
    chief.expect("[army] Lead: fall in");
    chief.expect("[heads] Lead: all here");
    lead.say(":t");
    lead.say("at ease");
    army1.expect("[army] Lead: fall in");
    army1.expect("[army] Lead: at ease");
    assert!(!army1.seen().iter().any(|line| line.contains("all here")), "{}", army1.transcript());
}

#[test]
fn what_was_said_before_the_end_of_input_is_kept_and_shown_again_once() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    let mut army1 = unit.start("Army1", &[]);
    army1.write(b"first\nlast, without a line break");
    army1.end_input();
    assert!(army1.wait_end().success(), "{}", army1.transcript());
    assert_eq!(army1.count("[army] Army1 (me): last, without a line break (waiting)"), 1, "{}", army1.transcript());

    let mut again = unit.start("Army1", &[]);
    again.expect("[army] Army1 (me): first (waiting)");
    again.expect("[army] Army1 (me): last, without a line break (waiting)");
    again.end_input();
    assert!(again.wait_end().success());
    for line in ["[army] Army1 (me): first (waiting)", "[army] Army1 (me): last, without a line break (waiting)"] {
        assert_eq!(again.count(line), 1, "{}", again.transcript());
    }
}

#[test]
fn the_last_week_is_saved_to_a_file_for_its_owner_alone() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    let mut army1 = unit.start("Army1", &[]);
    army1.say("for the record");
    army1.expect("[army] Army1 (me): for the record (waiting)");
    army1.say(":d");
    let saved = army1.expect_start("-- saved 1 message to ");
    let path = PathBuf::from(saved.trim_start_matches("-- saved 1 message to "));
    let path = if path.is_absolute() { path } else { unit.folder().join(path) };
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().any(|line| line.ends_with("  Army1: for the record")), "{text}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn unusable_lines_are_refused_one_by_one() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    let mut army1 = unit.start("Army1", &[]);
    army1.write(b"\xff\xfe\n");
    army1.expect("-- refused: the line is not UTF-8 text");
    army1.say(&"x".repeat(5000));
    army1.expect("-- refused: the message is 5000 bytes long, at most 4096 fit");
    army1.say(&"x".repeat(100_000));
    army1.expect("-- refused: the line is longer than 65536 bytes");
    army1.say("still here");
    army1.expect("[army] Army1 (me): still here (waiting)");
}

#[test]
fn a_chat_that_nobody_reads_ends_cleanly() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    let mut army1 = unit.start("Army1", &[]);
    army1.address();
    army1.stop_reading();
    assert!(army1.wait_end_saying("is anybody there?").success(), "{}", army1.transcript());
}

#[test]
fn a_headless_node_carries_on_without_input() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    let mut chief = unit.start_with(CHIEF, &[], &["--headless"]);
    chief.end_input();
    let mut army1 = unit.start("Army1", &[&chief.address()]);
    army1.expect_in_reach(1);
    army1.say("is anybody awake?");
    chief.expect("[army] Army1: is anybody awake?");
}

#[test]
fn nothing_that_is_said_gets_into_the_output_of_a_node_without_a_screen() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    let mut army1 = unit.start("Army1", &[]);
    let address = army1.address();
    let mut args = start_args(&[&address]);
    args.push("--headless");
    let mut chief = Node::spawn(CHIEF, &mut unit.command(CHIEF, args));
    army1.expect_in_reach(1);
    army1.say("for your eyes only");
    let is_kept = || {
        let kept = unit.run(CHIEF, ["log", "army"]).stdout;
        String::from_utf8_lossy(&kept).contains("for your eyes only").then_some(())
    };
    let kept = poll_until(Instant::now() + PATIENCE, is_kept);
    assert!(kept.is_some(), "{}", chief.transcript());
    assert!(Command::new("kill").arg(chief.id().to_string()).status().unwrap().success());
    assert!(chief.wait_end().success(), "{}", chief.transcript());
    let outputs = chief.transcript();
    assert!(outputs.contains("node starts"), "it says what it does: {outputs}");
    assert!(!outputs.contains("for your eyes only"), "{outputs}");
}
