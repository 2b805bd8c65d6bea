//! `muster unit raise`.

use std::fs;
use std::path::Path;

use crate::ground::Ground;

const RAISE: &str = "unit raise --name Brigade --homes homes hq=Chief:commander lead=Army1:leader:army \
                     a2=Army2:soldier:army van=Van:carrier";

/// Every file below the homes, but for the lock, with what is in it.
fn contents(ground: &Ground) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for home in fs::read_dir(ground.path("homes")).unwrap() {
        for file in fs::read_dir(home.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.file_name() != Some(Path::new("muster.lock").as_os_str()) {
                files.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    files.sort_unstable();
    files
}

#[test]
fn every_member_gets_a_home_and_the_next_run_changes_nothing() {
    let ground = Ground::new();
    let out = ground.muster(RAISE).done();
    assert!(out.starts_with("Founded Brigade. Its words: "), "{out}");
    assert!(
        out.ends_with("Added Army1, leader of army.\nAdded Army2, soldier of army.\nAdded Van, carrier.\n"),
        "{out}"
    );
    let listed = ground.muster("--home homes/hq member list").done();
    for (folder, name) in [("hq", "Chief"), ("lead", "Army1"), ("a2", "Army2"), ("van", "Van")] {
        let key = ground.ssh_keygen(&["-l", "-f", &format!("homes/{folder}/role.key")]);
        let line = listed.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.ends_with(key.split(' ').nth(1).unwrap()), "{line}");
        ground.muster(&format!("--home homes/{folder} roster show")).done();
    }
    let before = contents(&ground);
    assert_eq!(ground.muster(RAISE).done(), "Brigade is there, with all homes in homes.\n");
    assert_eq!(contents(&ground), before);
}

#[test]
fn what_a_crash_left_half_done_is_finished_with_the_keys_that_are_there() {
    let whole = Ground::new();
    whole.muster(RAISE).done();
    // After the chief's key; after a member's key; after its place in the roster, which the home has not got yet.
    for (gone, says) in [
        (&["homes/hq/roster.cbor", "homes/lead", "homes/a2", "homes/van"][..], "Founded Brigade. Its words: "),
        (&["homes/a2/roster.cbor"][..], "Added Army2, soldier of army.\n"),
    ] {
        let ground = Ground::new();
        ground.muster(RAISE).done();
        for path in gone {
            let path = ground.path(path);
            if path.is_dir() { fs::remove_dir_all(&path).unwrap() } else { fs::remove_file(&path).unwrap() }
        }
        let keys = |ground: &Ground| {
            let mut files = contents(ground);
            files.retain(|(name, _)| name.ends_with("role.key"));
            files
        };
        let before = keys(&ground);
        let out = ground.muster(RAISE).done();
        assert!(out.starts_with(says), "{out}");
        let after = keys(&ground);
        assert!(before.iter().all(|key| after.contains(key)));
        assert_eq!(ground.muster(RAISE).done(), "Brigade is there, with all homes in homes.\n");
    }
}

#[test]
fn a_key_without_a_place_in_the_roster_gets_it() {
    let ground = Ground::new();
    ground.muster(RAISE).done();
    fs::create_dir(ground.path("homes/a3")).unwrap();
    ground.ssh_keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "mine", "-f", "homes/a3/role.key"]);
    let with_army3 = format!("{RAISE} a3=Army3:soldier:army");
    assert_eq!(ground.muster(&with_army3).done(), "Added Army3, soldier of army.\n");
    let fingerprint = ground.ssh_keygen(&["-l", "-f", "homes/a3/role.key"]);
    let listed = ground.muster("--home homes/a3 member list").done();
    assert!(listed.contains(fingerprint.split(' ').nth(1).unwrap()), "{listed}");
}

#[test]
fn a_removed_member_is_not_let_in_again() {
    let ground = Ground::new();
    ground.muster(RAISE).done();
    ground.muster("--home homes/hq member remove Army2").done();
    let before = contents(&ground);
    let out = ground.muster(RAISE).done();
    assert_eq!(out, "Army2 is not in the unit any more: homes/a2 is left as it is.\n");
    assert_eq!(contents(&ground), before);
}

#[test]
fn a_lost_key_is_told_and_keeps_no_other_member_out() {
    let ground = Ground::new();
    ground.muster(RAISE).done();
    fs::remove_file(ground.path("homes/lead/role.key")).unwrap();
    let more = format!("{RAISE} a3=Army3:soldier:army");
    let complaint = "error: homes/lead does not hold the role key of Army1\nhint: put its role.key there again";
    let refused = ground.muster(&more).refused(1);
    assert!(refused.starts_with(complaint), "{refused}");
    let out = ground.muster(&more.replace("raise", "raise --keep-going")).done();
    assert!(out.starts_with(complaint) && out.ends_with("Added Army3, soldier of army.\n"), "{out}");
}

#[test]
fn homes_of_another_unit_and_lists_that_make_no_sense_are_refused() {
    let ground = Ground::new();
    ground.muster(RAISE).done();
    let before = contents(&ground);
    let complaint = ground.muster(&RAISE.replace("Brigade", "Other")).refused(1);
    assert!(complaint.starts_with("error: homes/hq is of another unit: Brigade\n"), "{complaint}");
    let foreign = "unit raise --name Brigade --homes homes hq2=Chief:commander a2=Army9:soldier:army";
    let complaint = ground.muster(foreign).err;
    assert!(complaint.starts_with("error: homes/a2 is of another unit: Brigade\n"), "{complaint}");
    fs::remove_dir_all(ground.path("homes/hq2")).unwrap();
    for bad in ["h2=Chief2:commander", "a2=Army9:soldier:army", "a9=Army2:soldier:army", "a9=Army9:soldier"] {
        ground.muster(&format!("{RAISE} {bad}")).refused(2);
    }
    ground.muster("unit raise --name Brigade --homes homes a1=Army1:soldier:army").refused(2);
    assert_eq!(contents(&ground), before);
}
