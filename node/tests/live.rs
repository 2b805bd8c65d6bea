//! The roster changes while the nodes run: real nodes, as processes on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr)]
#![allow(clippy::print_stdout, reason = "what it took is worth a look")]

mod unit;

use std::process::Command;
use std::time::{Duration, Instant};

use muster::disk::Disk;
use muster::home::Home;

use unit::{CHIEF, Node, PATIENCE, Rank, Unit, poll_until};

/// A commander, and others that dial it, once each is connected to all the others.
fn running(unit: &Unit, names: &[&str]) -> (Node, Vec<Node>) {
    let mut chief = unit.start(CHIEF, &[]);
    let address = chief.address();
    let mut others: Vec<Node> = names.iter().map(|name| unit.start(name, &[&address])).collect();
    for node in others.iter_mut().chain([&mut chief]) {
        node.expect_in_reach(names.len());
    }
    (chief, others)
}

/// Makes a role key as a device would, and returns the line that it hands over.
fn key_line(unit: &Unit, name: &str) -> String {
    std::fs::create_dir_all(unit.home(name)).unwrap();
    let file = unit.home(name).join("role.key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&file).output();
    assert!(made.expect("ssh-keygen is there").status.success());
    std::fs::read_to_string(file.with_extension("key.pub")).unwrap().trim().to_owned()
}

#[test]
fn a_member_added_while_all_run_talks_to_one_that_was_not_there_and_one_removed_is_cut_off_everywhere() {
    let unit = Unit::found();
    for name in ["Army1", "Army2", "Army3", "Army4"] {
        unit.admit(name, Rank::Soldier("army"));
    }
    let (mut chief, mut others) = running(&unit, &["Army1", "Army2", "Army3"]);
    // By the command, on the home whose node runs.
    let taken = unit.run(CHIEF, ["member", "add", "army1", "--role", "carrier", "--out", "nowhere"]);
    assert!(!taken.status.success() && !unit.folder().join("nowhere").exists());
    assert!(String::from_utf8_lossy(&taken.stderr).contains("the name Army1 is taken"));
    unit.admit("Army9", Rank::Soldier("army"));
    others[0].expect("-- Army9 was admitted by Chief: a soldier of army");
    let mut army4 = unit.start("Army4", &[]);
    let mut army9 = unit.start("Army9", &[&army4.address()]);
    army9.expect_in_reach(1);
    army9.say("new here");
    army4.expect("[army] Army9: new here");

    chief.say(":remove Army2");
    chief.expect("-- refused: Army2 would be cut off, and the groups it could read get new keys");
    let removed = Instant::now();
    chief.say(":remove Army2 Army2");
    let [army1, army2, army3] = others.as_mut_slice() else { unreachable!() };
    army2.expect_start("-- you were removed from the unit by Chief at ");
    army2.expect("-- no member is in reach; what you write waits");
    eprintln!("cut off after {:?}", removed.elapsed());
    for node in [&mut *army1, &mut *army3] {
        node.expect_start("-- Army2 was removed by Chief at ");
    }
    let removed = unit.run_ok(CHIEF, ["member", "remove", "Army9"]);
    assert!(removed.starts_with("Removed Army9;"), "{removed}");
    army1.expect_start("-- Army9 was removed by Chief at ");
    let rekeyed = unit.run_ok(CHIEF, ["rekey"]);
    assert!(rekeyed.contains("army: epoch ") && rekeyed.contains("members in reach were told at once."), "{rekeyed}");
    army1.say("just us");
    army3.expect("[army] Army1: just us");
    army2.say("and me?");
    std::thread::sleep(Duration::from_secs(2));
    for node in [army1, army3, &mut chief] {
        node.look();
        assert!(!node.seen().iter().any(|line| line.contains("and me?")), "{}", node.transcript());
    }
    army2.look();
    assert!(!army2.seen().iter().any(|line| line.contains("just us")), "{}", army2.transcript());
}

#[test]
fn a_leader_admits_and_removes_while_the_commander_is_away_and_all_of_it_holds_when_it_returns() {
    let unit = Unit::found();
    for (name, troop) in [("Army1", "army"), ("Army2", "army"), ("Navy3", "navy")] {
        unit.admit(name, Rank::Soldier(troop));
    }
    unit.admit("Lead", Rank::Leader("army"));
    let mut lead = unit.start("Lead", &[]);
    let address = lead.address();
    let mut army1 = unit.start("Army1", &[&address]);
    let mut army2 = unit.start("Army2", &[&address]);
    for node in [&mut lead, &mut army1, &mut army2] {
        node.expect_in_reach(2);
    }
    lead.say(":remove Navy3 Navy3");
    lead.expect("-- refused: the leader of army admits and removes soldiers of army only");
    lead.say(":remove Army2 Army2");
    army2.expect_start("-- you were removed from the unit by Lead at ");
    army1.expect_start("-- Army2 was removed by Lead at ");
    let line = key_line(&unit, "Army5");
    lead.say(&format!(":add Army5 army {line}"));
    army1.expect("-- Army5 was admitted by Lead: a soldier of army");

    let mut chief = unit.start(CHIEF, &[&address]);
    chief.expect_start("-- Army2 was removed by Lead at ");
    chief.expect("-- Army5 was admitted by Lead: a soldier of army");
    let members = |node: &mut Node| {
        node.say(":roster");
        node.expect_start("-- Navy3 ");
        node.look();
        node.seen().iter().filter(|line| line.contains("a soldier of army")).cloned().collect::<Vec<_>>()
    };
    let listed = members(&mut chief).join("\n");
    assert!(listed.contains("-- Army5 ") && !listed.contains("-- Army2 "), "{listed}");
    chief.say(":roster");
    lead.say("Army5 is in");
    army1.expect("[army] Lead: Army5 is in");
}

#[test]
fn two_deputies_replace_a_lost_commander_while_their_nodes_run_and_all_members_follow() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Leader("army"));
    unit.admit("Navy1", Rank::Leader("navy"));
    unit.admit("Army2", Rank::Soldier("army"));
    let (mut chief, mut others) = running(&unit, &["Army1", "Navy1", "Army2"]);
    let file = |name: &str| unit.folder().join(name).to_str().unwrap().to_owned();

    let council = file("council.proposal");
    let set = ["authority", "set", "--threshold", "2", CHIEF, "Army1", "Navy1", "--proposal", &council];
    let proposed = unit.run_ok(CHIEF, set);
    assert!(proposed.starts_with("Nothing is changed yet: 1 more signature of the new authority"), "{proposed}");
    let signed = unit.run_ok("Army1", ["roster", "sign", &council, "--yes"]);
    assert!(signed.ends_with("in force here.\n3 members in reach were told at once.\n"), "{signed}");
    let shown = || unit.run_ok("Navy1", ["authority", "show"]).starts_with("2 of 3 must sign\n").then_some(());
    poll_until(Instant::now() + PATIENCE, shown).expect("Navy1's node has taken it in");
    // What the commander alone could do until now is written down for another to sign.
    let rekey = file("rekey.proposal");
    let proposed = unit.run_ok(CHIEF, ["rekey"]);
    assert!(proposed.starts_with("Nothing is changed yet: 1 more signature is needed"), "{proposed}");
    chief.kill();

    let heir = file("heir.proposal");
    let set = [
        "authority",
        "set",
        "--threshold",
        "2",
        "Army1",
        "Navy1",
        "Army2",
        "--commander",
        "Navy1",
        "--proposal",
        &heir,
    ];
    unit.run_ok("Army1", set);
    let signed = unit.run_ok("Navy1", ["roster", "sign", &heir, "--yes"]);
    assert!(signed.contains("becomes    Navy1, leader of navy: Navy1, commander"), "{signed}");
    assert!(signed.ends_with("2 members in reach were told at once.\n"), "{signed}");
    for (node, name) in others.iter_mut().zip(["Army1", "Navy1", "Army2"]) {
        node.expect_start("-- Chief was removed by ");
        let members = unit.run_ok(name, ["member", "list"]);
        assert!(members.contains("Navy1  commander") && !members.contains(CHIEF), "{members}");
    }
    others[0].say("we go on");
    others[2].expect("[army] Army1: we go on");
    let stale = unit.run("Army1", ["roster", "sign", &rekey, "--yes"]);
    assert!(!stale.status.success(), "the former authority's proposal is worth nothing");
}

