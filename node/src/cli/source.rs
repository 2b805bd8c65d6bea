//! Where a command gets stored messages from: the node that runs on the home, or the store where none does.

use std::io::{self, Write};
use std::path::Path;

use jiff::Zoned;
use muster_roles::GroupId;

use super::running::{client, failure, unexpected, wait_for};
use super::stored::{Ago, Stored};
use super::time;
use crate::api::{Client, ClientError, Exported};
use crate::config::Settings;
use crate::control::{self, Answer, Format, Request};
use crate::error::{CommandError, Kind};
use crate::export::{Export, ExportError, Tally};
use crate::new_file::{FileError, NewFile};

/// Stored messages, and the form in which they are wanted.
pub(super) enum Source {
    /// The running node has them.
    Node { client: Client, groups: Vec<GroupId>, export: control::Export },
    /// No node runs: they are read from the store.
    Store { stored: Box<Stored>, groups: Vec<GroupId>, since: Option<Ago>, format: Format, now: Zoned },
}

impl Source {
    /// Finds the messages of a group, or of all that the member may read.
    pub(super) fn open(
        settings: &Settings,
        group: Option<String>,
        since: Option<Ago>,
        format: Format,
        now: &Zoned,
    ) -> Result<Self, CommandError> {
        let client = client(settings)?;
        let asked = wait_for(async { Ok(client.ask(&Request::Groups).await) })?;
        match asked {
            Ok(Answer::Groups { groups }) => {
                let groups = groups.into_iter().map(|group| group.choice.id);
                let groups = groups.filter(|id| group.as_deref().is_none_or(|group| group == id.as_str())).collect();
                let since_ms = since.map(|ago| ago.before(time::now()).ms());
                let zone = now.time_zone().iana_name().map(str::to_owned);
                Ok(Self::Node { client, groups, export: control::Export { group, since_ms, format, zone } })
            }
            Ok(_) => Err(unexpected()),
            Err(ClientError::NotRunning) => {
                let stored = Box::new(Stored::open(settings)?);
                let groups = stored.groups(group.as_deref())?;
                Ok(Self::Store { stored, groups, since, format, now: now.clone() })
            }
            Err(error) => Err(failure(&error)),
        }
    }

    /// Returns the groups.
    pub(super) fn groups(&self) -> &[GroupId] {
        match self {
            Self::Node { groups, .. } | Self::Store { groups, .. } => groups,
        }
    }

    /// Writes the messages.
    pub(super) fn write(&self, out: &mut impl Write) -> Result<Tally, CommandError> {
        match self {
            Self::Node { client, export, .. } => wait_for(async {
                let mut out = Watched { out, failed: None };
                let exported = client.export(export, &mut out).await;
                match (out.failed, exported) {
                    (Some(error), _) => Err(CommandError::output(&error)),
                    (None, Ok(Exported { written, unreadable })) => Ok(Tally { written, unreadable }),
                    (None, Err(error)) => Err(failure(&error)),
                }
            }),
            Self::Store { stored, .. } => {
                self.stored_export(stored).write_to(out).map_err(|error| stored.failure(&error))
            }
        }
    }

    /// Writes the messages to a file.
    pub(super) fn save(&self, path: &Path, overwrite: bool) -> Result<Tally, CommandError> {
        match self {
            Self::Node { .. } => {
                let refused = |error: FileError| {
                    CommandError::from_error(Kind::Failed, &error).with_hint(error.hint().to_owned())
                };
                let mut file = NewFile::create(path, overwrite).map_err(refused)?;
                let tally = self.write(&mut file)?;
                file.keep().map_err(refused)?;
                Ok(tally)
            }
            Self::Store { stored, .. } => {
                let saved: Result<Tally, ExportError> = self.stored_export(stored).save(path, overwrite);
                saved.map_err(|error| stored.failure(&error))
            }
        }
    }

    fn stored_export<'a>(&self, stored: &'a Stored) -> Export<'a> {
        let (groups, since, format, zone) = match self {
            Self::Store { groups, since, format, now, .. } => {
                (groups.clone(), *since, *format, now.time_zone().clone())
            }
            Self::Node { groups, export, .. } => (groups.clone(), None, export.format, jiff::tz::TimeZone::system()),
        };
        Export { disk: &stored.disk, reader: stored.reader(), groups, since: stored.since(since), format, zone }
    }
}

/// An output that remembers what went wrong with it, to be told apart from what went wrong with the node.
struct Watched<'a, W> {
    out: &'a mut W,
    failed: Option<io::Error>,
}

impl<W: Write> Watched<'_, W> {
    fn watch<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }
}

impl<W: Write> Write for Watched<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        self.watch(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.watch(flushed)
    }
}
