//! One message as it is shown, and where it stands among the others.

use std::fmt;
use std::str::FromStr;

use muster_roles::{GroupId, MemberName, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Manner, Text};
use crate::engine::delivery::Progress;
use crate::engine::view::Row;
use crate::engine::wire::RecordId;

/// Digits of a time in a [`Position`].
const TIME_DIGITS: usize = 16;

/// Digits of a [`MessageId`].
const ID_DIGITS: usize = 64;

/// A message's name: the same on every device and for ever, 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MessageId([u8; 32]);

/// Where a message stands in its group: by its time, then by its id.
///
/// As text it is 16 digits, `-` and the id, all hexadecimal; the texts sort as the messages do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Position {
    /// The message's own time.
    pub time: Timestamp,
    /// The message.
    pub id: MessageId,
}

/// Why a text names no message, or no place among messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits, and for a position 16 more and a `-` before them")]
pub struct PositionError;

/// How far a message of this member has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Nobody else is known to have it.
    Waiting,
    /// At least one other member has it; more is not known.
    Sent,
    /// Only these are known to have it, who cannot read it.
    Carried {
        /// Their names.
        by: Vec<MemberName>,
    },
    /// So many of those who may read it have confirmed to have it.
    Delivered {
        /// How many have.
        to: usize,
        /// How many may read it, its author apart.
        of: usize,
    },
}

impl From<&Progress> for Delivery {
    fn from(progress: &Progress) -> Self {
        match progress {
            Progress::Waiting => Self::Waiting,
            Progress::Sent => Self::Sent,
            Progress::Carried { by } => Self::Carried { by: by.clone() },
            Progress::Delivered { to, of } => Self::Delivered { to: *to, of: *of },
        }
    }
}

impl fmt::Display for Delivery {
    /// `waiting`, `carried by Base`, `2/3 delivered`, `all`; nothing where no more is known than that it was sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("waiting"),
            Self::Sent => Ok(()),
            Self::Carried { by } => {
                let names: Vec<&str> = by.iter().map(MemberName::as_str).collect();
                write!(f, "carried by {}", names.join(", "))
            }
            Self::Delivered { to, of } if to == of => f.write_str("all"),
            Self::Delivered { to, of } => write!(f, "{to}/{of} delivered"),
        }
    }
}

/// One message as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Fields", try_from = "Fields")]
pub struct Message {
    /// Its name.
    pub id: MessageId,
    /// Where it was posted.
    pub group: GroupId,
    /// Who wrote it.
    pub author: MemberName,
    /// Its own time, by which messages are ordered.
    pub time: Timestamp,
    /// When this node got it, in Unix milliseconds.
    pub received_ms: u64,
    /// The text.
    pub text: Text,
    /// How it is said.
    pub manner: Manner,
    /// Whether somebody else calls this device's own member by name in it.
    pub mentions_me: bool,
    /// How far it has come, if this device's own member wrote it.
    pub delivery: Option<Delivery>,
    /// Whether it came only after its author had been removed, though it is dated before: perhaps back-dated.
    pub from_removed: bool,
}

/// What stands behind a message that came after its author had been removed.
pub(crate) const FROM_REMOVED: &str = " (late, of a removed member)";

impl Message {
    /// Tells whether this device's own member wrote it.
    #[must_use]
    pub fn is_mine(&self) -> bool {
        self.delivery.is_some()
    }

    /// Tells whether it is this member's own and nobody else is known to have it.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.delivery == Some(Delivery::Waiting)
    }

    /// Returns where it stands in its group.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { time: self.time, id: self.id }
    }
}

impl fmt::Display for Message {
    /// `Army1: text`, one's own `Army3 (me): text`, with ` (waiting)` behind it while nobody else has it; one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let me = if self.is_mine() { " (me)" } else { "" };
        let waiting = if self.is_waiting() { " (waiting)" } else { "" };
        let removed = if self.from_removed { FROM_REMOVED } else { "" };
        write!(f, "{}{me}: {}{removed}{waiting}", self.author, self.text)
    }
}

impl From<Row> for Message {
    fn from(row: Row) -> Self {
        let delivery = row.mine().then(|| row.progress().map_or(Delivery::Sent, Delivery::from));
        Self {
            id: row.id().into(),
            group: row.group().clone(),
            author: row.author().clone(),
            time: row.time(),
            received_ms: row.received_ms(),
            text: row.text().clone(),
            manner: Manner::from(&row),
            mentions_me: row.mentions_me(),
            delivery,
            from_removed: row.is_from_removed(),
        }
    }
}

/// A message in JSON: the position holds its exact time, the time is for people.
#[derive(Serialize, Deserialize)]
struct Fields {
    id: MessageId,
    group: GroupId,
    author: MemberName,
    #[serde(skip_deserializing)]
    time: String,
    text: Text,
    #[serde(flatten)]
    manner: Manner,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    mentions_me: bool,
    mine: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivery: Option<Delivery>,
    received_ms: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    from_removed: bool,
    position: Position,
}

impl From<Message> for Fields {
    fn from(message: Message) -> Self {
        let (time, mine, position) = (rfc3339(message.time), message.is_mine(), message.position());
        let Message { id, group, author, received_ms, text, manner, mentions_me, delivery, from_removed, .. } = message;
        Self { id, group, author, time, text, manner, mentions_me, mine, delivery, received_ms, from_removed, position }
    }
}

impl TryFrom<Fields> for Message {
    type Error = PositionError;

    fn try_from(fields: Fields) -> Result<Self, PositionError> {
        let Fields {
            id, group, author, text, manner, mentions_me, delivery, received_ms, from_removed, position, ..
        } = fields;
        if position.id != id {
            return Err(PositionError);
        }
        let time = position.time;
        Ok(Self { id, group, author, time, received_ms, text, manner, mentions_me, delivery, from_removed })
    }
}

