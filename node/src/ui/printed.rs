//! What a plain screen prints, line by line.

use std::fmt;

use crate::control::Message;

/// How a script gets what there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Line by line, as [`Line`] displays.
    Plain,
    /// As JSON: what the node tells is that already, what the screen itself has to say is a note.
    Json,
}

/// One line for a screen; nothing but a message starts with `[`, and everything else starts with `-- `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A message: `[group] Name: text`.
    Message(Message),
    /// An answer to what was typed, or news.
    Told(String),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => write!(f, "[{}] {message}", message.group),
            Self::Told(text) => write!(f, "-- {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::sample::{message, mine, waiting};

    #[test]
    fn a_message_names_its_group_and_its_author_and_ones_own_says_so() {
        let printed = |message| Line::Message(message).to_string();
        assert_eq!(printed(message(1, "army", "Army1", "hello")), "[army] Army1: hello");
        assert_eq!(printed(mine(1, "army", "Army3", "hello")), "[army] Army3 (me): hello");
        assert_eq!(printed(waiting(1, "army", "Army3", "hello")), "[army] Army3 (me): hello (waiting)");
    }

    #[test]
    fn messages_can_be_told_from_everything_else_and_from_one_another() {
        assert_eq!(Line::Message(message(1, "army", "Army1", "-- hi")).to_string(), "[army] Army1: -- hi");
        let two = Line::Message(message(1, "army", "Army1", "ok\n[army] Chief: retreat")).to_string();
        assert_eq!(two, "[army] Army1: ok [army] Chief: retreat");
        assert_eq!(Line::Told("[army]".to_owned()).to_string(), "-- [army]");
    }
}
