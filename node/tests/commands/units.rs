//! `muster unit create`.

use std::fs;

use crate::ground::Ground;

#[test]
fn founding_a_unit_makes_a_home_with_key_and_roster() {
    let ground = Ground::new();
    let out = ground.muster("--home chief unit create --name Brigade --chief Chief").done();
    assert!(out.starts_with("Founded Brigade in chief.\n"), "{out}");
    let words = out.lines().find_map(|line| line.strip_prefix("Its words, to compare by voice: ")).unwrap();
    assert_eq!(words.split(' ').count(), 6);
    let shown = ground.muster("--home chief roster show").done();
    assert!(shown.contains(words), "{shown}");
    assert!(ground.ssh_keygen(&["-l", "-f", "chief/role.key"]).contains(" Chief (ED25519)"));
}

#[cfg(unix)]
#[test]
fn a_new_home_is_its_owners_alone() {
    use std::os::unix::fs::MetadataExt;

    let ground = Ground::with_unit();
    let mode = |name: &str| fs::metadata(ground.path(name)).unwrap().mode() & 0o777;
    assert_eq!(mode("chief"), 0o700);
    assert_eq!(mode("chief/role.key"), 0o600);
    assert_eq!(mode("chief/roster.cbor"), 0o600);
    assert_eq!(mode("chief/muster.lock"), 0o600);
}

#[test]
fn a_home_that_has_a_unit_is_refused_and_untouched() {
    let ground = Ground::with_unit();
    let before = fs::read(ground.path("chief/roster.cbor")).unwrap();
    let complaint = ground.muster("--home chief unit create --name Other --chief Chief").refused(1);
    assert_eq!(
        complaint,
        "error: chief already has a unit\n\
         hint: name another folder with --home, or see this one with `muster roster show`\n"
    );
    assert_eq!(fs::read(ground.path("chief/roster.cbor")).unwrap(), before);
}

#[test]
fn a_role_key_that_lies_in_the_home_becomes_the_commanders() {
    let ground = Ground::new();
    fs::create_dir(ground.path("chief")).unwrap();
    ground.ssh_keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "mine", "-f", "chief/role.key"]);
    let key = fs::read(ground.path("chief/role.key")).unwrap();
    ground.muster("--home chief unit create --name Brigade --chief Chief").done();
    assert_eq!(fs::read(ground.path("chief/role.key")).unwrap(), key);
    let fingerprint = ground.ssh_keygen(&["-l", "-f", "chief/role.key"]);
    let fingerprint = fingerprint.split(' ').nth(1).unwrap();
    assert!(ground.muster("--home chief member list").done().contains(fingerprint));
}

#[test]
fn the_passphrase_file_locks_the_new_key_and_opens_it_again() {
    let ground = Ground::new();
    fs::write(ground.path("pass"), "correct horse\n").unwrap();
    ground.muster("--home chief --passphrase-file pass unit create --name Brigade --chief Chief").done();
    ground.ssh_keygen(&["-y", "-P", "correct horse", "-f", "chief/role.key"]);
    let complaint = ground.muster("--home chief rekey").refused(1);
    assert!(complaint.contains("chief/role.key needs a passphrase, and there is no terminal to ask at"), "{complaint}");
    let ran = ground.command("--home chief rekey").env("MUSTER_PASSPHRASE_FILE", "pass").output().unwrap();
    assert!(ran.status.success());
}

#[test]
fn a_name_that_will_not_do_leaves_nothing_behind() {
    let ground = Ground::new();
    let ran = ground.muster("--home chief unit create --name Brigade --chief Chief --group army:r --group navy:r");
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(!ground.path("chief/role.key").exists());
    assert!(!ground.path("chief/roster.cbor").exists());
}

#[test]
fn groups_come_from_flags_or_the_environment() {
    let ground = Ground::new();
    ground.muster("--home a unit create --name A --chief Chief --group red:x --group blue:y").done();
    let output = ground
        .command("unit create --name A")
        .envs([("MUSTER_HOME", "b"), ("MUSTER_CHIEF", "Chief"), ("MUSTER_GROUP", "red:x,blue:y")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for home in ["a", "b"] {
        let shown = ground.muster(&format!("--home {home} roster show --json")).done();
        let groups = r#""groups":[{"group":"heads","letter":null,"epoch":1,"version":2},{"group":"red","letter":"x","epoch":1,"version":1},{"group":"blue","letter":"y","epoch":1,"version":1}]"#;
        assert!(shown.contains(groups), "{shown}");
    }
}

#[test]
fn without_a_home_flag_the_platforms_data_folder_is_used() {
    let ground = Ground::new();
    let data = ground.path("data");
    let output = ground
        .command("unit create --name Brigade --chief Chief")
        .env("XDG_DATA_HOME", &data)
        .env("HOME", ground.path("user"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    if cfg!(target_os = "linux") {
        assert!(data.join("muster/role.key").exists());
    }
}
