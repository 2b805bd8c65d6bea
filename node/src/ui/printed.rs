//! What a screen prints, line by line, and how it looks in each mode.

use jiff::Zoned;
use muster_roles::{MemberName, Timestamp};

use super::author::author_number;
use crate::control::{FROM_REMOVED, Message};

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
        message: Message,
        /// Whether it belongs to another group than the open one.
        elsewhere: bool,
        /// Whether a person needs to know when it was written, as it comes out of turn.
        timed: bool,
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
    ///
    /// Times are told in the zone of `now`, and with the date where that is not today's.
    pub(super) fn render(&self, look: Look, now: &Zoned) -> Option<String> {
        match (self, look) {
            (Self::Message { message, .. }, Look::Plain) => Some(format!("[{}] {message}", message.group)),
            (Self::Answer(text) | Self::News(text) | Self::Detail(text), Look::Plain) => Some(format!("-- {text}")),
            (Self::Message { message, elsewhere, timed }, Look::Terminal(colours)) => {
                let at = if *timed { format!("{} ", clock_time(message.time, now)) } else { String::new() };
                Some(in_colour(&at, message, *elsewhere, colours))
            }
            (Self::Answer(text), Look::Terminal(_)) => Some(text.clone()),
            (Self::News(text), Look::Terminal(Colours::On)) => Some(format!("{DIM}-- {text}{RESET}")),
            (Self::News(text), Look::Terminal(Colours::Off)) => Some(format!("-- {text}")),
            (Self::Detail(_), Look::Terminal(_)) => None,
        }
    }
}

fn in_colour(at: &str, message: &Message, elsewhere: bool, colours: Colours) -> String {
    let place = if elsewhere { format!("{at}[{}] ", message.group) } else { at.to_owned() };
    if colours == Colours::Off {
        return format!("{place}{message}");
    }
    let author = &message.author;
    let (colour, me) = if message.is_mine() { (BOLD, " (me)") } else { (author_colour(author), "") };
    let place = if place.is_empty() { place } else { format!("{DIM}{place}{RESET}") };
    let waiting = if message.is_waiting() { format!("{DIM} (waiting){RESET}") } else { String::new() };
    let removed = if message.from_removed { format!("{DIM}{FROM_REMOVED}{RESET}") } else { String::new() };
    format!("{place}{colour}{author}{RESET}{me}: {}{removed}{waiting}", message.text)
}

