#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::from(text.to_owned())
}

fn created() -> (tempfile::TempDir, PathBuf, Identity) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("role.key");
    let identity = Identity::from_seed(&[3; 32]);
    create(&path, &identity, "Army3", None).unwrap();
    (folder, path, identity)
}

fn refusal(path: &Path) -> (String, Option<String>) {
    let error = load(path).unwrap_err();
    (error.to_string().replace(&*path.to_string_lossy(), "KEY"), error.hint())
}

#[test]
fn a_created_key_loads_again() {
    let (_folder, path, identity) = created();
    let KeyFile::Open { identity: loaded, comment } = load(&path).unwrap() else { panic!("locked") };
    assert_eq!(loaded.public(), identity.public());
    assert_eq!(*loaded.seed(), *identity.seed());
    assert_eq!(comment, "Army3");
}

#[test]
fn a_locked_key_opens_with_its_passphrase_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("role.key");
    let identity = Identity::from_seed(&[3; 32]);
    create(&path, &identity, "Army3", Some(&passphrase("correct horse"))).unwrap();
    let file = load(&path).unwrap();
    assert_eq!(file.public(), identity.public());
    let KeyFile::Locked(locked) = file else { panic!("not locked") };
    for wrong in ["", "correct horse ", "incorrect"] {
        let error = locked.unlock(&passphrase(wrong)).unwrap_err();
        assert!(matches!(error, UnlockError::WrongPassphrase { .. }), "{wrong:?}: {error}");
        assert!(error.hint().unwrap().starts_with("try again"));
    }
    let (unlocked, comment) = locked.unlock(&passphrase("correct horse")).unwrap();
    assert_eq!((unlocked.public(), comment.as_str()), (identity.public(), "Army3"));
}

#[test]
fn an_empty_passphrase_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("role.key");
    let refused = create(&path, &Identity::from_seed(&[3; 32]), "", Some(&passphrase("")));
    assert!(matches!(refused, Err(CreateError::EmptyPassphrase)));
    assert!(!path.exists());
}

#[test]
fn an_existing_file_is_never_replaced() {
    let (folder, path, identity) = created();
    let before = fs::read(&path).unwrap();
    let refused = create(&path, &Identity::from_seed(&[4; 32]), "Navy1", None);
    assert!(matches!(refused, Err(CreateError::Exists { .. })), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(load(&path).unwrap().public(), identity.public());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the temporary file is gone");
}

#[test]
fn a_folder_that_is_missing_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere").join("role.key");
    let refused = create(&path, &Identity::from_seed(&[3; 32]), "", None).unwrap_err();
    assert_eq!(refused.to_string(), format!("cannot write {}", path.display()));
}

#[test]
fn a_missing_file_a_folder_and_an_overlong_file_are_refused() {
    let (folder, path, _) = created();
    assert_eq!(refusal(&folder.path().join("no.key")).0, "no key file at KEY");
    assert_eq!(refusal(folder.path()).0, "KEY is not a regular file");
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&[b'\n'; 16 * 1024]).unwrap();
    let (message, _) = refusal(&path);
    assert!(message.starts_with("KEY is 16") && message.ends_with("more than a key file can be (16384)"), "{message}");
}

#[test]
fn text_that_is_no_private_key_is_refused_by_what_it_is() {
    let (_folder, path, identity) = created();
    let with = |text: &str| {
        fs::write(&path, text).unwrap();
        refusal(&path)
    };
    assert_eq!(with("").0, "KEY is not an OpenSSH private key");
    assert_eq!(with("hello").0, "KEY is not an OpenSSH private key");
    assert_eq!(
        with(&identity.public().to_openssh("Army3")),
        (
            "KEY holds a public key, a private one is needed".to_owned(),
            Some("a role key is made with: ssh-keygen -t ed25519".to_owned())
        )
    );
    assert_eq!(
        with("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n").0,
        "KEY is a private key in another format than OpenSSH's"
    );
    assert_eq!(
        with("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n").0,
        "KEY is a damaged OpenSSH private key"
    );
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let (_folder, path, _) = created();
    fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    assert_eq!(refusal(&path).0, "KEY is not an OpenSSH private key");
}

#[test]
fn a_key_with_absurd_hashing_is_refused_at_once() {
    let identity = Identity::from_seed(&[3; 32]);
    let key = PrivateKey::new(Ed25519Keypair::from(&identity.0).into(), "").unwrap();
    let kdf = Kdf::Bcrypt { salt: vec![1; 16], rounds: 1 };
    let key = key.encrypt_with(ssh_key::Cipher::Aes256Ctr, kdf, 0, "p").unwrap();
    let mut bytes = key.to_bytes().unwrap().to_vec();
    let salt = bytes.windows(16).position(|part| part == [1; 16]).unwrap();
    bytes[salt + 16..salt + 20].fill(0xff);
    let key = PrivateKey::from_bytes(&bytes).unwrap();
    let locked = LockedKey { path: "role.key".into(), public: identity.public(), key };
    assert!(matches!(locked.unlock(&passphrase("p")), Err(UnlockError::TooManyRounds { found: u32::MAX, .. })));
}