#[test]
fn a_chat_that_is_told_twice_to_wipe_destroys_the_home_at_once() {
    let unit = Unit::found();
    for name in ["Army1", "Army2"] {
        unit.admit(name, Rank::Soldier("army"));
    }
    let (_chief, mut others) = running(&unit, &["Army1", "Army2"]);
    others[0].say("gone in a moment");
    others[1].expect("[army] Army1: gone in a moment");
    others[0].say(":wipe");
    others[0].expect("-- refused: this would destroy the key, the roster and every message on this device, for good");
    assert!(unit.home("Army1").join("role.key").exists());
    others[0].say(":wipe :wipe");
    assert!(others[0].wait_end().success(), "{}", others[0].transcript());
    assert!(!unit.home("Army1").exists());

    // From a chat of its own on a node without a screen.
    let mut chat = Node::spawn("Army2", &mut unit.command("Army2", ["chat", "--plain"]));
    chat.expect_start("-- Army2 of 1st Brigade");
    chat.say(":wipe :wipe");
    chat.wait_end();
    assert!(others[1].wait_end().success(), "{}", others[1].transcript());
    assert!(!unit.home("Army2").exists());
}

/// Counts what is stored in a member's home, readable or not.
fn stored(unit: &Unit, name: &str) -> usize {
    let disk = Disk::open(&Home::new(unit.home(name)).database_path()).unwrap();
    let heads_and_troops = ["heads", "navy", "airforce", "army"].map(|group| group.parse().unwrap());
    heads_and_troops.iter().map(|group| disk.names(group).unwrap().len()).sum()
}

