//! Role key files that are refused: each with its message, its exit code, and the file untouched.

use std::fs;

use crate::ground::Ground;

const KEY: &str = "chief/role.key";

/// The complaint of a command that needs the role key, which must leave the key file as it is.
#[track_caller]
fn complaint(ground: &Ground) -> String {
    let before = fs::read(ground.path(KEY)).unwrap();
    let complaint = ground.muster("--home chief rekey").refused(1);
    assert_eq!(fs::read(ground.path(KEY)).unwrap(), before, "the file is untouched");
    complaint
}

/// Puts a new key file of `ssh-keygen` in the role key's place.
fn replace_key(ground: &Ground, kind: &str, passphrase: &str) {
    fs::remove_file(ground.path(KEY)).unwrap();
    ground.ssh_keygen(&["-q", "-t", kind, "-N", passphrase, "-f", KEY]);
}

#[test]
fn a_wrong_passphrase() {
    let ground = Ground::with_unit();
    ground.ssh_keygen(&["-q", "-p", "-P", "", "-N", "correct horse", "-f", KEY]);
    fs::write(ground.path("pass"), "incorrect horse\n").unwrap();
    let before = fs::read(ground.path(KEY)).unwrap();
    let complaint = ground.muster("--home chief --passphrase-file pass rekey").refused(1);
    assert_eq!(
        complaint,
        "error: wrong passphrase for chief/role.key\n\
         hint: try again; a lost passphrase cannot be recovered, ask to be added anew with a new key\n"
    );
    assert_eq!(fs::read(ground.path(KEY)).unwrap(), before);
    fs::write(ground.path("pass"), "correct horse\n").unwrap();
    ground.muster("--home chief --passphrase-file pass rekey").done();
}

#[test]
fn a_passphrase_wanted_where_nobody_can_be_asked() {
    let ground = Ground::with_unit();
    ground.ssh_keygen(&["-q", "-p", "-P", "", "-N", "correct horse", "-f", KEY]);
    assert_eq!(
        complaint(&ground),
        "error: chief/role.key needs a passphrase, and there is no terminal to ask at\n\
         hint: put it into a file and name that with --passphrase-file or MUSTER_PASSPHRASE_FILE\n"
    );
}

#[test]
fn a_passphrase_file_that_is_missing_empty_or_too_long() {
    let ground = Ground::with_unit();
    ground.ssh_keygen(&["-q", "-p", "-P", "", "-N", "correct horse", "-f", KEY]);
    let with = |content: Option<&str>| {
        if let Some(content) = content {
            fs::write(ground.path("pass"), content).unwrap();
        }
        ground.muster("--home chief --passphrase-file pass rekey").refused(1)
    };
    assert_eq!(
        with(None),
        "error: cannot read the passphrase file pass\n  because: No such file or directory (os error 2)\n"
    );
    assert!(with(Some("")).starts_with("error: the first line of pass is empty\n"));
    assert!(with(Some("\ncorrect horse\n")).starts_with("error: the first line of pass is empty\n"));
    assert_eq!(with(Some(&"x".repeat(5000))), "error: pass is too long for a passphrase file\n");
}

