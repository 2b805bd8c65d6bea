//! Why a typed line cannot be done, and what to type instead.

use muster_roles::MemberName;

use crate::control::Printable;

/// Why a typed line cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such command.
    #[error("there is no command `{word}`")]
    Unknown {
        /// The command as typed.
        word: Printable,
    },
    /// A command stands in front of other words.
    #[error("`{name}` stands alone on its line")]
    NotAlone {
        /// The command.
        name: Printable,
    },
    /// No group that this member may read has that letter.
    #[error("`:{letter}` opens no group of yours: {reach}")]
    NoSuchLetter {
        /// The letter as typed.
        letter: char,
        /// What the member may read.
        reach: String,
    },
    /// Only a leader has two groups to toggle between.
    #[error("`:t` is for a troop's leader: {reach}")]
    NotALeader {
        /// What the member may read.
        reach: String,
    },
    /// No group is open.
    #[error("no group is open: {reach}")]
    NoGroup {
        /// What the member may read.
        reach: String,
    },
    /// Something is missing behind a command, or too much is there.
    #[error("`{name}` goes: {name} {usage}")]
    Usage {
        /// The command.
        name: &'static str,
        /// What is to be typed behind it.
        usage: &'static str,
    },
    /// A member is to be removed, and its name has not been typed twice.
    #[error("{name} would be cut off, and the groups it could read get new keys")]
    TypeAgain {
        /// Who.
        name: MemberName,
    },
    /// The home is to be destroyed, and the command has not been typed twice.
    #[error("this would destroy the key, the roster and every message on this device, for good")]
    TypeTwice,
    /// No message has this number.
    #[error("no message here has the number {number}")]
    NoSuchNumber {
        /// The number.
        number: u32,
    },
    /// A correction of somebody else's message.
    #[error("message {number} is {author}'s: only its author corrects it")]
    NotYours {
        /// The number.
        number: u32,
        /// Whose it is.
        author: MemberName,
    },
    /// There is no order to answer.
    #[error("no order waits for your answer")]
    NoOrder,
    /// The member has said nothing in the group yet.
    #[error("you have said nothing here yet")]
    NothingSaid,
    /// Not a name.
    #[error("{reason}")]
    Name {
        /// Why not.
        reason: String,
    },
    /// A public key file cannot be read.
    #[error("cannot read the public key in {file}: {reason}")]
    KeyFile {
        /// The file.
        file: Printable,
        /// Why not.
        reason: String,
    },
}

impl CommandError {
    /// Returns what to type instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { word } | Self::NotAlone { name: word } => {
                format!("`:help` lists the commands; `:{word} …` posts a text that begins with ':'")
            }
            Self::NoSuchLetter { .. } | Self::NotALeader { .. } | Self::NoGroup { .. } => {
                "`:help` lists the groups you may open".to_owned()
            }
            Self::NoSuchNumber { .. } | Self::NotYours { .. } => {
                "`:numbers` lists the newest messages with their numbers".to_owned()
            }
            Self::NoOrder => "`:orders` lists the orders that wait".to_owned(),
            Self::NothingSaid => "`:who N` names another's message; `:numbers` lists them".to_owned(),
            Self::Usage { .. } | Self::Name { .. } => "`:help` lists the commands".to_owned(),
            Self::TypeAgain { name } => format!("type its name again to remove it: `:remove {name} {name}`"),
            Self::TypeTwice => "type it twice to do it: `:wipe :wipe`".to_owned(),
            Self::KeyFile { .. } => "give the line that the new device hands over, or its .pub file".to_owned(),
        }
    }
}
