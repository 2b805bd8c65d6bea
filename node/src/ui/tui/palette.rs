//! How things are set apart: by colours where they are wanted, and never by colours alone.

use muster_roles::Precedence;
use ratatui::style::{Color, Modifier, Style};

use crate::ui::author::author_number;

/// Authors' colours, plain ones that terminals keep legible; red is left out, as it reads as an error.
const AUTHOR_COLOURS: [Color; 5] = [Color::Cyan, Color::Green, Color::Magenta, Color::Yellow, Color::Blue];

/// The styles of a screen, with colours or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Palette {
    has_colours: bool,
}

impl Palette {
    pub(super) fn new(has_colours: bool) -> Self {
        Self { has_colours }
    }

    /// Obeys `NO_COLOR` (no-color.org): set and not empty means none.
    pub(super) fn from_env() -> Self {
        Self::new(std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    fn coloured(self, style: Style, colour: Color) -> Style {
        if self.has_colours { style.fg(colour) } else { style }
    }

    /// What steps back behind messages.
    pub(super) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What stands out.
    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// A bar across the screen, or what is chosen in a list.
    pub(super) fn bar(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// An author's name: the same colour for the same name on every device; one's own is only bold.
    pub(super) fn author(self, name: &str, mine: bool) -> Style {
        if mine {
            return self.strong();
        }
        let number = usize::try_from(author_number(name)).unwrap_or_default();
        let colour = AUTHOR_COLOURS.get(number % AUTHOR_COLOURS.len()).copied().unwrap_or_default();
        self.coloured(self.strong(), colour)
    }

    /// What could not be done, or is wrong.
    pub(super) fn alarm(self) -> Style {
        self.coloured(self.strong(), Color::Red)
    }

    /// What is new.
    pub(super) fn fresh(self) -> Style {
        self.coloured(self.strong(), Color::Yellow)
    }

    /// How urgent something is: the words say it too.
    pub(super) fn precedence(self, precedence: Precedence) -> Style {
        match precedence {
            Precedence::Routine => self.strong(),
            Precedence::Priority => self.fresh(),
            Precedence::Immediate => self.alarm(),
            Precedence::Flash => self.alarm().add_modifier(Modifier::REVERSED),
        }
    }

    /// A text as urgent as this.
    pub(super) fn text(self, precedence: Precedence) -> Style {
        if precedence >= Precedence::Immediate { self.strong() } else { Style::new() }
    }

    /// The name of whoever sits here, called by somebody else.
    pub(super) fn called(self) -> Style {
        self.fresh().add_modifier(Modifier::UNDERLINED)
    }

    /// Who or what is there.
    pub(super) fn present(self) -> Style {
        self.coloured(Style::new(), Color::Green)
    }

    /// What has been searched for.
    pub(super) fn found(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