/// The time of day, and the date if it is not today's.
pub(super) fn clock_time(time: Timestamp, now: &Zoned) -> String {
    // Any record may carry any time: one beyond the calendar is shown as the end of it.
    let time = i64::try_from(time.ms()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let time = time.unwrap_or(jiff::Timestamp::MAX).to_zoned(now.time_zone().clone());
    let format = if time.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    time.strftime(format).to_string()
}

/// The same colour for the same name on every device, with no meaning but to tell names apart.
fn author_colour(name: &MemberName) -> &'static str {
    let number = usize::try_from(author_number(name.as_str())).unwrap_or_default();
    AUTHOR_COLOURS.get(number % AUTHOR_COLOURS.len()).copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ui::sample::{message, mine, waiting};

    const TERMINAL: Look = Look::Terminal(Colours::Off);

    fn here(message: Message) -> Line {
        Line::Message { message, elsewhere: false, timed: false }
    }

    /// Noon of the first day of 1970, two hours east of Greenwich.
    fn noon() -> Zoned {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
        jiff::Timestamp::from_second(10 * 60 * 60).unwrap().to_zoned(zone)
    }

    #[test]
    fn a_message_out_of_turn_tells_when_it_was_written() {
        let line =
            |ms, elsewhere| Line::Message { message: message(ms, "navy", "Navy1", "ahoy"), elsewhere, timed: true };
        let quarter_past_three = 75 * 60 * 1000;
        assert_eq!(line(quarter_past_three, false).render(TERMINAL, &noon()).unwrap(), "03:15 Navy1: ahoy");
        assert_eq!(line(quarter_past_three, true).render(TERMINAL, &noon()).unwrap(), "03:15 [navy] Navy1: ahoy");
        assert_eq!(line(quarter_past_three, false).render(Look::Plain, &noon()).unwrap(), "[navy] Navy1: ahoy");
        let two_days_later = quarter_past_three + 48 * 60 * 60 * 1000;
        let dated = line(two_days_later, false).render(TERMINAL, &noon()).unwrap();
        assert_eq!(dated, "1970-01-03 03:15 Navy1: ahoy");
    }

    #[test]
    fn a_message_names_its_author_and_ones_own_says_so() {
        assert_eq!(here(message(1, "army", "Army1", "hello")).render(TERMINAL, &noon()).unwrap(), "Army1: hello");
        assert_eq!(here(mine(1, "army", "Army3", "hello")).render(TERMINAL, &noon()).unwrap(), "Army3 (me): hello");
    }

    #[test]
    fn a_message_that_waits_says_so() {
        let unsent = waiting(1, "army", "Army3", "hello");
        assert_eq!(here(unsent.clone()).render(TERMINAL, &noon()).unwrap(), "Army3 (me): hello (waiting)");
        assert_eq!(here(unsent).render(Look::Plain, &noon()).unwrap(), "[army] Army3 (me): hello (waiting)");
    }

    #[test]
    fn a_message_from_another_group_names_the_group() {
        let line = Line::Message { message: message(1, "navy", "Navy1", "ahoy"), elsewhere: true, timed: false };
        assert_eq!(line.render(TERMINAL, &noon()).unwrap(), "[navy] Navy1: ahoy");
    }

    #[test]
    fn plain_lines_tell_messages_from_everything_else() {
        assert_eq!(
            here(message(1, "army", "Army1", "-- hi")).render(Look::Plain, &noon()).unwrap(),
            "[army] Army1: -- hi"
        );
        assert_eq!(here(mine(1, "army", "Army3", "hi")).render(Look::Plain, &noon()).unwrap(), "[army] Army3 (me): hi");
        for line in [Line::Answer("x".to_owned()), Line::News("x".to_owned()), Line::Detail("x".to_owned())] {
            assert_eq!(line.render(Look::Plain, &noon()).unwrap(), "-- x");
        }
    }

    #[test]
    fn a_person_is_spared_the_details() {
        assert_eq!(Line::Detail("x".to_owned()).render(TERMINAL, &noon()), None);
        assert_eq!(Line::News("x".to_owned()).render(TERMINAL, &noon()).unwrap(), "-- x");
        assert_eq!(Line::Answer("x".to_owned()).render(TERMINAL, &noon()).unwrap(), "x");
    }

    #[test]
    fn without_colours_there_are_no_escape_codes_and_with_them_the_words_are_the_same() {
        let lines = [
            here(message(1, "army", "Army1", "\u{1b}[31mred\u{7}")),
            here(mine(2, "army", "Army3", "hello")),
            here(waiting(2, "army", "Army3", "hello")),
            Line::Message { message: message(3, "navy", "Navy1", "ahoy"), elsewhere: true, timed: false },
            Line::Message { message: message(3, "navy", "Navy1", "ahoy"), elsewhere: true, timed: true },
            Line::News("x".to_owned()),
        ];
        for line in lines {
            let bare = line.render(TERMINAL, &noon()).unwrap();
            assert!(!bare.contains('\u{1b}'), "{bare:?}");
            let coloured = line.render(Look::Terminal(Colours::On), &noon()).unwrap();
            let codes = AUTHOR_COLOURS.iter().chain(&[RESET, DIM, BOLD]);
            let stripped = codes.fold(coloured.clone(), |text, code| text.replace(code, ""));
            assert!(stripped == bare && coloured.ends_with(|end: char| end != '\n'), "{coloured:?}");
        }
    }
}
