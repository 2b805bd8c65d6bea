//! What keys, the mouse and pastes do.

use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use super::{MAX_ASKS, Mode, Model, Purpose, Stay};
use crate::control::{Manner, Request, Text};
use crate::ui::commands::{self, Action};
use crate::ui::numbers::Meant;
use crate::ui::tui::timeline::Weight;
use crate::ui::tui::window::Window;

/// A pasted text of more lines is asked about before it is taken.
const UNASKED_PASTE_LINES: usize = 5;

/// The longest pasted text that is taken at all: far beyond what a message may hold.
const MAX_PASTE_LEN: usize = 64 * 1024;

/// Rows that one notch of a mouse wheel scrolls.
pub(super) const WHEEL_ROWS: usize = 3;

impl Model {
    /// Does what a key is for.
    pub(in crate::ui::tui) fn on_key(&mut self, mut key: KeyEvent) {
        let is_deceptive = matches!(key.code, KeyCode::Char(letter) if !is_typeable(letter));
        if key.kind == KeyEventKind::Release || is_deceptive {
            return;
        }
        self.hint = None;
        let was_warned = std::mem::take(&mut self.is_warned);
        let completion = self.completion.take();
        if is_ctrl(key, 'c') {
            return self.interrupt(was_warned);
        }
        if self.stay != Stay::Here || self.areas().is_too_small {
            return;
        }
        if is_ctrl(key, 'l') {
            self.wants_clear = true;
            return;
        }
        if is_who_key(key) && matches!(self.mode, Mode::Typing | Mode::Found { .. }) {
            return self.look_who();
        }
        match &mut self.mode {
            Mode::Help { .. } => self.on_help_key(key),
            Mode::Who(_) => self.on_who_key(key),
            Mode::Paste { .. } => self.on_paste_key(key),
            Mode::Searching { .. } => self.on_search_key(key),
            Mode::Found { .. } => self.on_found_key(key),
            Mode::Typing if key.code == KeyCode::Tab => self.complete(completion),
            Mode::Typing => {
                // A selection would not be seen; the keys move all the same.
                if !matches!(key.code, KeyCode::Char(_)) {
                    key.modifiers.remove(KeyModifiers::SHIFT);
                }
                self.on_typing_key(key);
            }
        }
    }

    /// Clears what is typed, or leaves when pressed twice with nothing typed.
    fn interrupt(&mut self, was_warned: bool) {
        match self.stay {
            Stay::Here => {}
            Stay::Leaving | Stay::Waiting | Stay::Gone => {
                self.stay = Stay::Gone;
                return;
            }
        }
        let is_idle = matches!(self.mode, Mode::Typing) && self.editor.is_empty();
        self.mode = Mode::Typing;
        self.editor.clear();
        if is_idle && was_warned {
            self.leave(false);
        } else if is_idle {
            self.is_warned = true;
            self.hint = Some("Ctrl-C once more leaves; so does :quit".to_owned());
        }
    }

    fn on_typing_key(&mut self, key: KeyEvent) {
        let (ctrl, alt) = (key.modifiers.contains(KeyModifiers::CONTROL), key.modifiers.contains(KeyModifiers::ALT));
        match key.code {
            KeyCode::Enter if alt || ctrl => self.editor.break_line(),
            KeyCode::Enter => self.submit(),
            KeyCode::Char('j') if ctrl => self.editor.break_line(),
            KeyCode::Char('d') if ctrl && self.editor.is_empty() => self.leave(true),
            KeyCode::Char('u') if ctrl => self.editor.delete_to_head(),
            KeyCode::Char('n') if ctrl => self.open_neighbour(true),
            KeyCode::Char('p') if ctrl => self.open_neighbour(false),
            KeyCode::Char(digit @ '1'..='9') if alt => self.open_nth(usize::from(digit as u8 - b'1')),
            KeyCode::Down if alt => self.open_neighbour(true),
            KeyCode::Up if alt => self.open_neighbour(false),
            KeyCode::Up => self.editor.up(),
            KeyCode::Down => self.editor.down(),
            KeyCode::PageUp => self.page_up(),
            KeyCode::PageDown => self.page_down(),
            KeyCode::Home if ctrl => self.scroll_up(usize::MAX / 2),
            KeyCode::End if ctrl => self.view_mut().window = Window::Newest,
            KeyCode::End | KeyCode::Esc if self.view().window != Window::Newest => {
                self.view_mut().window = Window::Newest;
            }
            KeyCode::Char('/') if !ctrl && !alt && self.editor.is_empty() => {
                self.mode = Mode::Searching { pattern: String::new() };
            }
            KeyCode::BackTab | KeyCode::Esc => {}
            _ => self.editor.on_key(key),
        }
    }

