//! What the driver reads from the store for the engine and the screens.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Zoned;
use jiff::tz::TimeZone;
use muster_keys::PublicKey;
use muster_roles::{GroupId, Keyring, Roster, Timestamp};

use crate::control::{Answer, Message, Page, Position, Refusal, RefusalKind};
use crate::disk::{Disk, DiskError, END_OF_TIME};
use crate::engine::holes::Tally;
use crate::engine::io::{Input, SyncInput};
use crate::engine::policy::Carry;
use crate::engine::store::{RETENTION_MS, Store};
use crate::engine::sync::{SessionId, SyncId};
use crate::engine::time::UnixMillis;
use crate::engine::view::Reader;
use crate::engine::{Boot, MAX_UNSENT, State};
use crate::export::{Export, Format};

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

/// Reads a page of a group: the newest messages before `before`, at most `limit` records.
pub(super) fn page(
    disk: &Disk,
    state: &State,
    group: &GroupId,
    before: Option<Position>,
    limit: usize,
) -> Result<Page, DiskError> {
    let (stored, older) = disk.page(group, before.map(|before| (before.time, before.id.into())), limit)?;
    let rows = stored.iter().filter_map(|record| state.row(record).ok());
    let messages = rows.map(Message::from).collect();
    let older = older.map(|(time, id)| Position { time, id: id.into() });
    Ok(Page { group: group.clone(), messages, older, seen: None })
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
    pub(super) fn save(self, now: UnixMillis) -> Result<Answer, Refusal> {
        let export = Export {
            disk: &self.disk,
            reader: Reader { roster: &self.roster, keyring: &self.keyring, me: &self.me },
            groups: vec![self.group],
            since: Timestamp::from_ms(now.0.saturating_sub(RETENTION_MS)),
            format: Format::Text,
            zone: TimeZone::system(),
        };
        match export.save_in(&self.folders, &Zoned::now()) {
            Ok((path, tally)) => Ok(Answer::Exported { path, count: tally.written }),
            Err(error) => {
                let refusal = Refusal::new(RefusalKind::Failed, format_args!("not saved: {error}"));
                Err(Refusal { hint: error.hint().map(str::to_owned), ..refusal })
            }
        }
    }
}
