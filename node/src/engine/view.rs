//! What a person sees: rows made from stored records, and who the person is.

use std::fmt;

use muster_keys::PublicKey;
use muster_roles::{GroupId, Keyring, MemberName, Precedence, Role, Roster, Timestamp};
use serde::{Deserialize, Serialize};

use super::content::{About, Content};
use super::delivery::Progress;
use super::mention::mentions;
use super::policy::permit_record;
use super::seal;
use super::store::Stored;
use super::wire::{Header, Kind, RecordId};

/// One line that is safe to put on a terminal: no control, escape or text-direction characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Printable(String);

impl Printable {
    /// Strips what a terminal or a reader's eye could be deceived by; line breaks and tabs become spaces.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if text.bytes().all(is_plain) {
            return Self(text.to_owned());
        }
        let keep = |c: char| match c {
            '\n' | '\t' => Some(' '),
            c if c.is_control() || is_deceptive(c) => None,
            c => Some(c),
        };
        Self(text.chars().filter_map(keep).collect())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Printable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Printable {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<Printable> for String {
    fn from(text: Printable) -> Self {
        text.0
    }
}

/// A message's text: like [`Printable`], but its line breaks are kept.
///
/// It displays as one line all the same, so that no message can pass for two; who shows its lines apart asks for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Text(String);

impl Text {
    /// Strips what a terminal or a reader's eye could be deceived by; tabs become spaces.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if text.bytes().all(|byte| byte == b'\n' || is_plain(byte)) {
            return Self(text.to_owned());
        }
        let lines: Vec<String> = text.split('\n').map(|line| Printable::new(line).0).collect();
        Self(lines.join("\n"))
    }

    /// Returns the text with its line breaks.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns its lines, each safe to put on a terminal.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.split('\n')
    }
}

impl fmt::Display for Text {
    /// In one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, line) in self.lines().enumerate() {
            f.write_str(if number > 0 { " " } else { "" })?;
            f.write_str(line)?;
        }
        Ok(())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

/// Tells letters, digits and signs of ASCII and the space, with which nobody is deceived: most texts are made of nothing else.
fn is_plain(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_graphic()
}

/// Tells characters that reorder or hide text: bidi controls (UAX #9), line and paragraph separators, tags, the BOM.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        | '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
}

/// One message as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    id: RecordId,
    group: GroupId,
    author: MemberName,
    mine: bool,
    time: Timestamp,
    received_ms: u64,
    text: Text,
    waiting: bool,
    from_removed: bool,
    kind: Kind,
    precedence: Precedence,
    about: Option<About>,
    mentions_me: bool,
    progress: Option<Progress>,
}

impl Row {
    /// Returns the record's id.
    #[must_use]
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// Returns where it was posted.
    #[must_use]
    pub fn group(&self) -> &GroupId {
        &self.group
    }

    /// Returns who wrote it.
    #[must_use]
    pub fn author(&self) -> &MemberName {
        &self.author
    }

    /// Tells whether this device's own member wrote it.
    #[must_use]
    pub fn mine(&self) -> bool {
        self.mine
    }

    /// Returns the record's own time, by which rows are ordered.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Returns when this node got it, in Unix milliseconds.
    #[must_use]
    pub fn received_ms(&self) -> u64 {
        self.received_ms
    }

    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Tells whether it is this member's own and nobody else is known to have it yet.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Tells whether it came only after its author had been removed, though it is dated before: it may have been on its
    /// way for long, or be back-dated.
    #[must_use]
    pub fn is_from_removed(&self) -> bool {
        self.from_removed
    }

    /// Returns what it is: a text, an order or an answer to one; never a receipt.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns how urgent it is.
    #[must_use]
    pub fn precedence(&self) -> Precedence {
        self.precedence
    }

    /// Returns which other message of the group it is about; whether that is here, and whose, is not looked at.
    #[must_use]
    pub fn about(&self) -> Option<About> {
        self.about
    }

    /// Tells whether somebody else calls this device's member by name in it.
    #[must_use]
    pub fn mentions_me(&self) -> bool {
        self.mentions_me
    }

    /// Returns how far it has come, if it is this member's own; nothing where that is not followed any more.
    #[must_use]
    pub fn progress(&self) -> Option<&Progress> {
        if self.waiting { Some(&Progress::Waiting) } else { self.progress.as_ref() }
    }

    /// Says how far it has come.
    #[must_use]
    pub(crate) fn into_progress(self, progress: Progress) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// Says that nobody else is known to have it yet.
    #[must_use]
    pub(crate) fn into_waiting(self) -> Self {
        Self { waiting: true, ..self }
    }
}

/// Why a stored record is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Its author had no right to post it.
    #[error("not permitted: {0}")]
    Denied(#[from] muster_roles::Denial),
    /// The key of its epoch is not this member's to have, or not here yet.
    #[error("no key of {group} epoch {epoch}")]
    NoKey {
        /// The group.
        group: GroupId,
        /// The epoch.
        epoch: u64,
    },
    /// It does not decrypt, or not to text.
    #[error("does not decrypt")]
    Garbled,
    /// It is a receipt, which is no message.
    #[error("a receipt")]
    Receipt,
}

/// A record that this member may read, opened.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    /// Its author's name.
    pub(crate) author: MemberName,
    /// What was sealed in it.
    pub(crate) content: Content,
}

/// Turns stored records into rows for one member.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// Judges who may be shown, by the documents in force at each record's time.
    pub roster: &'a Roster,
    /// The group keys this member holds.
    pub keyring: &'a Keyring,
    /// This member.
    pub me: &'a PublicKey,
}