#[cfg(unix)]
#[test]
fn a_world_readable_file() {
    use std::os::unix::fs::PermissionsExt;

    let ground = Ground::with_unit();
    fs::set_permissions(ground.path(KEY), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(
        complaint(&ground),
        "error: chief/role.key is open to others: mode 0644, expected 0600\nhint: chmod 600 chief/role.key\n"
    );
    fs::set_permissions(ground.path(KEY), fs::Permissions::from_mode(0o600)).unwrap();
    ground.muster("--home chief rekey").done();
}

#[test]
fn an_unreadable_file() {
    let ground = Ground::with_unit();
    fs::write(ground.path(KEY), "-----BEGIN OPENSSH PRIVATE KEY-----\nrubbish\n").unwrap();
    let damaged = complaint(&ground);
    assert!(damaged.starts_with("error: chief/role.key is a damaged OpenSSH private key\n  because: "), "{damaged}");
    assert!(damaged.ends_with("hint: see what ssh-keygen says: ssh-keygen -y -f chief/role.key\n"), "{damaged}");
    fs::write(ground.path(KEY), "rubbish").unwrap();
    assert_eq!(
        complaint(&ground),
        "error: chief/role.key is not an OpenSSH private key\nhint: a role key is made with: ssh-keygen -t ed25519\n"
    );
    fs::remove_file(ground.path(KEY)).unwrap();
    fs::create_dir(ground.path(KEY)).unwrap();
    let complaint = ground.muster("--home chief rekey").refused(1);
    assert_eq!(complaint, "error: chief/role.key is not a regular file\n");
}

#[test]
fn a_public_key_in_place_of_the_private_one() {
    let ground = Ground::with_unit();
    let line = ground.ssh_keygen(&["-y", "-f", KEY]);
    fs::write(ground.path(KEY), line).unwrap();
    assert_eq!(
        complaint(&ground),
        "error: chief/role.key holds a public key, a private one is needed\n\
         hint: a role key is made with: ssh-keygen -t ed25519\n"
    );
}

#[test]
fn a_key_that_is_not_ed25519() {
    let ground = Ground::with_unit();
    for (kind, found) in [("rsa", "ssh-rsa"), ("ecdsa", "another kind of key")] {
        replace_key(&ground, kind, "");
        assert_eq!(
            complaint(&ground),
            format!(
                "error: chief/role.key cannot be a role key\n  because: not an Ed25519 key but {found}\n\
                 hint: make one with: ssh-keygen -t ed25519\n"
            )
        );
    }
}

#[test]
fn a_foreign_key_is_refused_before_its_passphrase_is_asked_for() {
    let ground = Ground::with_unit();
    for passphrase in ["", "correct horse"] {
        replace_key(&ground, "ed25519", passphrase);
        let complaint = complaint(&ground);
        assert!(
            complaint.starts_with("error: chief/role.key is not the key of a member of Brigade\nhint: "),
            "{complaint}"
        );
        let fingerprint = ground.ssh_keygen(&["-l", "-f", KEY]);
        assert!(complaint.contains(fingerprint.split(' ').nth(1).unwrap()), "{complaint}");
    }
}

#[test]
fn a_public_key_that_is_none_adds_nobody() {
    let ground = Ground::with_unit();
    let with = |content: &str| {
        fs::write(ground.path("id.pub"), content).unwrap();
        ground.muster("--home chief member add Truck --role carrier --pubkey id.pub --out truck").refused(1)
    };
    assert!(with("hello").contains("because: not a public key line"));
    assert!(with("ssh-rsa AAAA me").contains("because: not an Ed25519 key but ssh-rsa"));
    let private = fs::read_to_string(ground.path(KEY)).unwrap();
    assert!(with(&private).contains("because: a private key was given where a public one belongs"));
    // The point of order two, in an otherwise proper line.
    let weak = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOz///////////////////////////////////////9/ mole";
    assert!(with(weak).contains("because: weak public key"), "{}", with(weak));
    assert!(!ground.path("truck").exists());
}

#[test]
fn no_key_at_all() {
    let ground = Ground::with_unit();
    fs::remove_file(ground.path(KEY)).unwrap();
    let complaint = ground.muster("--home chief rekey").refused(1);
    assert!(
        complaint.starts_with("error: no role key in chief\nhint: get a home from your chief or leader"),
        "{complaint}"
    );
    let named = ground.muster("--home chief --key other rekey").refused(1);
    assert_eq!(named, "error: no key file at other\n");
}

#[test]
fn several_keys_and_nobody_to_ask() {
    let ground = Ground::with_unit();
    fs::rename(ground.path(KEY), ground.path("chief/Chief.key")).unwrap();
    ground.ssh_keygen(&["-q", "-t", "ed25519", "-N", "", "-f", "chief/Army3.key"]);
    let complaint = ground.muster("--home chief rekey").refused(1);
    assert_eq!(
        complaint,
        "error: chief has no role.key, but others: Army3, Chief\n\
         hint: choose one with --key, for example --key Army3\n"
    );
    ground.muster("--home chief --key Chief rekey").done();
    ground.muster("--home chief --key chief/Chief.key rekey").done();
    assert!(ground.muster("--home chief --key Army3 rekey").refused(1).contains("is not the key of a member"));
}
