//! Full-screen chats on a node that runs already, at real terminals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod terminal;
mod unit;

use std::time::Instant;

use terminal::{Terminal, between_looks_at_the_settings, count, expect_clean};
use unit::{CHIEF, MUSTER, Node, PATIENCE, Rank, Unit, poll_until, start_args};

/// Starts a node without a screen, and waits until chats can be opened on it.
fn headless(unit: &Unit, name: &str) -> Node {
    let mut args = start_args(&[]);
    args.push("--headless");
    let node = Node::spawn(name, &mut unit.command(name, args));
    let up = || unit.run(name, ["status"]).status.success().then_some(());
    poll_until(Instant::now() + PATIENCE, up).unwrap_or_else(|| panic!("no socket: {}", node.transcript()));
    node
}

/// Opens a terminal of its own with a chat on a member's running node.
fn chat(unit: &Unit, name: &str, terminal: &str) -> Terminal {
    let opened = Terminal::open_titled(unit, name, terminal, "screen", &format!("{MUSTER} chat"));
    opened.wait("the prompt", |screen| screen.last().is_some_and(|last| last.ends_with('>')));
    opened
}

#[test]
fn what_one_types_stands_at_both_and_leaving_one_leaves_the_rest() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let mut node = headless(&unit, "Army3");
    let (one, two) = (chat(&unit, "Army3", "one"), chat(&unit, "Army3", "two"));
    // What is half typed at the other stays there, and there alone.
    two.type_text("half a li");
    two.expect_last("army> half a li");
    one.say("from one");
    for terminal in [&one, &two] {
        terminal.expect("Army3 (me): from one (waiting)");
    }
    one.expect_last("army>");
    let screen = two.expect_last("army> half a li");
    assert_eq!(count(&screen, "from one"), 1, "{screen:#?}");
    two.say("ne from two");
    let screen = one.expect("Army3 (me): half a line from two (waiting)");
    assert_eq!(count(&screen, "from two"), 1, "{screen:#?}");

    one.say("logmeout");
    one.expect_end();
    two.say("still here");
    two.expect("Army3 (me): still here (waiting)");
    unit.run_ok("Army3", ["send", "army", "from a command"]);
    two.expect("Army3 (me): from a command (waiting)");

    // One that comes later finds what was said.
    let three = chat(&unit, "Army3", "three");
    for said in ["from one", "half a line from two", "still here", "from a command"] {
        three.expect(&format!("Army3 (me): {said} (waiting)"));
    }
    for (terminal, way) in [(&two, "C-d"), (&three, "C-d")] {
        terminal.press(way);
        terminal.expect_end();
    }
    unit.run_ok("Army3", ["status"]);
    node.kill();
}

#[test]
fn shutdown_typed_at_one_ends_the_node_and_tells_the_other_why_it_ends() {
    let unit = Unit::found();
    let mut node = headless(&unit, CHIEF);
    let (one, two) = (chat(&unit, CHIEF, "one"), chat(&unit, CHIEF, "two"));
    one.say(":shutdown");
    let screen = one.expect_end();
    assert_eq!(screen, ["ended with 0"]);
    let screen = two.expect("ended with 1");
    assert_eq!(screen, ["error: the node has ended", "hint: start it again with `muster start`", "ended with 1"]);
    assert!(node.wait_end().success(), "{}", node.transcript());
}

#[test]
fn an_order_that_came_before_the_chat_stands_on_top_and_a_bell_that_is_off_stays_silent() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Leader("army"));
    unit.admit("Army3", Rank::Soldier("army"));
    let mut army1 = unit.start("Army1", &[]);
    let address = army1.address();
    let mut args = start_args(&[&address]);
    args.push("--headless");
    let node = Node::spawn("Army3", &mut unit.command("Army3", args));
    army1.expect_in_reach(1);
    army1.say(":order Dig in by noon.");
    let has_order = || unit.run("Army3", ["log", "army"]).stdout.windows(6).any(|part| part == b"Dig in").then_some(());
    poll_until(Instant::now() + PATIENCE, has_order).unwrap_or_else(|| panic!("no order: {}", node.transcript()));

    std::fs::write(unit.home("Army3").join("muster.toml"), "bell = false\n").unwrap();
    let terminal = chat(&unit, "Army3", "one");
    terminal.record();
    let screen = terminal.expect("1 order to answer: :ack or :cannot");
    assert!(screen[2].contains("Army1: Dig in by noon."), "{screen:#?}");
    army1.say(":flash Enemy at the bridge.");
    terminal.expect("[flash] Enemy at the bridge.");
    terminal.say(":ack");
    terminal.wait("the order gone from the top", |screen| count(screen, "1 order to answer") == 0);
    assert_eq!(terminal.bells(), 0);
}

#[test]
fn a_node_that_is_killed_under_a_chat_leaves_its_terminal_as_it_was_and_the_reason() {
    let unit = Unit::found();
    unit.admit("Army3", Rank::Soldier("army"));
    let mut node = headless(&unit, "Army3");
    let command = between_looks_at_the_settings(&format!("{MUSTER} chat"));
    let terminal = Terminal::open(&unit, "Army3", &command);
    terminal.expect_last("army>");
    terminal.type_text("half a li");
    terminal.expect_last("army> half a li");
    node.kill();
    let screen = terminal.expect_end();
    assert!(count(&screen, "error: the node has ended") == 1, "{screen:#?}");
    assert!(count(&screen, "hint: start it again with `muster start`") == 1, "{screen:#?}");
    expect_clean(&unit, &terminal, &screen);
}

#[test]
fn a_chat_without_a_node_says_so_and_leaves_the_terminal_alone() {
    let unit = Unit::found();
    let command = between_looks_at_the_settings(&format!("{MUSTER} chat"));
    let terminal = Terminal::open(&unit, CHIEF, &command);
    let screen = terminal.expect_end();
    assert!(count(&screen, "error: no node runs on this home") == 1, "{screen:#?}");
    expect_clean(&unit, &terminal, &screen);
}
