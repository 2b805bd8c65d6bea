//! The commands that say something in a manner of its own, and those that ask what became of it.

use muster_roles::Precedence;

use super::CommandError;

/// What is to be said, or asked, in the open group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saying {
    /// A text as urgent as this.
    Urgent(Precedence, String),
    /// An order.
    Order(String),
    /// A reply to a message.
    Reply(u32, String),
    /// A correction of a message of one's own.
    Correct(u32, String),
    /// An answer to the order that has waited longest: whether it can be carried out, and what else there is to say.
    Answer(bool, String),
    /// Who has a message; one's own newest, where none is named.
    Who(Option<u32>),
    /// The numbers of the newest messages.
    Numbers,
    /// The orders that wait.
    Orders,
}

/// Which of these commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    Urgent(Precedence),
    Order,
    Reply,
    Correct,
    Ack,
    Cannot,
    Who,
    Numbers,
    Orders,
}

impl Say {
    /// What is to be typed behind the command.
    pub(super) const fn usage(self) -> &'static str {
        match self {
            Self::Urgent(_) | Self::Order => "TEXT",
            Self::Reply | Self::Correct => "N TEXT",
            Self::Ack | Self::Cannot => "[TEXT]",
            Self::Who => "[N]",
            Self::Numbers | Self::Orders => "",
        }
    }

    /// Understands what stands behind the command.
    pub(super) fn parse(self, name: &'static str, rest: &str) -> Result<Saying, CommandError> {
        let usage = || CommandError::Usage { name, usage: self.usage() };
        let rest = rest.trim();
        let text = rest.to_owned();
        let numbered = || {
            let (number, text) = rest.split_once(char::is_whitespace)?;
            Some((number.parse::<u32>().ok()?, text.trim().to_owned()))
        };
        match self {
            Self::Urgent(_) | Self::Order if rest.is_empty() => Err(usage()),
            Self::Urgent(precedence) => Ok(Saying::Urgent(precedence, text)),
            Self::Order => Ok(Saying::Order(text)),
            Self::Reply => numbered().map(|(number, text)| Saying::Reply(number, text)).ok_or_else(usage),
            Self::Correct => numbered().map(|(number, text)| Saying::Correct(number, text)).ok_or_else(usage),
            Self::Ack => Ok(Saying::Answer(true, text)),
            Self::Cannot => Ok(Saying::Answer(false, text)),
            Self::Who if rest.is_empty() => Ok(Saying::Who(None)),
            Self::Who => rest.parse().map(|number| Saying::Who(Some(number))).map_err(|_| usage()),
            Self::Numbers | Self::Orders if !rest.is_empty() => Err(usage()),
            Self::Numbers => Ok(Saying::Numbers),
            Self::Orders => Ok(Saying::Orders),
        }
    }
}
