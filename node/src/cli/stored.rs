//! The messages of a home whose node is not running.

use muster_keys::PublicKey;
use muster_roles::{GroupId, Keyring, Roster, Timestamp};

use super::time;
use crate::config::Settings;
use crate::disk::{Disk, damaged_hint};
use crate::engine::view::Reader;
use crate::error::{CommandError, Kind};
use crate::export::{ExportError, GroupError, Tally, readable};
use crate::home::{Home, Locking, NodeLock};

/// A running node can itself do what is wanted.
const EXPORT_HINT: &str = "type `:d` in its chat to export a group now, or stop it first";

/// A home's store, open for its member to read.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) disk: Disk,
    home: Home,
    roster: Roster,
    keyring: Keyring,
    me: PublicKey,
    now: Timestamp,
    /// Dropped last: while anything is open here no node may start.
    _lock: NodeLock,
}

impl Stored {
    /// Opens the store of the home in the settings.
    pub(super) fn open(settings: &Settings) -> Result<Self, CommandError> {
        let now = time::now();
        let home = settings.home()?;
        if !home.has_unit() {
            // What is missing is told in the words of every other command.
            home.read_roster(now)?;
        }
        let lock = home.lock().map_err(|error| running(error, EXPORT_HINT))?;
        let opened = home.open(Locking::Leave, &settings.key, now)?;
        let disk = Disk::open(&home.database_path())?;
        let keyring = opened.roster.open_keys(&opened.identity);
        let me = opened.identity.public();
        Ok(Self { disk, home, roster: opened.roster, keyring, me, now, _lock: lock })
    }

    /// Returns the group of that name, or all that the member may read.
    pub(super) fn groups(&self, name: Option<&str>) -> Result<Vec<GroupId>, CommandError> {
        readable(&self.roster, &self.me, name)
            .map_err(|error: GroupError| CommandError::from_error(Kind::Failed, &error).with_hint(error.hint()))
    }

    /// Returns the roster in force.
    pub(super) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Returns what turns records into messages.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { roster: &self.roster, keyring: &self.keyring, me: &self.me }
    }

    /// Returns the time so long ago, or the beginning of time.
    pub(super) fn since(&self, ago: Option<Ago>) -> Timestamp {
        ago.map_or(Timestamp::ZERO, |ago| ago.before(self.now))
    }

    /// Tells a person why messages could not be written out.
    pub(super) fn failure(&self, error: &ExportError) -> CommandError {
        match error {
            ExportError::Read(_) => {
                CommandError::from_error(Kind::Store, error).with_hint(damaged_hint(&self.home.database_path()))
            }
            ExportError::Write(source) => CommandError::output(source),
            _ => CommandError::from_error(Kind::Failed, error).with_hint(error.hint().map(str::to_owned)),
        }
    }
}

/// A running node has the store; the hint says what to do about it.
pub(super) fn running(error: CommandError, hint: &str) -> CommandError {
    match error.kind() {
        Kind::Store => {
            CommandError::failed("a node is running on this home and has its messages open").with_hint(hint.to_owned())
        }
        _ => error,
    }
}

/// A span of time up to now, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ago(u64);

impl Ago {
    /// Returns the time so long before `now`.
    pub(super) fn before(self, now: Timestamp) -> Timestamp {
        Timestamp::from_ms(now.ms().saturating_sub(self.0))
    }
}

/// Why a text is no span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number and m, h or d, such as 30m, 12h or 7d")]
pub(super) struct AgoError;

impl std::str::FromStr for Ago {
    type Err = AgoError;

    fn from_str(text: &str) -> Result<Self, AgoError> {
        const MINUTE_MS: u64 = 60 * 1000;
        let unit = text.chars().next_back().ok_or(AgoError)?;
        let unit_ms = match unit {
            'm' => MINUTE_MS,
            'h' => 60 * MINUTE_MS,
            'd' => 24 * 60 * MINUTE_MS,
            _ => return Err(AgoError),
        };
        let digits = text.strip_suffix(unit).ok_or(AgoError)?;
        // `parse` would take a sign too.
        if !digits.chars().all(|c| c.is_ascii_digit()) {
            return Err(AgoError);
        }
        let number: u64 = digits.parse().map_err(|_| AgoError)?;
        number.checked_mul(unit_ms).map(Self).ok_or(AgoError)
    }
}

/// Says how many messages there were.
pub(super) fn messages(tally: Tally) -> String {
    match tally.written {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    }
}

/// Says how many records were left out, if any were.
pub(super) fn left_out(tally: Tally) -> Option<String> {
    match tally.unreadable {
        0 => None,
        1 => Some("1 record could not be read".to_owned()),
        count => Some(format!("{count} records could not be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_minutes_hours_or_days() {
        assert_eq!("30m".parse(), Ok(Ago(30 * 60 * 1000)));
        assert_eq!("12h".parse(), Ok(Ago(12 * 60 * 60 * 1000)));
        assert_eq!("7d".parse(), Ok(Ago(7 * 24 * 60 * 60 * 1000)));
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "7", "d", "7w", "-7d", "+7d", "7 d", "7.5d", "99999999999999999999d", "18446744073709551615d"]
        {
            assert_eq!(text.parse::<Ago>(), Err(AgoError), "{text:?}");
        }
    }

    #[test]
    fn counts_are_told_in_words() {
        let tally = |written, unreadable| Tally { written, unreadable };
        assert_eq!(messages(tally(1, 0)), "1 message");
        assert_eq!(messages(tally(0, 0)), "0 messages");
        assert_eq!(left_out(tally(1, 0)), None);
        assert_eq!(left_out(tally(1, 3)).as_deref(), Some("3 records could not be read"));
    }
}
