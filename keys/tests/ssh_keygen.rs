//! Role keys and OpenSSH's own `ssh-keygen` understand each other, in both directions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use muster_keys::{Identity, KeyFile, LoadError, Passphrase, PublicKey, create, load, load_public};

/// Runs `ssh-keygen`, which must be there and succeed, and gives what it printed.
fn ssh_keygen(arguments: &[&str], file: &Path) -> String {
    let output = Command::new("ssh-keygen")
        .args(arguments)
        .arg("-f")
        .arg(file)
        .output()
        .expect("ssh-keygen is needed for this test: install OpenSSH's client");
    assert!(output.status.success(), "ssh-keygen {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::from(text.to_owned())
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("role.key");
    (folder, path)
}

fn unlock(path: &Path, text: &str) -> (Identity, String) {
    match load(path).unwrap() {
        KeyFile::Locked(locked) => locked.unlock(&passphrase(text)).unwrap(),
        KeyFile::Open { .. } => panic!("{} is not locked", path.display()),
    }
}

#[test]
fn ssh_keygen_shows_the_fingerprint_of_our_key() {
    let (_folder, path) = folder();
    let identity = Identity::generate().unwrap();
    create(&path, &identity, "Army3", None).unwrap();
    let shown = ssh_keygen(&["-l"], &path);
    assert_eq!(shown.trim(), format!("256 {} Army3 (ED25519)", identity.public().fingerprint()));
}

#[test]
fn ssh_keygen_derives_our_public_line() {
    let (_folder, path) = folder();
    let identity = Identity::generate().unwrap();
    create(&path, &identity, "Army3", None).unwrap();
    assert_eq!(ssh_keygen(&["-y"], &path).trim(), identity.public().to_openssh("Army3"));
}

#[test]
fn ssh_keygen_unlocks_our_locked_key() {
    let (_folder, path) = folder();
    let identity = Identity::generate().unwrap();
    create(&path, &identity, "Army3", Some(&passphrase("correct horse"))).unwrap();
    let line = ssh_keygen(&["-y", "-P", "correct horse"], &path);
    assert_eq!(PublicKey::from_openssh(&line).unwrap().0, identity.public());
    assert!(ssh_keygen(&["-l"], &path).contains(&identity.public().fingerprint()));
}

#[test]
fn ssh_keygen_sets_changes_and_clears_the_passphrase_of_our_key() {
    let (_folder, path) = folder();
    let identity = Identity::generate().unwrap();
    create(&path, &identity, "Army3", None).unwrap();
    ssh_keygen(&["-q", "-p", "-P", "", "-N", "first one"], &path);
    assert_eq!(unlock(&path, "first one").0.public(), identity.public());
    ssh_keygen(&["-q", "-p", "-P", "first one", "-N", "second one"], &path);
    assert_eq!(unlock(&path, "second one").1, "Army3");
    ssh_keygen(&["-q", "-p", "-P", "second one", "-N", ""], &path);
    assert!(matches!(load(&path).unwrap(), KeyFile::Open { .. }));
}

#[test]
fn we_read_a_key_that_ssh_keygen_made() {
    let (folder, path) = folder();
    ssh_keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "Navy1"], &path);
    let KeyFile::Open { identity, comment } = load(&path).unwrap() else { panic!("locked") };
    assert_eq!(comment, "Navy1");
    let (public, comment) = load_public(&folder.path().join("role.key.pub")).unwrap();
    assert_eq!((public, comment.as_str()), (identity.public(), "Navy1"));
}

#[test]
fn we_unlock_a_key_that_ssh_keygen_locked_with_any_of_its_ciphers() {
    for cipher in ["aes256-ctr", "aes128-cbc", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"] {
        let (_folder, path) = folder();
        ssh_keygen(&["-q", "-t", "ed25519", "-N", "correct horse", "-C", "Navy1", "-Z", cipher], &path);
        let (identity, comment) = unlock(&path, "correct horse");
        assert_eq!(comment, "Navy1");
        assert!(ssh_keygen(&["-l"], &path).contains(&identity.public().fingerprint()), "{cipher}");
        let KeyFile::Locked(locked) = load(&path).unwrap() else { panic!("not locked") };
        let error = locked.unlock(&passphrase("wrong")).unwrap_err().to_string();
        assert!(error.starts_with("wrong passphrase"), "{cipher}: {error}");
    }
}

#[test]
fn other_kinds_of_key_are_refused() {
    for (kind, found) in [("rsa", "ssh-rsa"), ("ecdsa", "another kind of key")] {
        for locked in ["", "correct horse"] {
            let (folder, path) = folder();
            ssh_keygen(&["-q", "-t", kind, "-N", locked], &path);
            let error = load(&path).unwrap_err();
            let LoadError::Key { source, .. } = &error else { panic!("{kind}: {error}") };
            assert_eq!(source.to_string(), format!("not an Ed25519 key but {found}"));
            assert_eq!(error.hint().as_deref(), Some("make one with: ssh-keygen -t ed25519"));
            assert!(load_public(&folder.path().join("role.key.pub")).is_err());
        }
    }
}

#[test]
fn a_key_in_the_old_format_is_refused_as_that() {
    let (_folder, path) = folder();
    ssh_keygen(&["-q", "-t", "rsa", "-m", "PEM", "-N", ""], &path);
    assert!(matches!(load(&path), Err(LoadError::OtherFormat { .. })));
}

#[test]
fn the_public_file_in_place_of_the_private_one_is_refused_as_that() {
    let (folder, path) = folder();
    ssh_keygen(&["-q", "-t", "ed25519", "-N", ""], &path);
    let public = folder.path().join("role.key.pub");
    Command::new("chmod").arg("600").arg(&public).status().unwrap();
    let error = load(&public).unwrap_err();
    assert!(matches!(error, LoadError::PublicGiven { .. }), "{error}");
    assert_eq!(error.hint(), Some(format!("the private half is usually {}", path.display())));
}
