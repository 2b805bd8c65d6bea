//! A chat that is drawn into memory instead of a terminal, to be looked at and measured.

use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::bell::Bell;
use super::draw::draw;
use super::layout::Size;
use super::model::Model;
use super::palette::Palette;
use crate::control::{Ask, Event};

/// A chat that is drawn into memory: as a person's terminal would show it, in UTC and without colours.
pub struct Drawing {
    model: Model,
    terminal: Terminal<TestBackend>,
}

impl Drawing {
    /// An empty chat on a terminal of this size.
    #[must_use]
    pub fn new(columns: u16, rows: u16) -> Self {
        let model = Model::new(Size { columns, rows }, TimeZone::UTC, Palette::new(false), Bell::new(true));
        let Ok(terminal) = Terminal::new(TestBackend::new(columns, rows));
        Self { model, terminal }
    }

    /// Says what time it is, in Unix milliseconds.
    pub fn set_now(&mut self, now_ms: u64) {
        self.model.now_ms = now_ms;
    }

    /// Tells the chat something.
    pub fn tell(&mut self, event: Event) {
        self.model.on_event(event);
        self.model.note_read();
    }

    /// Types a text, key by key.
    pub fn type_text(&mut self, text: &str) {
        text.chars().for_each(|letter| self.press(KeyCode::Char(letter)));
    }

    /// Presses a key.
    pub fn press(&mut self, code: KeyCode) {
        self.press_with(code, KeyModifiers::NONE);
    }

    /// Presses a key together with others.
    pub fn press_with(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.model.on_key(KeyEvent::new(code, modifiers));
        self.model.note_read();
    }

    /// Pastes a text.
    pub fn paste(&mut self, text: &str) {
        self.model.on_paste(text);
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.model.on_resize(Size { columns, rows });
        self.terminal.backend_mut().resize(columns, rows);
    }

    /// Returns what the chat asks of the node.
    pub fn next_ask(&mut self) -> Option<Ask> {
        self.model.next_ask()
    }

    /// Tells, once, whether the terminal's bell is to ring.
    pub fn rang(&mut self) -> bool {
        self.model.take_bell()
    }

    /// Draws what has changed.
    pub fn draw(&mut self) {
        let Ok(_frame) = self.terminal.draw(|frame| draw(frame, &self.model));
    }

    /// Draws, and returns the rows of the screen without the spaces at their ends.
    pub fn screen(&mut self) -> String {
        self.draw();
        let buffer = self.terminal.backend().buffer();
        let columns = usize::from(buffer.area.width).max(1);
        let row = |cells: &[ratatui::buffer::Cell]| {
            // A cell behind a wide character holds nothing of its own.
            let mut covered = 0;
            let mut row = String::new();
            for cell in cells {
                if covered == 0 {
                    row.push_str(cell.symbol());
                    covered = super::wrap::width(cell.symbol()).saturating_sub(1);
                } else {
                    covered -= 1;
                }
            }
            row.trim_end().to_owned()
        };
        buffer.content.chunks(columns).map(row).collect::<Vec<_>>().join("\n")
    }
}