    /// Does what the typed text asks for.
    fn submit(&mut self) {
        let Some(profile) = &self.profile else { return };
        if self.asks.len() >= MAX_ASKS {
            self.hint = Some("the node is busy: press Enter again in a moment".to_owned());
            return;
        }
        let parsed = commands::parse(&self.editor.text(), profile, self.open.as_ref());
        // An answer comes behind the newest message, where it is to be seen.
        if !matches!(parsed, Ok(Action::Nothing)) {
            self.view_mut().window = Window::Newest;
        }
        let _text = self.editor.take();
        match parsed {
            Ok(Action::Nothing) => {}
            Ok(Action::Post { group, text }) => {
                self.ask(Purpose::Wish, Request::Post { group, text, manner: Manner::default(), wait_ms: 0 });
            }
            Ok(Action::Say { group, saying }) => match self.numbers.meaning(&group, saying) {
                Ok(Meant::Ask(request)) => self.ask(Purpose::Wish, request),
                Ok(Meant::Tell(lines)) => lines.into_iter().for_each(|line| self.note(Weight::Answer, line)),
                Err(error) => {
                    self.note(Weight::Refusal, format!("refused: {error}"));
                    self.note(Weight::Answer, format!("hint: {}", error.hint()));
                }
            },
            Ok(Action::Open(group)) => self.open_group(group),
            Ok(Action::Export(group)) => self.ask(Purpose::Wish, Request::Export { group }),
            Ok(Action::Ask(request)) => self.ask(Purpose::Wish, request),
            Ok(Action::Help) => self.mode = Mode::Help { from: 0 },
            Ok(Action::Leave) => self.leave(true),
            Ok(Action::Shutdown) => self.ask(Purpose::Wish, Request::Shutdown { patient: true }),
            Err(error) => {
                self.note(Weight::Refusal, format!("refused: {error}"));
                self.note(Weight::Answer, format!("hint: {}", error.hint()));
            }
        }
    }

    fn on_help_key(&mut self, key: KeyEvent) {
        let Mode::Help { from } = &mut self.mode else { return };
        match key.code {
            KeyCode::Down => *from += 1,
            KeyCode::Up => *from = from.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => *from += WHEEL_ROWS,
            KeyCode::PageUp => *from = from.saturating_sub(WHEEL_ROWS),
            _ => self.mode = Mode::Typing,
        }
        self.bound_help();
    }

    /// Takes in a pasted text: at once, or after a question where it is long.
    pub(in crate::ui::tui) fn on_paste(&mut self, text: &str) {
        if self.stay != Stay::Here || self.areas().is_too_small {
            return;
        }
        if text.len() > MAX_PASTE_LEN {
            self.hint = Some(format!("not pasted: it is longer than {} KiB", MAX_PASTE_LEN / 1024));
            return;
        }
        let text = typeable(text);
        match &mut self.mode {
            Mode::Searching { pattern } => pattern.push_str(text.lines().next().unwrap_or_default()),
            Mode::Typing if text.lines().count() > UNASKED_PASTE_LINES => self.mode = Mode::Paste { text },
            Mode::Typing => self.editor.insert(&text),
            Mode::Found { .. } | Mode::Help { .. } | Mode::Who(_) => {
                self.mode = Mode::Typing;
                self.on_paste(&text);
            }
            Mode::Paste { .. } => {}
        }
    }

    fn on_paste_key(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Char('y' | 'Y') | KeyCode::Enter => {
                if let Mode::Paste { text } = std::mem::replace(&mut self.mode, Mode::Typing) {
                    self.editor.insert(&text);
                }
            }
            KeyCode::Char('n' | 'N') | KeyCode::Esc => {
                self.mode = Mode::Typing;
                self.hint = Some("not pasted".to_owned());
            }
            _ => {}
        }
    }

    /// Does what the mouse is for.
    pub(in crate::ui::tui) fn on_mouse(&mut self, mouse: MouseEvent) {
        match (mouse.kind, &mut self.mode) {
            (MouseEventKind::ScrollUp, Mode::Help { from }) => *from = from.saturating_sub(WHEEL_ROWS),
            (MouseEventKind::ScrollDown, Mode::Help { from }) => {
                *from += WHEEL_ROWS;
                self.bound_help();
            }
            (MouseEventKind::ScrollUp | MouseEventKind::ScrollDown, Mode::Who(who)) => {
                let is_up = mouse.kind == MouseEventKind::ScrollUp;
                who.from = if is_up { who.from.saturating_sub(WHEEL_ROWS) } else { who.from + WHEEL_ROWS };
                self.bound_who();
            }
            (MouseEventKind::ScrollUp, _) => self.scroll_up(WHEEL_ROWS),
            (MouseEventKind::ScrollDown, _) => self.scroll_down(WHEEL_ROWS),
            (MouseEventKind::Down(MouseButton::Left), Mode::Typing) => {
                if let Some(nth) = self.areas().group_at(mouse.column, mouse.row) {
                    self.open_nth(nth);
                }
            }
            _ => {}
        }
    }
}

/// Tells whether a key opens the list of who has a message.
fn is_who_key(key: KeyEvent) -> bool {
    let alt_w = key.code == KeyCode::Char('w') && key.modifiers.contains(KeyModifiers::ALT);
    alt_w || key.code == KeyCode::F(2)
}

fn is_ctrl(key: KeyEvent, letter: char) -> bool {
    key.code == KeyCode::Char(letter) && key.modifiers.contains(KeyModifiers::CONTROL)
}

/// A pasted text as it could have been typed: nothing in it that a terminal or a reader's eye could be deceived by.
fn typeable(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "    ");
    Text::new(&text).as_str().trim_end_matches('\n').to_owned()
}

/// Tells whether a character may stand in a text; terminals that know no pastes hand them in as keys.
fn is_typeable(letter: char) -> bool {
    !Text::new(letter.encode_utf8(&mut [0; 4])).as_str().is_empty()
}
