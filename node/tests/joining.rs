//! New devices that ask to be let in: real nodes, as processes on loopback, and a device in the middle.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::print_stderr, reason = "what it took is worth a look")]

mod joining {
    pub(crate) mod middle;
}
mod raw;
mod unit;

use std::time::{Duration, Instant};

use joining::middle::Middle;
use unit::{CHIEF, Node, Rank, Unit};

/// Starts a device that asks to join by these addresses, and goes on into the plain chat.
fn join(unit: &Unit, name: &str, dial: &[&str]) -> Node {
    let mut args = vec!["join", name, "--no-mdns", "--plain", "--listen", "/ip4/127.0.0.1/tcp/0"];
    args.extend(dial.iter().flat_map(|address| ["--dial", *address]));
    Node::spawn(name, &mut unit.command(name, args))
}

/// The six words that a device shows.
fn words_of(device: &mut Node) -> String {
    device.expect_start("words: ").trim_start_matches("words: ").to_owned()
}

/// Looks again and again at who asks, until the line is there.
fn expect_request(node: &mut Node, line: &str) {
    node.expect_start("-- a device asks to join as ");
    node.say(":requests");
    node.expect(line);
}

#[test]
fn a_device_joins_by_words_that_two_screens_show_and_talks_at_once() {
    let unit = Unit::found();
    let mut chief = unit.start(CHIEF, &[]);
    let address = chief.address();
    let mut army7 = join(&unit, "Army7", &[&address]);
    let words = words_of(&mut army7);
    assert_eq!(words.split(' ').count(), 6, "{words}");
    expect_request(&mut chief, &format!("-- Army7: {words}"));
    let admitted = Instant::now();
    chief.say(":admit Army7 army");
    army7.expect_start("Admitted to 1st Brigade by the node of Chief.");
    army7.expect_in_reach(1);
    army7.say("here I am");
    chief.expect("[army] Army7: here I am");
    eprintln!("from admission to the first message: {:?}", admitted.elapsed());
    chief.expect_start("-- done: roster version ");
    chief.say(":requests");
    chief.expect_start("-- no device asks to join");
    army7.end_input();
    assert!(army7.wait_end().success());
    // It is a member like any other from now on.
    let mut again = unit.start("Army7", &[&address]);
    again.expect_in_reach(1);
}

#[test]
fn a_device_that_was_stopped_goes_on_with_the_same_key_and_a_leader_lets_it_in() {
    let unit = Unit::found();
    unit.admit("Lead", Rank::Leader("army"));
    let mut lead = unit.start("Lead", &[]);
    let address = lead.address();
    let mut device = join(&unit, "Army7", &[&address]);
    let (words, key) = (words_of(&mut device), device.expect_start("Asking to join as Army7"));
    device.kill();
    let mut device = join(&unit, "Army7", &[&address]);
    assert_eq!(device.expect_start("Asking to join as Army7"), key);
    let anew = words_of(&mut device);
    assert_ne!(anew, words, "numbers are drawn anew each time");
    lead.expect_end(&format!("{anew}; let it in with `:admit Army7 GROUP`"));
    lead.say(":admit Army7 navy");
    lead.expect("-- refused: the leader of army admits and removes soldiers of army only");
    lead.say(":admit Army7 army");
    device.expect_start("Admitted to 1st Brigade by the node of Lead.");
    device.say("reporting");
    lead.expect("[army] Army7: reporting");
}

#[test]
fn a_soldier_s_node_lets_nobody_wait_and_tells_nobody() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    let mut army1 = unit.start("Army1", &[]);
    let address = army1.address();
    let mut device = join(&unit, "Army7", &[&address]);
    device.expect_start("Asking to join as Army7");
    std::thread::sleep(Duration::from_secs(3));
    device.look();
    army1.look();
    assert!(!device.seen().iter().any(|line| line.starts_with("words: ")), "{}", device.transcript());
    assert!(!army1.seen().iter().any(|line| line.contains("join")), "{}", army1.transcript());
}

#[test]
fn a_device_in_the_middle_shows_each_side_other_words() {
    let unit = Unit::found();
    let mut chief = unit.start(CHIEF, &[]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let node = chief.address().parse().unwrap();
    let middle = runtime.block_on(Middle::between(&node));
    let mut device = join(&unit, "Army7", &[&middle.address().to_string()]);
    let words = words_of(&mut device);
    let asked = chief.expect_start("-- a device asks to join as Army7");
    assert!(!asked.contains(&words), "the chief is shown the device's words: {asked}");
}
