//! Which commit a git checkout stands at, read from its files: git itself need not be installed where a build runs.

use std::fs;
use std::path::{Path, PathBuf};

/// How many hexadecimal digits of a commit are told: enough for any repository, and few enough to read aloud.
const SHORT_LEN: usize = 12;

/// The files of a git checkout.
pub(crate) struct Checkout {
    /// Where `HEAD` is: the folder `.git`, or that of a linked work tree.
    own: PathBuf,
    /// Where the branches are.
    common: PathBuf,
}

impl Checkout {
    /// The checkout whose top this folder is; `None` where it is none.
    pub(crate) fn find(top: &Path) -> Option<Self> {
        let dot_git = top.join(".git");
        // In a linked work tree, `.git` is a file that names the folder.
        let own = match fs::read_to_string(&dot_git) {
            Ok(link) => top.join(link.trim().strip_prefix("gitdir:")?.trim()),
            Err(_) => dot_git,
        };
        let common = match fs::read_to_string(own.join("commondir")) {
            Ok(folder) => own.join(folder.trim()),
            Err(_) => own.clone(),
        };
        own.join("HEAD").is_file().then_some(Self { own, common })
    }

    /// The commit at which the checkout stands; `None` before the first one.
    pub(crate) fn commit(&self) -> Option<String> {
        let head = fs::read_to_string(self.own.join("HEAD")).ok()?;
        let Some(branch) = head.trim().strip_prefix("ref:") else { return Some(head.trim().to_owned()) };
        let branch = branch.trim();
        match fs::read_to_string(self.common.join(branch)) {
            Ok(commit) => Some(commit.trim().to_owned()),
            Err(_) => self.packed(branch),
        }
    }

    /// The files and folders of which one changes when the checkout moves to another commit.
    ///
    /// All of them exist: cargo takes one that is missing for one that has changed, and would build each time.
    pub(crate) fn moves_with(&self) -> Vec<PathBuf> {
        let mut paths = vec![self.own.join("HEAD")];
        let head = fs::read_to_string(self.own.join("HEAD")).unwrap_or_default();
        if let Some(branch) = head.trim().strip_prefix("ref:") {
            let branch = self.common.join(branch.trim());
            if branch.is_file() {
                paths.push(branch);
            } else {
                // The branch's next commit makes its file, in the nearest folder that is there.
                paths.push(self.common.join("packed-refs"));
                paths.extend(branch.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_owned));
            }
        }
        paths.retain(|path| path.exists());
        paths
    }

    /// The commit of a branch that has no file of its own.
    fn packed(&self, branch: &str) -> Option<String> {
        let packed = fs::read_to_string(self.common.join("packed-refs")).ok()?;
        let entry = packed.lines().find_map(|line| line.strip_suffix(branch)?.strip_suffix(' '));
        entry.map(str::to_owned)
    }
}

/// The first digits of a commit; `None` for what is no commit.
pub(crate) fn short(commit: &str) -> Option<String> {
    let commit = commit.trim();
    let is_commit = commit.len() >= 7 && commit.chars().all(|c| c.is_ascii_hexdigit());
    is_commit.then(|| commit.chars().take(SHORT_LEN).collect())
}
