//! Whose a home is, for the message to somebody whom the system keeps out of it.

use std::io;
use std::path::Path;

use crate::error::CommandError;

/// The refusal of a home that belongs to another user, if that is why the system refused something in it.
pub(super) fn refusal(dir: &Path, error: &io::Error) -> Option<CommandError> {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return None;
    }
    let (owner, user) = owner_and_user(dir)?;
    (owner != user).then(|| {
        CommandError::failed(format!("{} belongs to user {owner}, not to user {user} who runs this", dir.display()))
            .because(error)
            .with_hint(format!("run it as user {owner}, or hand the folder over: chown -R {user} {}", dir.display()))
    })
}

#[cfg(target_os = "linux")]
fn owner_and_user(dir: &Path) -> Option<(u32, u32)> {
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(dir).ok()?);
    Some((owner, nix::unistd::geteuid().as_raw()))
}

#[cfg(not(target_os = "linux"))]
fn owner_and_user(_dir: &Path) -> Option<(u32, u32)> {
    None
}
