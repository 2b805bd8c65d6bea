//! `muster export` and `muster log` as a person calls them.

use std::fs;
use std::process::Output;

use muster::disk::Disk;
use muster::engine::store::Store;
use muster::home::Home;
use muster_keys::KeyFile;
use muster_roles::{Roster, Timestamp};

use crate::records;
use crate::unit::{CHIEF, Rank, Unit};

/// A unit by the binary, with homes of Army1 and Navy1 that hold three messages of the army and one of the navy.
fn unit() -> Unit {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Leader("army"));
    unit.admit("Navy1", Rank::Soldier("navy"));
    let now_ms = jiff::Timestamp::now().as_millisecond() as u64;
    let bytes = fs::read(Home::new(unit.home("Navy1")).roster_path()).unwrap();
    let roster = Roster::decode(&bytes, Timestamp::from_ms(now_ms)).unwrap();
    let member = |name| (name, identity(&unit, name));
    let mut engines = records::Unit::of(roster.into(), [member("Army1"), member("Navy1")]);
    let talk = [
        engines.post("Army1", "army", now_ms, "first"),
        engines.post("Army1", "army", now_ms + 1, "second"),
        engines.post("Army1", "army", now_ms + 2, "=third"),
        engines.post("Navy1", "navy", now_ms + 3, "ahoy"),
    ];
    for name in [CHIEF, "Army1", "Navy1"] {
        Disk::open(&Home::new(unit.home(name)).database_path()).unwrap().append(&talk).unwrap();
    }
    unit
}

fn identity(unit: &Unit, name: &str) -> muster_keys::Identity {
    match muster_keys::load(&Home::new(unit.home(name)).role_key_path()).unwrap() {
        KeyFile::Open { identity, .. } => identity,
        KeyFile::Locked(_) => panic!("{name}'s key has a passphrase"),
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A command that must fail, and what it says.
fn refused(unit: &Unit, name: &str, args: &[&str], code: i32) -> String {
    let output = unit.run(name, args.iter().copied());
    let report = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {report}");
    report
}

#[test]
fn an_export_tells_where_it_is_and_how_much() {
    let unit = unit();
    let said = unit.run_ok("Army1", ["export", "army", "-o", "talk.txt"]);
    let path = fs::canonicalize(unit.folder()).unwrap().join("talk.txt");
    assert_eq!(said, format!("3 messages in {}\n", path.display()));
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(lines, ["Army1: first", "Army1: second", "Army1: =third"]);

    let report = refused(&unit, "Army1", &["export", "army", "-o", "talk.txt"], 1);
    assert_eq!(
        report,
        "error: talk.txt exists already and is not overwritten\n\
         hint: give another name with -o FILE, or replace it with --force\n"
    );
    unit.run_ok("Army1", ["export", "army", "-o", "talk.txt", "--force"]);
}

#[test]
fn an_export_without_a_name_gets_one() {
    let unit = unit();
    let said = unit.run_ok("Navy1", ["export", "--format", "csv"]);
    let path = said.trim_end().strip_prefix("1 message in ").unwrap();
    assert!(path.contains("/muster-navy-20") && path.ends_with(".csv"), "{path}");
    assert!(fs::read_to_string(path).unwrap().starts_with("id,group,author,time,text\r\n"));
}

#[test]
fn standard_output_gets_messages_and_nothing_else() {
    let unit = unit();
    let text = unit.run_ok(CHIEF, ["export", "-o", "-"]);
    let said: Vec<&str> = text.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(said, ["[army] Army1: first", "[army] Army1: second", "[army] Army1: =third", "[navy] Navy1: ahoy"]);
    assert_eq!(unit.run_ok(CHIEF, ["log"]), text);
    assert_eq!(unit.run_ok(CHIEF, ["log", "--json"]), unit.run_ok(CHIEF, ["export", "-o", "-", "--format", "jsonl"]));
    assert_eq!(stdout(&unit.run(CHIEF, ["log", "army", "--since", "1h"])).lines().count(), 3);
    assert_eq!(unit.run_ok(CHIEF, ["log", "heads"]), "");
}

#[test]
fn what_a_member_may_not_read_is_refused_with_the_reason() {
    let unit = unit();
    for command in ["export", "log"] {
        let report = refused(&unit, "Navy1", &[command, "army"], 1);
        assert_eq!(report, "error: Navy1 may not read army\nhint: groups to choose from: navy\n");
        let report = refused(&unit, "Navy1", &[command, "marines"], 1);
        assert_eq!(report, "error: the unit has no group `marines`\nhint: groups to choose from: navy\n");
    }
}

#[test]
fn an_impossible_span_is_a_usage_error() {
    let unit = unit();
    let report = refused(&unit, "Navy1", &["log", "--since", "yesterday"], 2);
    assert!(report.contains("expected a number and m, h or d, such as 30m, 12h or 7d"), "{report}");
}

#[test]
fn a_running_node_is_named_with_the_way_to_export_from_it() {
    let unit = unit();
    let _lock = Home::new(unit.home("Navy1")).lock().unwrap();
    for command in ["export", "log"] {
        let report = refused(&unit, "Navy1", &[command], 1);
        assert!(report.starts_with("error: a node is running on this home"), "{report}");
        assert!(report.contains("hint: type `:d` in its chat"), "{report}");
    }
}

#[test]
fn a_damaged_store_is_refused_with_the_way_out() {
    let unit = unit();
    let path = Home::new(unit.home("Navy1")).database_path();
    let mut bytes = fs::read(&path).unwrap();
    bytes[..64].fill(0);
    fs::write(&path, &bytes).unwrap();
    let report = refused(&unit, "Navy1", &["export"], 3);
    let shown = path.display();
    assert!(report.starts_with(&format!("error: {shown} is damaged: ")), "{report}");
    assert!(report.contains(&format!("hint: move it aside with `mv {shown} {shown}.damaged`")), "{report}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_home_without_a_unit_is_told_as_everywhere_else() {
    let unit = unit();
    let report = refused(&unit, "Nobody", &["export"], 1);
    assert!(report.starts_with("error: no unit in "), "{report}");
    assert!(!unit.home("Nobody").exists());
}
