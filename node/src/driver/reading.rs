//! What the driver reads from the store for the engine and the screens.

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Zoned;
use jiff::tz::TimeZone;
use muster_keys::PublicKey;
use muster_roles::{GroupId, Keyring, Roster, Timestamp};
use tokio::sync::mpsc;

use super::seen::Unread;
use crate::control::{self, Answer, Message, Page, Piece, Position, Refusal, RefusalKind};
use crate::disk::{Disk, DiskError, END_OF_TIME, Mark};
use crate::engine::io::{Input, SyncInput};
use crate::engine::matrix::Matrix;
use crate::engine::policy::Carry;
use crate::engine::recall::Recall;
use crate::engine::store::{RETENTION_MS, Store};
use crate::engine::sync::{SessionId, SyncId};
use crate::engine::time::UnixMillis;
use crate::engine::view::{Reader, Row};
use crate::engine::wire::RecordId;
use crate::engine::{Boot, MAX_UNSENT};
use crate::export::{self, Export, Format};

/// Bytes of an export that are handed on together.
const PIECE_LEN: usize = 32 * 1024;

/// Reads what the engine must know of the store when it starts.
pub(super) fn boot(disk: &Disk, roster: &Roster, me: &PublicKey, carry: Carry) -> Result<Boot, DiskError> {
    let (newest, floors, waiting) = (disk.newest()?, disk.floors()?, disk.waiting(MAX_UNSENT)?);
    let mut boot = Boot { newest, carry, waiting, floors, ..Boot::default() };
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

/// What opens records for this member.
pub(super) struct Opener {
    pub(super) roster: Arc<Roster>,
    pub(super) keyring: Keyring,
    pub(super) me: PublicKey,
}

impl Opener {
    fn reader(&self) -> Reader<'_> {
        Reader { roster: &self.roster, keyring: &self.keyring, me: &self.me }
    }
}

/// Goes through the stored records of a group for what a node remembers of them; nothing where the store cannot be read,
/// and then no hole is shown and nothing is confirmed, or where it is given up.
pub(super) fn recall(disk: &Disk, opener: &Opener, group: GroupId, is_given_up: impl Fn() -> bool) -> Option<Input> {
    let mut recall = Recall::default();
    let scanned = disk.scan(&group, Timestamp::ZERO, END_OF_TIME, &mut |stored| {
        recall.note(&stored, &opener.reader());
        if is_given_up() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match scanned {
        Ok(()) if is_given_up() => None,
        Ok(()) => Some(Input::Recalled { group, recall }),
        Err(error) => {
            tracing::error!(%error, %group, "the store cannot be read");
            None
        }
    }
}

/// Goes through the records of a group from a message on for who has it; nothing where the message is not here.
pub(super) fn who(disk: &Disk, opener: &Opener, group: &GroupId, id: RecordId) -> Result<Option<Matrix>, DiskError> {
    let mut matrix: Option<Matrix> = None;
    disk.scan(group, Timestamp::ZERO, END_OF_TIME, &mut |stored| {
        let frame = stored.frame();
        match &mut matrix {
            None if frame.id() == id && frame.header().kind.is_message() => {
                matrix = Some(Matrix::of(id, frame.header(), &opener.roster));
            }
            None => {}
            Some(matrix) => {
                if let Ok(content) = opener.reader().content(&stored) {
                    matrix.note(frame.header(), &content);
                }
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(matrix)
}

/// Messages of a group that have been read from the store.
pub(super) struct Read {
    rows: Vec<Row>,
    older: Option<Mark>,
}

impl Read {
    /// Makes a page of them; `is_waiting` says which wait for somebody to have them.
    pub(super) fn into_page(self, group: GroupId, seen: Option<Position>, is_waiting: impl Fn(&Row) -> bool) -> Page {
        let message = |row: Row| Message::from(if is_waiting(&row) { row.into_waiting() } else { row });
        let messages = self.rows.into_iter().map(message).collect();
        let older = self.older.map(|(time, id)| Position { time, id: id.into() });
        Page { group, messages, older, seen }
    }
}

/// Reads the newest `limit` records of a group before `before`, or of all.
pub(super) fn page(
    disk: &Disk,
    reader: Reader<'_>,
    group: &GroupId,
    before: Option<Position>,
    limit: usize,
) -> Result<Read, DiskError> {
    let (stored, older) = disk.page(group, before.map(|before| (before.time, before.id.into())), limit)?;
    let rows = stored.iter().filter_map(|record| reader.row(record).ok()).collect();
    Ok(Read { rows, older })
}

/// Finds the messages of others that are newer than `mark`; not all of them where it is given up.
pub(super) fn unread(
    disk: &Disk,
    me: &PublicKey,
    group: &GroupId,
    mark: Option<Mark>,
    is_given_up: impl Fn() -> bool,
) -> Result<Unread, DiskError> {
    let mut unread = Unread::default();
    let from = mark.map_or(Timestamp::ZERO, |(time, _)| time);
    for stored in disk.messages(group, from, END_OF_TIME)?.take_while(|_| !is_given_up()) {
        let stored = stored?;
        let header = stored.frame().header();
        let place = (header.time, stored.frame().id());
        if header.author != *me && mark.is_none_or(|mark| mark < place) {
            unread.insert(Position { time: place.0, id: place.1.into() });
        }
    }
    Ok(unread)
}

/// Messages to be written out piece by piece.
pub(super) struct WriteOut {
    disk: Disk,
    roster: Arc<Roster>,
    keyring: Keyring,
    me: PublicKey,
    groups: Vec<GroupId>,
    since: Timestamp,
    format: Format,
    zone: TimeZone,
}

impl WriteOut {
    pub(super) fn new(
        export: &control::Export,
        groups: Vec<GroupId>,
        disk: &Disk,
        roster: &Arc<Roster>,
        keyring: Keyring,
        me: PublicKey,
    ) -> Result<Self, Refusal> {
        let zone = match &export.zone {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name)
                .map_err(|_| Refusal::new(RefusalKind::Invalid, format_args!("there is no time zone `{name}`")))?,
        };
        let since = export.since_ms.map_or(Timestamp::ZERO, Timestamp::from_ms);
        let (disk, roster) = (disk.clone(), roster.clone());
        Ok(Self { disk, roster, keyring, me, groups, since, format: export.format, zone })
    }

    /// Writes until all is written or nobody takes it any more.
    pub(super) fn run(self, pieces: &mpsc::Sender<Piece>) {
        let export = Export {
            disk: &self.disk,
            reader: Reader { roster: &self.roster, keyring: &self.keyring, me: &self.me },
            groups: self.groups,
            since: self.since,
            format: self.format,
            zone: self.zone,
        };
        let mut out = BufWriter::with_capacity(PIECE_LEN, Pieces(pieces.clone()));
        let last = match export.write_to(&mut out) {
            Ok(export::Tally { written, unreadable }) => Piece::End { written, unreadable },
            Err(error) => Piece::Failed(Refusal::new(RefusalKind::Failed, &error)),
        };
        // What is left in the buffer after a failure is of no use.
        drop(out.into_parts());
        drop(pieces.blocking_send(last));
    }
}

/// A writer whose every write is a piece.
struct Pieces(mpsc::Sender<Piece>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.blocking_send(Piece::Bytes(bytes.to_vec())).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
