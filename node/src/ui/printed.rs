//! What a screen prints, line by line, and how it looks in each mode.

use muster_roles::MemberName;

use crate::engine::view::{Row, WAITING};

/// Whether escape codes for colour are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    On,
    Off,
}

impl Colours {
    /// Obeys `NO_COLOR` (no-color.org): set and not empty means none.
    pub(super) fn from_env() -> Self {
        match std::env::var_os("NO_COLOR") {
            Some(value) if !value.is_empty() => Self::Off,
            _ => Self::On,
        }
    }
}

/// How lines are made for one kind of screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// For scripts: a message is `[group] Name: text`, everything else starts with `-- `.
    Plain,
    /// For a person at a terminal.
    Terminal(Colours),
}

/// One line for a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A message.
    Message {
        /// The message.
        row: Row,
        /// Whether it belongs to another group than the open one.
        elsewhere: bool,
    },
    /// An answer to what was typed.
    Answer(String),
    /// News that nobody asked for.
    News(String),
    /// News for scripts, of which a person needs less.
    Detail(String),
}

/// What ends every coloured stretch.
const RESET: &str = "\u{1b}[0m";

/// What makes news step back behind messages.
const DIM: &str = "\u{1b}[2m";

/// What marks one's own name.
const BOLD: &str = "\u{1b}[1m";

/// Authors' colours, plain ones that terminals keep legible; red is left out, as it reads as an error.
const AUTHOR_COLOURS: [&str; 5] = ["\u{1b}[36m", "\u{1b}[32m", "\u{1b}[35m", "\u{1b}[33m", "\u{1b}[34m"];

impl Line {
    /// Returns the line as this kind of screen shows it, without a line end; `None` where it shows nothing.
    pub(super) fn render(&self, look: Look) -> Option<String> {
        match (self, look) {
            (Self::Message { row, .. }, Look::Plain) => Some(format!("[{}] {row}", row.group())),
            (Self::Answer(text) | Self::News(text) | Self::Detail(text), Look::Plain) => Some(format!("-- {text}")),
            (Self::Message { row, elsewhere }, Look::Terminal(colours)) => Some(message(row, *elsewhere, colours)),
            (Self::Answer(text), Look::Terminal(_)) => Some(text.clone()),
            (Self::News(text), Look::Terminal(Colours::On)) => Some(format!("{DIM}-- {text}{RESET}")),
            (Self::News(text), Look::Terminal(Colours::Off)) => Some(format!("-- {text}")),
            (Self::Detail(_), Look::Terminal(_)) => None,
        }
    }
}

fn message(row: &Row, elsewhere: bool, colours: Colours) -> String {
    let place = if elsewhere { format!("[{}] ", row.group()) } else { String::new() };
    if colours == Colours::Off {
        return format!("{place}{row}");
    }
    let author = row.author();
    let (colour, me) = if row.mine() { (BOLD, " (me)") } else { (author_colour(author), "") };
    let place = if elsewhere { format!("{DIM}{place}{RESET}") } else { place };
    let waiting = if row.is_waiting() { format!("{DIM}{WAITING}{RESET}") } else { String::new() };
    format!("{place}{colour}{author}{RESET}{me}: {}{waiting}", row.text())
}

/// The same colour for the same name on every device, with no meaning but to tell names apart.
fn author_colour(name: &MemberName) -> &'static str {
    let sum = name.as_str().bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    AUTHOR_COLOURS.get(sum % AUTHOR_COLOURS.len()).copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ui::sample::{my_row, row};

    const TERMINAL: Look = Look::Terminal(Colours::Off);

    fn here(row: Row) -> Line {
        Line::Message { row, elsewhere: false }
    }

    #[test]
    fn a_message_names_its_author_and_ones_own_says_so() {
        assert_eq!(here(row(1, "army", "Army1", "hello")).render(TERMINAL).unwrap(), "Army1: hello");
        assert_eq!(here(my_row(1, "army", "Army3", "hello")).render(TERMINAL).unwrap(), "Army3 (me): hello");
    }

    #[test]
    fn a_message_that_waits_says_so() {
        let row = my_row(1, "army", "Army3", "hello").into_waiting();
        assert_eq!(here(row.clone()).render(TERMINAL).unwrap(), "Army3 (me): hello (waiting)");
        assert_eq!(here(row).render(Look::Plain).unwrap(), "[army] Army3 (me): hello (waiting)");
    }

    #[test]
    fn a_message_from_another_group_names_the_group() {
        let line = Line::Message { row: row(1, "navy", "Navy1", "ahoy"), elsewhere: true };
        assert_eq!(line.render(TERMINAL).unwrap(), "[navy] Navy1: ahoy");
    }

    #[test]
    fn plain_lines_tell_messages_from_everything_else() {
        assert_eq!(here(row(1, "army", "Army1", "-- hi")).render(Look::Plain).unwrap(), "[army] Army1: -- hi");
        assert_eq!(here(my_row(1, "army", "Army3", "hi")).render(Look::Plain).unwrap(), "[army] Army3 (me): hi");
        for line in [Line::Answer("x".to_owned()), Line::News("x".to_owned()), Line::Detail("x".to_owned())] {
            assert_eq!(line.render(Look::Plain).unwrap(), "-- x");
        }
    }

    #[test]
    fn a_person_is_spared_the_details() {
        assert_eq!(Line::Detail("x".to_owned()).render(TERMINAL), None);
        assert_eq!(Line::News("x".to_owned()).render(TERMINAL).unwrap(), "-- x");
        assert_eq!(Line::Answer("x".to_owned()).render(TERMINAL).unwrap(), "x");
    }

    #[test]
    fn without_colours_there_are_no_escape_codes_and_with_them_the_words_are_the_same() {
        let lines = [
            here(row(1, "army", "Army1", "\u{1b}[31mred\u{7}")),
            here(my_row(2, "army", "Army3", "hello")),
            here(my_row(2, "army", "Army3", "hello").into_waiting()),
            Line::Message { row: row(3, "navy", "Navy1", "ahoy"), elsewhere: true },
            Line::News("x".to_owned()),
        ];
        for line in lines {
            let bare = line.render(TERMINAL).unwrap();
            assert!(!bare.contains('\u{1b}'), "{bare:?}");
            let coloured = line.render(Look::Terminal(Colours::On)).unwrap();
            let codes = AUTHOR_COLOURS.iter().chain(&[RESET, DIM, BOLD]);
            let stripped = codes.fold(coloured.clone(), |text, code| text.replace(code, ""));
            assert!(stripped == bare && coloured.ends_with(|end: char| end != '\n'), "{coloured:?}");
        }
    }
}