/// A time in UTC to the millisecond, as RFC 3339 has it; one beyond the calendar's 9,999 years is the end of them.
pub(super) fn rfc3339(time: Timestamp) -> String {
    let instant = i64::try_from(time.ms()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    format!("{:.3}", instant.unwrap_or(jiff::Timestamp::MAX))
}

impl From<RecordId> for MessageId {
    fn from(id: RecordId) -> Self {
        Self(*id.as_bytes())
    }
}

impl From<MessageId> for RecordId {
    fn from(id: MessageId) -> Self {
        Self::from_bytes(id.0)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for MessageId {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        if text.len() != ID_DIGITS {
            return Err(PositionError);
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::try_from(from_hex(digits)?).map_err(|_| PositionError)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.time.to_u64(), self.id)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (time, id) = text.split_once('-').ok_or(PositionError)?;
        if time.len() != TIME_DIGITS {
            return Err(PositionError);
        }
        Ok(Self { time: Timestamp::from_u64(from_hex(time.as_bytes())?), id: id.parse()? })
    }
}

/// Reads up to 16 hexadecimal digits, in lower case as they are written.
fn from_hex(digits: &[u8]) -> Result<u64, PositionError> {
    digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'9' => Ok(value << 4 | u64::from(digit - b'0')),
        b'a'..=b'f' => Ok(value << 4 | u64::from(digit - b'a' + 10)),
        _ => Err(PositionError),
    })
}

impl From<MessageId> for String {
    fn from(id: MessageId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for MessageId {
    type Error = PositionError;

    fn try_from(text: String) -> Result<Self, PositionError> {
        text.parse()
    }
}

impl From<Position> for String {
    fn from(position: Position) -> Self {
        position.to_string()
    }
}

impl TryFrom<String> for Position {
    type Error = PositionError;

    fn try_from(text: String) -> Result<Self, PositionError> {
        text.parse()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
impl Message {
    /// Makes a message of somebody else out of nothing, for tests; its number is its time and its id.
    pub(crate) fn sample(number: u32, group: &str, author: &str, text: &str) -> Self {
        let time = Timestamp::from_ms(number.into());
        let id = format!("{number:064x}").parse().unwrap();
        let (group, author, text) = (group.parse().unwrap(), author.parse().unwrap(), Text::new(text));
        Self {
            id,
            group,
            author,
            time,
            received_ms: time.ms(),
            text,
            manner: Manner::default(),
            mentions_me: false,
            delivery: None,
            from_removed: false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn message(ms: u64, counter: u64) -> Message {
        Message {
            id: MessageId([0xab; 32]),
            group: "army".parse().unwrap(),
            author: "Army1".parse().unwrap(),
            time: Timestamp::from_u64(Timestamp::from_ms(ms).to_u64() + counter),
            received_ms: ms + 5,
            text: Text::new("two\nlines\u{1b}[2J"),
            manner: Manner::default(),
            mentions_me: false,
            delivery: None,
            from_removed: false,
        }
    }

    #[test]
    fn a_message_in_json_is_the_same_message_when_read_back() {
        let mut message = message(1_795_356_185_123, 7);
        for delivery in [None, Some(Delivery::Waiting), Some(Delivery::Sent)] {
            message.delivery = delivery;
            let json = serde_json::to_string(&message).unwrap();
            assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message, "{json}");
            assert!(!json.contains("from_removed"));
        }
        message.from_removed = true;
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message, "{json}");
        assert!(message.to_string().contains(FROM_REMOVED));
    }

    #[test]
    fn json_tells_the_time_in_utc_and_the_text_with_its_line_breaks() {
        let json: serde_json::Value = serde_json::to_value(message(1_795_356_185_123, 7)).unwrap();
        assert_eq!(json["time"], "2026-11-22T14:03:05.123Z");
        assert_eq!(json["text"], "two\nlines[2J");
        assert_eq!(json["mine"], false);
        assert_eq!(json["id"], "ab".repeat(32));
    }

    #[test]
    fn what_is_read_back_is_safe_to_print_whoever_wrote_it() {
        let text: Text = serde_json::from_str(r#""a\u001b[2J\nb\u202e""#).unwrap();
        assert_eq!(text.as_str(), "a[2J\nb");
        let line: crate::control::Printable = serde_json::from_str(r#""a\u001b\nb""#).unwrap();
        assert_eq!(line.as_str(), "a b");
    }

    #[test]
    fn a_position_that_names_another_message_is_refused() {
        let mut json = serde_json::to_value(message(1, 0)).unwrap();
        json["id"] = "cd".repeat(32).into();
        assert!(serde_json::from_value::<Message>(json).is_err());
    }

    #[test]
    fn positions_sort_as_their_texts_do() {
        let positions = [message(1, 0), message(1, 1), message(2, 0), message(1 << 44, 0)].map(|m| m.position());
        let texts = positions.map(|position| position.to_string());
        assert!(positions.is_sorted() && texts.is_sorted());
        for (position, text) in positions.iter().zip(&texts) {
            assert_eq!(text.parse(), Ok(*position));
        }
    }

    #[test]
    fn what_names_no_message_is_refused() {
        let id = "0".repeat(64);
        for text in ["", "-", "0-0", &id, &format!("0000000000000000{id}"), &format!("+000000000000001-{id}")] {
            assert_eq!(text.parse::<Position>(), Err(PositionError), "{text}");
        }
        for text in ["", "0", &"g".repeat(64), &"A".repeat(64), &"é".repeat(32)] {
            assert_eq!(text.parse::<MessageId>(), Err(PositionError), "{text}");
        }
    }
}
