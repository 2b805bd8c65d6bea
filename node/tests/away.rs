//! Members that were away, or come a moment late: real nodes, as processes on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod unit;

use std::time::{Duration, Instant};

use unit::{CHIEF, Node, Rank, Unit};

/// Messages sent while a member is away: a screenful, all of which is shown.
const MESSAGES: usize = 50;

/// How soon a message must come that was said a moment before its reader did: far sooner than the regular rounds.
const MOMENT: Duration = Duration::from_secs(15);

fn unit() -> Unit {
    let unit = Unit::found();
    for (name, troop) in [("Army1", "army"), ("Army2", "army"), ("Navy1", "navy")] {
        unit.admit(name, Rank::Soldier(troop));
    }
    unit
}

fn end(mut node: Node) -> Vec<String> {
    node.end_input();
    assert!(node.wait_end().success(), "{}", node.transcript());
    node.seen().to_vec()
}

#[test]
fn a_member_that_was_away_gets_all_it_missed_in_order_once_each_under_one_header() {
    let unit = unit();
    let mut navy1 = unit.start("Navy1", &[]);
    let address = navy1.address();
    let mut army1 = unit.start("Army1", &[&address]);
    army1.expect_in_reach(1);
    for number in 1..=MESSAGES {
        army1.say(&format!("message {number}"));
    }
    end(army1);

    let mut army2 = unit.start("Army2", &[&address]);
    army2.expect(&format!("[army] Army1: message {MESSAGES}"));
    let lines = end(army2);
    let header = lines.iter().position(|line| *line == format!("-- {MESSAGES} messages while you were away"));
    let block: Vec<String> = (1..=MESSAGES).map(|number| format!("[army] Army1: message {number}")).collect();
    let header = header.unwrap_or_else(|| panic!("no header: {lines:#?}"));
    assert_eq!(lines[header + 1..=header + MESSAGES], block, "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with('[')).count(), MESSAGES, "{lines:#?}");
    assert!(!navy1.seen().iter().any(|line| line.starts_with('[')), "who carries does not read");
}

#[test]
fn what_was_said_a_moment_before_a_member_came_reaches_it_at_once() {
    let unit = unit();
    let mut chief = unit.start(CHIEF, &[]);
    let address = chief.address();
    let started = Instant::now();
    let mut army1 = unit.start("Army1", &[&address]);
    army1.say("Who is there?");
    // It goes out to the first that comes, and counts as sent; the other must get it all the same.
    army1.expect_in_reach(1);
    let mut army2 = unit.start("Army2", &[&address]);
    army2.expect("[army] Army1: Who is there?");
    assert!(started.elapsed() < MOMENT, "it took {:?}", started.elapsed());
}

#[test]
fn what_nobody_heard_waits_and_is_sent_by_the_next_start() {
    let unit = unit();
    let mut army1 = unit.start("Army1", &[]);
    ["one", "two", "three"].iter().for_each(|text| army1.say(text));
    army1.expect("[army] Army1 (me): three (waiting)");
    army1.kill();

    let mut army2 = unit.start("Army2", &[]);
    let mut army1 = unit.start("Army1", &[&army2.address()]);
    army1.expect("[army] Army1 (me): three (waiting)");
    army1.expect("-- sent: 3 messages that waited");
    army2.expect("[army] Army1: three");
    let lines = end(army1);
    assert!(!lines.iter().any(|line| line.contains("refused")), "{lines:#?}");

    let mut army1 = unit.start("Army1", &[]);
    army1.expect("[army] Army1 (me): three");
    assert!(!end(army1).iter().any(|line| line.ends_with("(waiting)")));
}

#[test]
fn a_line_stands_before_what_came_while_nobody_looked() {
    let unit = unit();
    let mut army1 = unit.start("Army1", &[]);
    let address = army1.address();
    let mut army2 = unit.start("Army2", &[&address]);
    army1.expect_in_reach(1);
    army1.say("seen");
    army2.expect("[army] Army1: seen");
    end(army2);

    let mut army2 = unit.start_with("Army2", &[&address], &["--headless"]);
    army2.expect_in_reach(1);
    army1.say("not seen");
    army2.expect("[army] Army1: not seen");
    army2.kill();

    let mut army2 = unit.start("Army2", &[]);
    army2.expect("[army] Army1: not seen");
    let lines: Vec<String> =
        end(army2).into_iter().filter(|line| line.contains("seen") || line.contains("unread")).collect();
    assert_eq!(lines, ["[army] Army1: seen", "-- unread --", "[army] Army1: not seen"]);
    let mut army2 = unit.start("Army2", &[]);
    army2.expect("[army] Army1: not seen");
    assert!(!end(army2).contains(&"-- unread --".to_owned()), "it has been seen now");
}
