//! Scrolling, searching and completing.

use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::{Mode, Model};
use crate::ui::commands;
use crate::ui::tui::completion::Completion;
use crate::ui::tui::search;
use crate::ui::tui::window::Window;

impl Model {
    fn message_rows(&self) -> usize {
        self.areas().messages.height.into()
    }

    /// One row less than a page, so that the eye finds its place again.
    pub(super) fn page_up(&mut self) {
        self.scroll_up(self.message_rows().saturating_sub(1).max(1));
    }

    pub(super) fn page_down(&mut self) {
        self.scroll_down(self.message_rows().saturating_sub(1).max(1));
    }

    pub(super) fn scroll_up(&mut self, rows: usize) {
        let (paper, height) = (self.paper(), self.message_rows());
        let view = self.view_mut();
        let before = view.window;
        view.window = before.up(rows, &view.timeline, &paper, height);
        let is_highest = view.window == view.window.up(height, &view.timeline, &paper, height);
        if is_highest {
            self.ask_older();
        }
    }

    pub(super) fn scroll_down(&mut self, rows: usize) {
        let paper = self.paper();
        let view = self.view_mut();
        view.window = view.window.down(rows, &view.timeline, &paper);
    }

    pub(super) fn on_search_key(&mut self, key: KeyEvent) {
        let Mode::Searching { pattern } = &mut self.mode else { return };
        match key.code {
            KeyCode::Char(letter) => pattern.push(letter),
            KeyCode::Backspace if !pattern.is_empty() => {
                pattern.pop();
            }
            KeyCode::Enter if !pattern.is_empty() => {
                let pattern = std::mem::take(pattern);
                self.mode = Mode::Found { pattern, at: None };
                self.find_older();
            }
            KeyCode::Esc | KeyCode::Backspace | KeyCode::Enter => self.mode = Mode::Typing,
            KeyCode::PageUp => self.page_up(),
            KeyCode::PageDown => self.page_down(),
            _ => {}
        }
    }

    pub(super) fn on_found_key(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Char('n') => self.find_older(),
            KeyCode::Char('N') => self.find_newer(),
            KeyCode::Char('/') => self.mode = Mode::Searching { pattern: String::new() },
            KeyCode::PageUp => self.page_up(),
            KeyCode::PageDown => self.page_down(),
            KeyCode::Up => self.scroll_up(1),
            KeyCode::Down => self.scroll_down(1),
            KeyCode::Esc | KeyCode::Enter => self.mode = Mode::Typing,
            KeyCode::End => {
                self.mode = Mode::Typing;
                self.view_mut().window = Window::Newest;
            }
            KeyCode::Char(_) => {
                self.mode = Mode::Typing;
                self.editor.on_key(key);
            }
            _ => {}
        }
    }

    fn find_older(&mut self) {
        let Mode::Found { pattern, at } = &self.mode else { return };
        match search::older(&self.view().timeline, pattern, at.as_ref()) {
            Some(key) => self.show_found(key),
            None => {
                let older = if self.view().has_older { "; older messages are being fetched" } else { "" };
                self.hint = Some(format!("nothing older with “{pattern}”{older}"));
                self.ask_older();
            }
        }
    }

    fn find_newer(&mut self) {
        let Mode::Found { pattern, at } = &self.mode else { return };
        let found = at.as_ref().and_then(|at| search::newer(&self.view().timeline, pattern, at));
        match found {
            Some(key) => self.show_found(key),
            None => self.hint = Some(format!("nothing newer with “{pattern}”")),
        }
    }

    fn show_found(&mut self, key: super::Key) {
        let (paper, height) = (self.paper(), self.message_rows());
        if let Mode::Found { at, .. } = &mut self.mode {
            *at = Some(key);
        }
        let view = self.view_mut();
        view.window = Window::show(&key, &view.timeline, &paper, height);
    }

    /// Completes the word before the cursor, or takes the next that it could be.
    pub(super) fn complete(&mut self, before: Option<Completion>) {
        let completion = match before {
            Some(completion) => Some(completion.next()),
            None => {
                let (text, is_first_line) = self.editor.before_cursor();
                let commands = self.profile.as_ref().map(commands::names).unwrap_or_default();
                let names: Vec<String> = self.members.iter().map(|member| member.name.to_string()).collect();
                Completion::find(&text, is_first_line, &commands, &names)
            }
        };
        if let Some(completion) = &completion {
            self.editor.replace_before_cursor(completion.replaces(), completion.text());
            self.hint = completion.listed();
        }
        self.completion = completion;
    }
}
