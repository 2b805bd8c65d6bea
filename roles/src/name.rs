//! Names: of groups, members and units, valid from the moment they exist.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::error::NameError;

/// The longest group name, in bytes: it stands in every record's header and in the chat's prompt.
pub const MAX_GROUP_LEN: usize = 24;

/// The longest member name, in bytes: it stands before every line of the chat.
pub const MAX_NAME_LEN: usize = 32;

/// The longest unit name, in characters: it must fit a line of a terminal.
pub const MAX_UNIT_NAME_CHARS: usize = 64;

/// The group of the commander and the leaders, which every unit has.
static HEADS: LazyLock<GroupId> = LazyLock::new(|| GroupId("heads".into()));

/// Where records are posted: `heads`, or a troop's own group.
///
/// A troop's group is named `[a-z][a-z0-9-]{0,23}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct GroupId(Arc<str>);

impl GroupId {
    /// The group of the commander and the leaders.
    pub fn heads() -> Self {
        HEADS.clone()
    }

    pub(crate) fn heads_ref() -> &'static Self {
        &HEADS
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the group of the commander and the leaders.
    pub fn is_heads(&self) -> bool {
        self == Self::heads_ref()
    }
}

impl FromStr for GroupId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = text.starts_with(|c: char| c.is_ascii_lowercase());
        let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if first && text.len() <= MAX_GROUP_LEN && text.bytes().all(rest) {
            Ok(Self(text.into()))
        } else {
            Err(NameError::Group(text.into()))
        }
    }
}

impl TryFrom<String> for GroupId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<GroupId> for String {
    fn from(group: GroupId) -> Self {
        group.as_str().into()
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupId({})", self.0)
    }
}

/// A member's name, unique in its unit whatever the case of its letters.
///
/// It is 1 to 32 ASCII letters, digits, `-`, `_` and `.`, the first a letter or a digit: plain enough to
/// read over a radio, and safe as a folder's name. Two names are equal only if every byte is; that
/// `Army1` and `army1` never stand side by side is the roster's business.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MemberName(Arc<str>);

impl MemberName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MemberName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let rest = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if first && text.len() <= MAX_NAME_LEN && text.bytes().all(rest) {
            Ok(Self(text.into()))
        } else {
            Err(NameError::Member(text.into()))
        }
    }
}

impl TryFrom<String> for MemberName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<MemberName> for String {
    fn from(name: MemberName) -> Self {
        name.as_str().into()
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberName({})", self.0)
    }
}

/// A member name as uniqueness sees it: ordered and compared without regard to ASCII case.
#[derive(Clone, Debug)]
pub(crate) struct CaselessName(pub(crate) MemberName);

impl CaselessName {
    fn folded(&self) -> impl Iterator<Item = u8> {
        self.0.0.bytes().map(|b| b.to_ascii_lowercase())
    }
}

impl Ord for CaselessName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl PartialOrd for CaselessName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for CaselessName {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for CaselessName {}

/// A unit's name: 1 to 64 characters once trimmed, none of which can disturb a terminal.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct UnitName(Arc<str>);

impl UnitName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UnitName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let name = text.trim();
        let length = name.chars().take(MAX_UNIT_NAME_CHARS + 1).count();
        if length == 0 || length > MAX_UNIT_NAME_CHARS {
            return Err(NameError::UnitLength);
        }
        match name.chars().find(|&c| disturbs_a_line(c)) {
            Some(c) => Err(NameError::UnitCharacter(c)),
            None => Ok(Self(name.into())),
        }
    }
}

/// Whether a character could end, hide or reorder the line it is shown on.
fn disturbs_a_line(c: char) -> bool {
    let bidi = matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let separator = matches!(c, '\u{2028}' | '\u{2029}');
    c.is_control() || bidi || separator
}

impl TryFrom<String> for UnitName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<UnitName> for String {
    fn from(name: UnitName) -> Self {
        name.as_str().into()
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnitName({})", self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn group_names_are_lower_case_and_bounded() {
        for good in ["heads", "navy", "a", "x9-1", &"a".repeat(24)] {
            assert_eq!(good.parse::<GroupId>().unwrap().as_str(), good);
        }
        for bad in ["", "Navy", "1st", "-a", "na vy", "näv", "a/b", &"a".repeat(25)] {
            assert!(bad.parse::<GroupId>().is_err(), "{bad:?} was taken");
        }
        assert!(GroupId::heads().is_heads());
        assert!(!"navy".parse::<GroupId>().unwrap().is_heads());
    }

    #[test]
    fn member_names_are_plain_and_bounded() {
        for good in ["Army3", "x", "7", "a.b-c_d", &"A".repeat(32)] {
            assert_eq!(good.parse::<MemberName>().unwrap().as_str(), good);
        }
        for bad in ["", ".a", "-a", "_a", "a b", "ä", "a/b", "a\n", &"A".repeat(33)] {
            assert!(bad.parse::<MemberName>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn uniqueness_ignores_case_but_equality_does_not() {
        let (upper, lower): (MemberName, MemberName) = ("Army1".parse().unwrap(), "army1".parse().unwrap());
        assert_ne!(upper, lower);
        assert_eq!(CaselessName(upper), CaselessName(lower));
    }

    #[test]
    fn unit_names_are_trimmed_and_cannot_disturb_a_terminal() {
        assert_eq!("  1st Brigade\t".parse::<UnitName>().unwrap().as_str(), "1st Brigade");
        assert!("é".repeat(64).parse::<UnitName>().is_ok());
        for bad in
            ["", " \t ", "a\u{1b}[2J", "a\nb", "a\u{202e}b", "a\u{2066}b", "a\u{2028}b", "a\u{200f}b", &"a".repeat(65)]
        {
            assert!(bad.parse::<UnitName>().is_err(), "{bad:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_whole_or_refused(text in ".*") {
            if let Ok(group) = text.parse::<GroupId>() { prop_assert_eq!(group.as_str(), &text); }
            if let Ok(name) = text.parse::<MemberName>() { prop_assert_eq!(name.as_str(), &text); }
            if let Ok(name) = text.parse::<UnitName>() {
                prop_assert_eq!(name.as_str().parse::<UnitName>().unwrap(), name);
            }
        }
    }
}