#[test]
fn nothing_secret_is_in_a_debug_form() {
    let (_folder, path, identity) = created();
    assert_eq!(format!("{:?}", passphrase("secret")), "Passphrase(…)");
    let fingerprint = identity.public().fingerprint();
    assert_eq!(
        format!("{:?}", load(&path).unwrap()),
        format!("Open {{ identity: Identity({fingerprint}), comment: \"Army3\" }}")
    );
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_created_file_is_its_owners_alone() {
        let (_folder, path, _) = created();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn a_mode_looser_than_0600_is_refused_with_the_chmod_that_mends_it() {
        let (_folder, path, _) = created();
        for mode in [0o644, 0o640, 0o604, 0o601, 0o610, 0o620, 0o660, 0o666, 0o777] {
            set_mode(&path, mode);
            let (message, hint) = refusal(&path);
            assert_eq!(message, format!("KEY is open to others: mode {mode:04o}, expected 0600"));
            assert_eq!(hint, Some(format!("chmod 600 {}", path.display())));
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode, "the file is untouched");
        }
        for mode in [0o600, 0o400] {
            set_mode(&path, mode);
            assert!(load(&path).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn the_file_behind_a_link_is_what_counts() {
        let (folder, path, identity) = created();
        let link = folder.path().join("link.key");
        symlink(&path, &link).unwrap();
        assert_eq!(load(&link).unwrap().public(), identity.public());
        set_mode(&path, 0o644);
        assert!(matches!(load(&link), Err(LoadError::TooOpen { .. })));
    }

    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        assert!(matches!(load(&path), Err(LoadError::NotAFile { .. })));
    }

    #[test]
    fn a_file_of_somebody_else_is_refused() {
        let (_folder, path, _) = created();
        // Only the superuser can give a file away, and only it could have opened one that is not its own.
        if std::os::unix::fs::chown(&path, Some(12345), None).is_ok() {
            let (message, hint) = refusal(&path);
            assert_eq!(message, "KEY belongs to user 12345, not to user 0 who runs this");
            assert_eq!(hint, Some(format!("chown 0 {}", path.display())));
        }
    }
}

#[test]
fn a_public_file_gives_key_and_comment() {
    let (folder, path, identity) = created();
    let public = folder.path().join("role.key.pub");
    fs::write(&public, identity.public().to_openssh("Army3") + "\n").unwrap();
    assert_eq!(load_public(&public).unwrap(), (identity.public(), "Army3".to_owned()));
    let error = load_public(&path).unwrap_err();
    assert!(matches!(error, LoadError::Key { source: PublicKeyError::PrivateGiven, .. }), "{error}");
    assert!(error.hint().unwrap().contains(".pub"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_a_key_or_refused(text in "\\PC{0,300}") {
        let framed = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{text}\n-----END OPENSSH PRIVATE KEY-----\n");
        prop_assert!(decode(Path::new("x"), &text).is_err());
        prop_assert!(decode(Path::new("x"), &framed).is_err());
    }

    #[test]
    fn any_damaged_key_is_read_as_the_same_one_or_refused(
        locked: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[A-Za-z0-9+/]"), 1..4),
    ) {
        let identity = Identity::from_seed(&[3; 32]);
        let mut key = PrivateKey::new(Ed25519Keypair::from(&identity.0).into(), "Army3").unwrap();
        if locked {
            let kdf = Kdf::Bcrypt { salt: vec![1; 16], rounds: 1 };
            key = key.encrypt_with(ssh_key::Cipher::Aes256Ctr, kdf, 0, "p").unwrap();
        }
        let mut text = key.to_openssh(LineEnding::LF).unwrap();
        let body: Vec<usize> = text.match_indices(|_: char| true).map(|(place, _)| place).collect();
        let body = &body[36..body.len() - 35];
        for (place, digit) in changes {
            let place = body[place.index(body.len())];
            text.replace_range(place..=place, &digit);
        }
        // What decodes after damage has a sound key pair: that of the untouched halves, or a locked one.
        if let Ok(KeyFile::Open { identity: read, .. }) = decode(Path::new("x"), &text) {
            prop_assert_eq!(read.public(), identity.public());
        }
    }

    #[test]
    fn any_cut_key_is_refused(length in 0..380_usize) {
        let text = encode(&Identity::from_seed(&[3; 32]), "Army3", None).unwrap();
        prop_assert!(decode(Path::new("x"), text.get(..length).unwrap()).is_err());
    }

    #[test]
    fn any_key_and_comment_survive_the_file(seed: [u8; 32], comment in "[^\\p{Cc}]{0,60}") {
        let identity = Identity::from_seed(&seed);
        let text = encode(&identity, &comment, None).unwrap();
        let Ok(KeyFile::Open { identity: read, comment: kept }) = decode(Path::new("x"), &text) else {
            return Err(TestCaseError::fail("not read"));
        };
        prop_assert_eq!(*read.seed(), seed);
        prop_assert_eq!(kept, comment);
    }
}
