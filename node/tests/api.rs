//! The control socket and what is built on it, with real processes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod unit;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;
use unit::{CHIEF, Node, PATIENCE, Rank, Unit, poll_until, start_args};

/// Starts a node without a screen, and waits for its socket.
fn headless(unit: &Unit, name: &str) -> Node {
    headless_dialling(unit, name, &[])
}

/// Starts such a node that dials others.
fn headless_dialling(unit: &Unit, name: &str, dial: &[&str]) -> Node {
    let mut args = start_args(dial);
    args.push("--headless");
    let node = Node::spawn(name, &mut unit.command(name, args));
    let up = || unit.run(name, ["status"]).status.success().then_some(());
    poll_until(Instant::now() + PATIENCE, up).unwrap_or_else(|| panic!("no socket: {}", node.transcript()));
    node
}

/// Runs a shell command in a member's home.
fn shell(unit: &Unit, name: &str, command: &str) -> Output {
    Command::new("sh").args(["-c", command]).current_dir(unit.home(name)).output().unwrap()
}

/// Asks by curl, and returns the status and the JSON that came.
fn curl(unit: &Unit, name: &str, arguments: &str) -> (u32, Value) {
    let command = format!("curl --silent --unix-socket control.sock --write-out '\n%{{http_code}}' {arguments}");
    let output = shell(unit, name, &command);
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn every_curl_line_of_the_document_works() {
    let unit = Unit::found();
    let _node = headless(&unit, CHIEF);
    let document = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md");
    let document = std::fs::read_to_string(document).unwrap();
    let lines: Vec<&str> = document.lines().filter(|line| line.starts_with("curl ")).collect();
    assert!(lines.len() >= 8, "{lines:?}");
    for line in lines {
        let output = shell(&unit, CHIEF, line);
        assert!(output.status.success() && !output.stdout.is_empty(), "{line}: {output:?}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let unit = Unit::found();
    let _node = headless(&unit, CHIEF);
    std::fs::write(unit.home(CHIEF).join("long"), "x".repeat(100_000)).unwrap();
    let cases = [
        ("http://m/v1/nothing", 404),
        ("http://m/v1/post --data '{\"group\":'", 400),
        ("http://m/v1/post --data '{\"group\":\"heads\"}'", 400),
        ("http://m/v1/post --data '{\"group\":\"army\",\"text\":\"x\"}'", 403),
        ("http://m/v1/post --data @long", 413),
        ("http://m/v1/status --data x", 405),
        ("'http://m/v1/messages?group=marines'", 404),
        ("'http://m/v1/messages?group=heads&before=yesterday'", 400),
        ("'http://m/v1/export?format=pdf'", 400),
        ("http://m/v1/events --header 'Last-Event-ID: x'", 400),
    ];
    for (arguments, expected) in cases {
        let (status, body) = curl(&unit, CHIEF, arguments);
        assert_eq!(status, expected, "{arguments}: {body}");
        assert!(body["error"].as_str().is_some_and(|error| !error.is_empty()), "{arguments}: {body}");
    }
}

#[test]
fn a_sent_message_is_on_disk_when_send_has_ended_well() {
    let unit = Unit::found();
    let mut node = headless(&unit, CHIEF);
    for number in 0..5 {
        unit.run_ok(CHIEF, ["send", "heads", &format!("message {number}")]);
    }
    node.kill();
    let kept = unit.run_ok(CHIEF, ["log", "heads"]);
    assert_eq!(kept.lines().count(), 5, "{kept}");
    let refused = unit.run(CHIEF, ["send", "heads", "nobody there"]);
    assert_eq!(refused.status.code(), Some(1));
    let report = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(report, "error: no node runs on this home\nhint: start one with `muster start`\n");
    assert_eq!(unit.run(CHIEF, ["status"]).status.code(), Some(1));
    // The socket that the killed node left is replaced.
    let _again = headless(&unit, CHIEF);
}

#[test]
fn send_waits_for_a_reader_to_confirm_and_tells_carriers_apart() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    unit.admit("Army3", Rank::Leader("army"));
    unit.admit("Base", Rank::Carrier);
    let mut base = unit.start("Base", &[]);
    let base = base.address();
    let _army3 = headless_dialling(&unit, "Army3", &[&base]);
    let in_reach = |count: usize| {
        let met = || (unit.run_ok("Army3", ["peers"]).lines().count() == count + 1).then_some(());
        poll_until(Instant::now() + PATIENCE, met).unwrap_or_else(|| panic!("not {count} in reach"));
    };
    in_reach(1);
    let carried = unit.run_ok("Army3", ["send", "army", "anybody there?", "--wait", "5s"]);
    assert!(carried.ends_with(": carried by Base, and no member that may read it has confirmed it yet\n"), "{carried}");

    let _army1 = headless_dialling(&unit, "Army1", &[&base]);
    in_reach(2);
    let confirmed = unit.run_ok("Army3", ["send", "army", "now?", "--wait", "2m", "--order", "--priority"]);
    assert!(confirmed.ends_with(": 1 of 2 members have it\n"), "{confirmed}");
    let (_, page) = curl(&unit, "Army1", "'http://m/v1/messages?group=army'");
    let told = &page["messages"][1];
    assert_eq!(
        (&told["text"], &told["order"], &told["precedence"]),
        (&"now?".into(), &true.into(), &"priority".into())
    );

    let refused = unit.run("Army1", ["send", "army", "hurry", "--flash"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let both = unit.run("Army3", ["send", "army", "hurry", "--flash", "--priority"]);
    assert_eq!(both.status.code(), Some(2), "{both:?}");
}

#[test]
fn peers_tell_whose_messages_they_carry_and_which_roster_they_have() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    let mut army1 = unit.start_with("Army1", &[], &["--carry", "own"]);
    let _node = headless_dialling(&unit, CHIEF, &[&army1.address()]);
    let told = || {
        let (_, answer) = curl(&unit, CHIEF, "http://m/v1/peers");
        let peer = answer["peers"][0].clone();
        (peer["carries"] == "own" && peer["roster_version"].is_u64()).then_some(peer)
    };
    let peer = poll_until(Instant::now() + PATIENCE, told).expect("what it carries");
    let (_, status) = curl(&unit, CHIEF, "http://m/v1/status");
    assert_eq!(status["roster"]["newest_of_peers"]["name"], "Army1", "{status}");
    assert_eq!(status["roster"]["newest_of_peers"]["version"], peer["roster_version"], "{status}");
    let table = unit.run_ok(CHIEF, ["peers"]);
    assert!(table.lines().nth(1).is_some_and(|row| row.contains("army")), "{table}");
}

#[test]
fn what_one_chat_says_the_others_show_and_leaving_one_leaves_the_rest() {
    let unit = Unit::found();
    let mut node = headless(&unit, CHIEF);
    let chat = || Node::spawn("chat", &mut unit.command(CHIEF, ["chat", "--plain"]));
    let (mut one, mut two) = (chat(), chat());
    for chat in [&mut one, &mut two] {
        chat.expect_start("-- Chief of 1st Brigade");
    }
    one.say("from one");
    two.expect_start("[heads] Chief (me): from one");
    one.say("logmeout");
    assert!(one.wait_end().success(), "{}", one.transcript());
    two.say("from two");
    two.expect_start("[heads] Chief (me): from two");
    unit.run_ok(CHIEF, ["status"]);
    two.say(":shutdown");
    assert!(two.wait_end().success(), "{}", two.transcript());
    assert!(node.wait_end().success(), "{}", node.transcript());
}

#[test]
fn a_script_drives_a_node_and_reads_json_line_by_line() {
    let unit = Unit::found();
    let mut args = start_args(&[]);
    args.push("--json");
    let mut child = unit.command(CHIEF, args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"first\n:r\nnot allowed\n:h\nlast\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(events.iter().all(|event| event["id"].is_string() && event["event"].is_string()), "{text}");
    let said: Vec<&str> =
        events.iter().filter(|event| event["event"] == "message").filter_map(|event| event["text"].as_str()).collect();
    assert_eq!(said, ["first", "last"], "{text}");
    assert!(events.iter().any(|event| event["event"] == "refused"), "{text}");
}

#[test]
fn a_listener_that_reads_nothing_holds_nobody_up() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    let _node = headless(&unit, "Army1");
    let slow = "curl --silent --no-buffer --limit-rate 1 --unix-socket control.sock http://m/v1/events";
    let mut slow = Command::new("sh")
        .args(["-c", &format!("exec {slow}")])
        .current_dir(unit.home("Army1"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut chat = Node::spawn("chat", &mut unit.command("Army1", ["chat", "--plain"]));
    for number in 0..300 {
        chat.say(&format!("{number} {}", "x".repeat(1000)));
    }
    chat.expect_start("[army] Army1 (me): 299 ");
    slow.kill().unwrap();
    slow.wait().unwrap();
}

#[test]
fn another_user_is_told_nothing() {
    if !is_root() {
        // Only root can be somebody else.
        return;
    }
    let unit = Unit::found();
    let _node = headless(&unit, CHIEF);
    let asked = "curl --silent --unix-socket control.sock http://m/v1/status";
    let as_nobody = format!("setpriv --reuid 65534 --regid 65534 --clear-groups {asked}");
    assert!(!shell(&unit, CHIEF, &as_nobody).status.success(), "the folder and the socket are their owner's alone");
    shell(&unit, CHIEF, "chmod 755 .. . && chmod 666 control.sock");
    let output = shell(&unit, CHIEF, &as_nobody);
    let refused: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(refused["kind"], "denied", "{output:?}");
    assert!(shell(&unit, CHIEF, asked).status.success());
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

#[test]
fn the_log_goes_on_with_what_comes() {
    let unit = Unit::found();
    let _node = headless(&unit, CHIEF);
    unit.run_ok(CHIEF, ["send", "heads", "before"]);
    let mut log = Node::spawn("log", &mut unit.command(CHIEF, ["log", "heads", "--follow"]));
    log.expect_end("Chief: before");
    unit.run_ok(CHIEF, ["send", "heads", "after"]);
    log.expect_end("Chief: after");
}