#[test]
fn a_store_is_judged_by_a_roster_that_came_while_the_node_did_not_run() {
    let unit = Unit::found();
    unit.admit("Army1", Rank::Soldier("army"));
    unit.admit("Army2", Rank::Soldier("army"));
    // Neither hears of it yet.
    unit.run_ok(CHIEF, ["member", "remove", "Army2"]);
    let mut army1 = unit.start("Army1", &[]);
    let mut army2 = unit.start("Army2", &[&army1.address()]);
    army2.expect_in_reach(1);
    army2.say("nobody has told us");
    army1.expect("[army] Army2: nobody has told us");
    army1.kill();
    army2.kill();
    assert_eq!(stored(&unit, "Army1"), 1);
    let roster = |name| Home::new(unit.home(name)).roster_path();
    std::fs::copy(roster(CHIEF), roster("Army1")).unwrap();
    let mut army1 = unit.start("Army1", &[]);
    army1.address();
    army1.end_input();
    assert!(army1.wait_end().success());
    assert_eq!(stored(&unit, "Army1"), 0);
}

/// Nodes that hear of the removal that is timed.
const MANY: usize = 50;

#[test]
#[ignore = "fifty processes: scripts/removal runs it"]
fn a_removal_reaches_fifty_nodes() {
    let unit = Unit::found();
    let names: Vec<String> = (1..=MANY).map(|number| format!("Army{number}")).collect();
    for name in names.iter().map(String::as_str).chain(["Gone"]) {
        unit.admit(name, Rank::Soldier("army"));
    }
    let mut chief = unit.start(CHIEF, &[]);
    let address = chief.address();
    let mut gone = unit.start("Gone", &[&address]);
    let mut nodes: Vec<Node> = names.iter().map(|name| unit.start(name, &[&address])).collect();
    chief.expect_in_reach(MANY + 1);
    // All have the same roster once what one of them says reaches everyone.
    nodes[0].say("all here?");
    for node in &mut nodes[1..] {
        node.expect("[army] Army1: all here?");
    }
    let asked = Instant::now();
    chief.say(":remove Gone Gone");
    let mut reached: Vec<Duration> = Vec::new();
    for node in &mut nodes {
        node.expect_start("-- Gone was removed by Chief at ");
        reached.push(asked.elapsed());
    }
    gone.expect("-- no member is in reach; what you write waits");
    let cut = asked.elapsed();
    reached.sort();
    println!(
        "a removal reached half of {MANY} nodes after {:?}, all after {:?}; the removed one had no connection after {cut:?}",
        reached[MANY / 2],
        reached[MANY - 1],
    );
}
