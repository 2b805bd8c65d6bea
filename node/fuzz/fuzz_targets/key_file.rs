//! A role key's file: anything but an OpenSSH Ed25519 key is refused, and the file stays as it was.
#![no_main]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a temporary folder"));

/// The same file each time: what counts is what stands in it.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = FOLDER.path().join("role.key");
    fs::write(&path, []).expect("a file");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its mode");
    path
});

fuzz_target!(|bytes: &[u8]| {
    fs::write(&*FILE, bytes).expect("a file");
    let _key = muster_keys::load(&FILE);
    let _public = muster_keys::load_public(&FILE);
    assert_eq!(fs::read(&*FILE).expect("the file"), bytes);
});
