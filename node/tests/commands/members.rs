//! `muster member`, `muster rekey` and `muster roster show`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::ground::Ground;

/// The unit with one member of each kind.
fn staffed() -> Ground {
    let ground = Ground::with_unit();
    ground.muster("--home chief member add Army1 --role leader --troop army --out army1").done();
    ground.muster("--home chief member add Army3 --role soldier --troop army --out army3").done();
    ground.muster("--home chief member add Truck --role carrier --out truck").done();
    ground
}

fn names(ground: &Ground, home: &str) -> Vec<String> {
    let listed = ground.muster(&format!("--home {home} member list")).done();
    listed.lines().skip(1).map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn an_added_member_gets_a_home_that_opens() {
    let ground = Ground::with_unit();
    let out = ground.muster("--home chief member add Army3 --role soldier --troop army --out homes/army3").done();
    assert_eq!(
        out,
        "Added Army3, soldier of army.\n\
         Give homes/army3 to the device; there: muster --home homes/army3 start\n"
    );
    assert_eq!(names(&ground, "chief"), ["Chief", "Army3"]);
    assert_eq!(names(&ground, "homes/army3"), ["Chief", "Army3"]);
    let roster = |home: &str| fs::read(ground.path(home).join("roster.cbor")).unwrap();
    assert_eq!(roster("chief"), roster("homes/army3"));
    assert!(ground.ssh_keygen(&["-l", "-f", "homes/army3/role.key"]).contains(" Army3 (ED25519)"));
}

#[test]
fn with_a_public_key_no_private_one_is_made() {
    let ground = Ground::with_unit();
    ground.ssh_keygen(&["-q", "-t", "ed25519", "-N", "", "-f", "id"]);
    let out =
        ground.muster("--home chief member add Army3 --role soldier --troop army --pubkey id.pub --out army3").done();
    assert!(out.contains("put its private key into it as role.key"), "{out}");
    assert!(!ground.path("army3/role.key").exists());
    let fingerprint = ground.ssh_keygen(&["-l", "-f", "id.pub"]);
    assert!(ground.muster("--home army3 member list").done().contains(fingerprint.split(' ').nth(1).unwrap()));
}

#[test]
fn a_key_or_name_that_a_member_has_already_is_refused() {
    let ground = staffed();
    let again = ground.muster("--home chief member add army3 --role carrier --out again").refused(1);
    assert!(again.to_lowercase().contains("army3"), "{again}");
    let line = ground.ssh_keygen(&["-y", "-f", "army3/role.key"]);
    fs::write(ground.path("army3.pub"), line).unwrap();
    ground.muster("--home chief member add Other --role carrier --pubkey army3.pub --out again").refused(1);
    assert!(!ground.path("again").exists(), "nothing is left behind");
    assert_eq!(names(&ground, "chief").len(), 4);
}

#[test]
fn a_folder_with_something_in_it_is_not_written_to() {
    let ground = Ground::with_unit();
    fs::create_dir(ground.path("full")).unwrap();
    fs::write(ground.path("full/diary"), "mine").unwrap();
    let complaint = ground.muster("--home chief member add Truck --role carrier --out full").refused(1);
    assert_eq!(complaint, "error: full is not empty\nhint: name a folder that does not exist yet with --out\n");
    fs::create_dir(ground.path("empty")).unwrap();
    ground.muster("--home chief member add Truck --role carrier --out empty").done();
    assert_eq!(names(&ground, "chief"), ["Chief", "Truck"]);
}

#[test]
fn a_home_that_cannot_be_written_adds_nobody() {
    let ground = Ground::with_unit();
    fs::write(ground.path("file"), "").unwrap();
    let complaint = ground.muster("--home chief member add Truck --role carrier --out file/truck").refused(1);
    assert!(complaint.contains("file/truck"), "{complaint}");
    assert_eq!(names(&ground, "chief"), ["Chief"]);
}

#[test]
fn a_leader_adds_and_removes_soldiers_of_its_own_troop_and_of_no_other() {
    let ground = staffed();
    ground.muster("--home army1 member add Army4 --role soldier --troop army --out army4").done();
    assert_eq!(names(&ground, "army4"), ["Chief", "Army1", "Army4"], "the leader's home is as old as its handing out");
    ground.muster("--home army1 member remove Army4").done();
    ground.muster("--home army1 member add Navy4 --role soldier --troop navy --out navy4").refused(1);
    ground.muster("--home army3 member add Army5 --role soldier --troop army --out army5").refused(1);
    assert!(!ground.path("navy4").exists() && !ground.path("army5").exists());
}

#[test]
fn a_removed_member_is_gone_and_its_groups_have_new_keys() {
    let ground = staffed();
    let before = ground.muster("--home chief roster show --json").done();
    assert!(before.contains(r#"{"group":"army","letter":"r","epoch":1,"version":3}"#), "{before}");
    let out = ground.muster("--home chief member remove Army3").done();
    assert_eq!(out, "Removed Army3; the groups it could read have new keys.\n");
    assert_eq!(names(&ground, "chief"), ["Chief", "Army1", "Truck"]);
    let after = ground.muster("--home chief roster show --json").done();
    assert!(after.contains(r#"{"group":"army","letter":"r","epoch":2,"version":4}"#), "{after}");
    assert!(after.contains(r#"{"group":"navy","letter":"n","epoch":1,"version":1}"#), "{after}");
}

#[test]
fn somebody_unknown_cannot_be_removed_and_the_commander_does_not_remove_itself() {
    let ground = staffed();
    assert!(ground.muster("--home chief member remove Nobody").refused(1).contains("Nobody"));
    ground.muster("--home chief member remove Chief").refused(1);
    assert_eq!(names(&ground, "chief").len(), 4);
}

#[test]
fn rekey_starts_a_new_epoch_of_every_group_its_signer_may_sign() {
    let ground = staffed();
    let out = ground.muster("--home chief rekey").done();
    assert_eq!(out, "heads: epoch 2\nnavy: epoch 2\nairforce: epoch 2\narmy: epoch 2\n");
}

#[test]
fn the_list_shows_everyone_with_role_and_key() {
    let ground = staffed();
    let listed = ground.muster("--home chief member list").done();
    let roles: Vec<&str> = listed.lines().filter_map(|line| line.split("  ").nth(1)).map(str::trim).collect();
    assert_eq!(listed.lines().next().unwrap().split_whitespace().collect::<Vec<_>>(), ["NAME", "ROLE", "KEY"]);
    for role in ["commander", "leader of army", "soldier of army", "carrier"] {
        assert!(listed.contains(role), "{roles:?}");
    }
}

#[test]
fn json_is_one_object_a_line() {
    let ground = staffed();
    let listed = ground.muster("--home chief member list --json").done();
    let members: Vec<serde_json::Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let brief: Vec<_> = members
        .iter()
        .map(|member| (member["name"].as_str().unwrap(), member["role"].as_str().unwrap(), member["troop"].as_str()))
        .collect();
    assert_eq!(
        brief,
        [
            ("Chief", "commander", None),
            ("Army1", "leader", Some("army")),
            ("Army3", "soldier", Some("army")),
            ("Truck", "carrier", None),
        ]
    );
    let shown = ground.muster("--home chief roster show --json").done();
    assert_eq!(shown.lines().count(), 1);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["unit"], "Brigade");
    assert_eq!(shown["members"].as_array().unwrap().len(), 4);
}

#[test]
fn the_roster_is_shown_with_words_versions_letters_and_members() {
    let ground = staffed();
    let shown = ground.muster("--home chief roster show").done();
    let squeezed: Vec<String> =
        shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in
        ["unit Brigade", "GROUP LETTER EPOCH VERSION", "heads 1 4", "navy :n 1 1", "airforce :a 1 1", "army :r 1 3"]
    {
        assert!(squeezed.iter().any(|shown| shown == line), "{line} in\n{shown}");
    }
    assert!(squeezed.iter().any(|line| line.starts_with("Army3 soldier of army SHA256:")), "{shown}");
}

#[test]
fn while_another_process_has_the_home_nothing_is_edited() {
    let ground = staffed();
    // Any holder of the lock will do: this is what a running node holds.
    let path = ground.path("chief/muster.lock");
    let mut holder = std::process::Command::new("flock")
        .arg(&path)
        .args(["sh", "-c", "echo held; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("flock is needed for this test: install util-linux");
    let mut held = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut held).unwrap();
    assert_eq!(held, "held\n");
    fs::write(&path, "4321\n").unwrap();
    for edit in ["member add New --role carrier --out new", "member remove Army3", "rekey"] {
        let complaint = ground.muster(&format!("--home chief {edit}")).refused(3);
        assert_eq!(
            complaint,
            "error: already running (pid 4321)\n\
             hint: leave the running node first (`logmeout` in its chat), or use another home with --home\n"
        );
    }
    ground.muster("--home chief member list").done();
    drop(holder.stdin.take());
    holder.wait().unwrap();
    ground.muster("--home chief rekey").done();
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let ground = staffed();
    let mut child =
        ground.command("--home chief roster show").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
