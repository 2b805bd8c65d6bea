//! What `muster --version` tells of the build, and how the build finds it out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../build/commit.rs"]
mod commit;

use std::fs;
use std::path::Path;
use std::process::Command;

use commit::{Checkout, short};
use tempfile::TempDir;

const FIRST: &str = "0123456789abcdef0123456789abcdef01234567";
const SECOND: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// A folder with these files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn commit_in(top: &Path) -> Option<String> {
    Checkout::find(top)?.commit()
}

#[test]
fn the_version_names_the_commit_of_this_checkout() {
    let output = Command::new(env!("CARGO_BIN_EXE_muster")).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    let given = option_env!("MUSTER_COMMIT").and_then(short);
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let expected = match given.or_else(|| commit_in(top).and_then(|commit| short(&commit))) {
        Some(commit) => format!("muster {} ({commit})\n", env!("CARGO_PKG_VERSION")),
        None => format!("muster {}\n", env!("CARGO_PKG_VERSION")),
    };
    assert_eq!(version, expected);
}

#[test]
fn the_commit_is_what_git_says_through_commits_packing_and_detaching() {
    let folder = folder(&[]);
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").args(identity).args(args).current_dir(folder.path()).output();
        let output = output.expect("git is needed for this test");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet", "--initial-branch", "some/branch"]);
    assert_eq!(commit_in(folder.path()), None, "before the first commit");
    git(&["commit", "--quiet", "--allow-empty", "--message", "first"]);
    let first = git(&["rev-parse", "HEAD"]);
    assert_eq!(commit_in(folder.path()).as_ref(), Some(&first));
    git(&["pack-refs", "--all"]);
    assert_eq!(commit_in(folder.path()).as_ref(), Some(&first), "packed");
    git(&["commit", "--quiet", "--allow-empty", "--message", "second"]);
    assert_eq!(commit_in(folder.path()), Some(git(&["rev-parse", "HEAD"])), "newer than what is packed");
    git(&["checkout", "--quiet", "--detach", &first]);
    assert_eq!(commit_in(folder.path()), Some(first), "detached");
    git(&["worktree", "add", "--quiet", "-b", "other", "tree", "some/branch"]);
    assert_eq!(commit_in(&folder.path().join("tree")), Some(git(&["rev-parse", "some/branch"])), "a linked work tree");
}

#[test]
fn what_is_watched_exists_and_changes_with_the_next_commit() {
    let loose = folder(&[(".git/HEAD", "ref: refs/heads/main\n"), (".git/refs/heads/main", FIRST)]);
    let watched = Checkout::find(loose.path()).unwrap().moves_with();
    assert_eq!(watched, [".git/HEAD", ".git/refs/heads/main"].map(|name| loose.path().join(name)));
    let packed_refs = format!("# pack-refs with: peeled\n{SECOND} refs/heads/not-main\n{FIRST} refs/heads/main\n");
    let packed = folder(&[
        (".git/HEAD", "ref: refs/heads/main\n"),
        (".git/packed-refs", &packed_refs),
        (".git/refs/heads/other", SECOND),
    ]);
    let checkout = Checkout::find(packed.path()).unwrap();
    assert_eq!(checkout.commit().as_deref(), Some(FIRST));
    let expected = [".git/HEAD", ".git/packed-refs", ".git/refs/heads"].map(|name| packed.path().join(name));
    assert_eq!(checkout.moves_with(), expected);
}

#[test]
fn sources_without_git_have_no_commit() {
    assert!(Checkout::find(folder(&[("Cargo.toml", "")]).path()).is_none());
    assert!(Checkout::find(folder(&[(".git", "gitdir: nowhere")]).path()).is_none());
    assert!(Checkout::find(folder(&[(".git", "anything")]).path()).is_none());
}

#[test]
fn a_commit_is_told_by_its_first_twelve_digits_and_nothing_else_is_taken_for_one() {
    assert_eq!(short(&format!("{FIRST}\n")).as_deref(), Some("0123456789ab"));
    assert_eq!(short("0123456").as_deref(), Some("0123456"));
    for text in ["", "unknown", "012345", "012345g", "main"] {
        assert_eq!(short(text), None, "{text:?}");
    }
}
