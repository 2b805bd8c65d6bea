//! What the driver reads from the store for the engine and the screens.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Zoned;
use jiff::tz::TimeZone;
use muster_keys::PublicKey;
use muster_roles::{GroupId, Keyring, Roster, Timestamp};

use crate::disk::{Disk, DiskError, END_OF_TIME};
use crate::engine::holes::Tally;
use crate::engine::io::{Input, SyncInput};
use crate::engine::policy::Carry;
use crate::engine::store::{RETENTION_MS, Store};
use crate::engine::sync::{SessionId, SyncId};
use crate::engine::time::UnixMillis;
use crate::engine::view::{Reader, Row};
use crate::engine::{Boot, MAX_UNSENT, State};
use crate::export::{Export, Format};
use crate::ui::{Event, HISTORY_ROWS};

/// Reads what the engine must know of the store when it starts.
pub(super) fn boot(disk: &Disk, roster: &Roster, me: &PublicKey, carry: Carry) -> Result<Boot, DiskError> {
    let (newest, floor, waiting) = (disk.newest()?, disk.floor()?, disk.waiting(MAX_UNSENT)?);
    let mut boot = Boot { newest, carry, waiting, floor, ..Boot::default() };
    for group in roster.groups() {
        if let Some(seq) = disk.last_seq(group, me)? {
            boot.last_seq.insert(group.clone(), seq);
        }
    }
    Ok(boot)
}

/// Reads what reconciliation compares of a group; nothing where the store cannot be read, and then nothing is compared.
pub(super) fn index(disk: &Disk, group: GroupId) -> Option<Input> {
    match disk.names(&group) {
        Ok(names) => Some(Input::Sync(SyncInput::Indexed { group, names })),
        Err(error) => {
            tracing::error!(%error, %group, "the store cannot be read");
            None
        }
    }
}

/// Reads records that another member asked for; what cannot be read is left out, and can be had elsewhere.
pub(super) fn load(disk: &Disk, session: SessionId, group: GroupId, names: &[SyncId]) -> Option<Input> {
    let records = disk.load(&group, names).unwrap_or_else(|error| {
        tracing::error!(%error, %group, "the store cannot be read");
        Vec::new()
    });
    Some(Input::Sync(SyncInput::Loaded { session, group, records }))
}

/// Counts the stored records of a group; nothing where the store cannot be read, and then no hole is shown.
pub(super) fn count(disk: &Disk, group: GroupId) -> Option<Input> {
    let mut tally = Tally::default();
    let scanned = disk.scan(&group, Timestamp::ZERO, END_OF_TIME, &mut |stored| {
        tally.note(stored.frame().header());
        ControlFlow::Continue(())
    });
    match scanned {
        Ok(()) => Some(Input::Counted { group, tally }),
        Err(error) => {
            tracing::error!(%error, %group, "the store cannot be read");
            None
        }
    }
}

/// Reads the newest rows of a group, oldest first.
pub(super) fn history(disk: &Disk, state: &State, group: &GroupId) -> Result<Vec<Row>, DiskError> {
    let stored = disk.latest(group, HISTORY_ROWS)?;
    Ok(stored.iter().filter_map(|record| state.row(record).ok()).collect())
}

/// What an export needs while the node goes on.
pub(super) struct WeekOf {
    pub(super) disk: Disk,
    pub(super) roster: Arc<Roster>,
    pub(super) keyring: Keyring,
    pub(super) me: PublicKey,
    pub(super) group: GroupId,
    /// Where the file may go: the first of these that can be written.
    pub(super) folders: Vec<PathBuf>,
}

impl WeekOf {
    /// Writes the last week of a group to a text file.
    pub(super) fn save(self, now: UnixMillis) -> Event {
        let export = Export {
            disk: &self.disk,
            reader: Reader { roster: &self.roster, keyring: &self.keyring, me: &self.me },
            groups: vec![self.group],
            since: Timestamp::from_ms(now.0.saturating_sub(RETENTION_MS)),
            format: Format::Text,
            zone: TimeZone::system(),
        };
        match export.save_in(&self.folders, &Zoned::now()) {
            Ok((path, tally)) => Event::Exported { path, count: tally.written },
            Err(error) => Event::ExportFailed { reason: error.to_string() },
        }
    }
}
