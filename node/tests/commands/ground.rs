//! A folder of its own for a test, and the program run in it.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A temporary folder in which homes are named by relative paths, so that messages are the same each time.
pub(crate) struct Ground(tempfile::TempDir);

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with the home `chief` of a new unit in it.
    pub(crate) fn with_unit() -> Self {
        let ground = Self::new();
        ground.muster("--home chief unit create --name Brigade --chief Chief").done();
        ground
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program with these words, in this folder, with nothing of the tester's environment but the search path.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn muster(&self, words: &str) -> Ran {
        Ran::from(self.command(words).output().unwrap())
    }

    /// Runs `ssh-keygen` on a file of this folder; it must be there and succeed.
    pub(crate) fn ssh_keygen(&self, words: &[&str]) -> String {
        let output = Command::new("ssh-keygen")
            .args(words)
            .current_dir(self.0.path())
            .output()
            .expect("ssh-keygen is needed for this test: install OpenSSH's client");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The output of a run that succeeded without a complaint.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// The complaint of a run that failed with this code and printed nothing else.
    #[track_caller]
    pub(crate) fn refused(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        self.err
    }
}