impl Reader<'_> {
    /// Judges, decrypts and cleans a stored record.
    ///
    /// # Errors
    /// [`Unreadable`] says why it is not to be shown.
    pub fn row(&self, stored: &Stored) -> Result<Row, Unreadable> {
        if !stored.frame().header().kind.is_message() {
            return Err(Unreadable::Receipt);
        }
        Ok(self.row_of(stored, self.open(stored)?))
    }

    /// Judges and decrypts a stored record, a receipt too; returns what was sealed in it.
    ///
    /// # Errors
    /// [`Unreadable`] says why this member may not have it.
    pub fn content(&self, stored: &Stored) -> Result<Content, Unreadable> {
        Ok(self.open(stored)?.content)
    }

    /// Judges and decrypts a stored record, a receipt too.
    pub(crate) fn open(&self, stored: &Stored) -> Result<Opened, Unreadable> {
        let frame = stored.frame();
        let header = frame.header();
        let author = permit_record(self.roster, header)?.name;
        let mut keys = self.keyring.candidates(&header.group, header.epoch).peekable();
        if keys.peek().is_none() {
            return Err(Unreadable::NoKey { group: header.group.clone(), epoch: header.epoch });
        }
        let content = keys.find_map(|key| seal::open(key, frame).ok()).ok_or(Unreadable::Garbled)?;
        Ok(Opened { author, content })
    }

    /// Makes a row of a message that has been opened.
    pub(crate) fn row_of(&self, stored: &Stored, opened: Opened) -> Row {
        let header: &Header = stored.frame().header();
        let mine = header.author == *self.me;
        let my_name = self.roster.at(header.time).member(self.me).map(|member| member.name);
        Row {
            id: stored.frame().id(),
            group: header.group.clone(),
            author: opened.author,
            mine,
            time: header.time,
            received_ms: stored.received_ms(),
            mentions_me: !mine && my_name.is_some_and(|name| mentions(&opened.content.text, &name)),
            text: Text::new(&opened.content.text),
            waiting: false,
            from_removed: self.roster.is_late_arrival(&header.author, header.time, stored.received_ms()),
            kind: header.kind,
            precedence: header.precedence,
            about: opened.content.about,
            progress: None,
        }
    }
}

/// A group as one member sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupChoice {
    /// The group.
    pub id: GroupId,
    /// The letter that switches to it in the chat; `h` for heads.
    pub letter: char,
    /// Whether the member may post there; reading is a given.
    pub may_post: bool,
}

/// Who sits at this screen and which groups there are for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The member's name.
    pub name: MemberName,
    /// The member's role.
    pub role: Role,
    /// The unit's name, safe to print.
    pub unit: Printable,
    /// The groups the member may read, heads first.
    pub groups: Vec<GroupChoice>,
}

impl Profile {
    /// Describes the member with this key; `None` for a stranger.
    #[must_use]
    pub fn of(roster: &Roster, me: &PublicKey) -> Option<Self> {
        let member = roster.member(me)?;
        let heads = (GroupId::heads(), 'h');
        let troops = roster.troops().iter().map(|troop| (troop.id.clone(), troop.letter));
        let groups = std::iter::once(heads)
            .chain(troops)
            .filter(|(id, _)| member.role.may_read(id))
            .map(|(id, letter)| GroupChoice { may_post: member.role.may_post(&id), id, letter })
            .collect();
        Some(Self { name: member.name, role: member.role, unit: Printable::new(roster.unit_name()), groups })
    }

    /// Returns the group the chat opens in: the member's own, or none for a carrier.
    #[must_use]
    pub fn home_group(&self) -> Option<&GroupId> {
        self.role.home_group()
    }
}

#[cfg(test)]
impl Row {
    /// Makes a row out of nothing, for tests of the screens; its number is its time and its id.
    pub(crate) fn sample(number: u32, group: &GroupId, author: MemberName, mine: bool, text: &str) -> Self {
        let mut id = [0; 32];
        id.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
        let time = Timestamp::from_ms(number.into());
        let (group, text) = (group.clone(), Text::new(text));
        Self {
            id: RecordId::from_bytes(id),
            group,
            author,
            mine,
            time,
            received_ms: time.ms(),
            text,
            waiting: false,
            from_removed: false,
            kind: Kind::Text,
            precedence: Precedence::Routine,
            about: None,
            mentions_me: false,
            progress: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_codes_and_hidden_directions_are_stripped() {
        let hostile = "\u{1b}[2Jcleared\u{202e}desrever\u{7}\u{9b}31m";
        assert_eq!(Printable::new(hostile).as_str(), "[2Jcleareddesrever31m");
    }

    #[test]
    fn a_line_break_cannot_make_a_second_line() {
        assert_eq!(Printable::new("ok\n[army] Chief: retreat").as_str(), "ok [army] Chief: retreat");
    }

    #[test]
    fn a_text_keeps_its_lines_and_displays_as_one() {
        let text = Text::new("one\r\n\u{1b}[2Jtwo\n\n\tthree");
        assert_eq!(text.lines().collect::<Vec<_>>(), ["one", "[2Jtwo", "", " three"]);
        assert_eq!(text.to_string(), "one [2Jtwo   three");
    }

    #[test]
    fn letters_of_every_script_stay() {
        let text = "naïve Ω привет 你好 👋🏽";
        assert_eq!(Printable::new(text).as_str(), text);
    }
}
