//! What is being typed: a text of one or more lines, and those typed before.

use std::collections::VecDeque;

use ratatui::crossterm::event::KeyEvent;
use ratatui::style::Style;
use ratatui_textarea::{CursorMove, TextArea, WrapMode};

/// Texts remembered to be called back; kept in memory only, as what was typed stays out of files.
const MAX_HISTORY: usize = 200;

/// The editor of one screen.
#[derive(Debug)]
pub(super) struct Editor {
    area: TextArea<'static>,
    history: VecDeque<String>,
    /// Which of the texts typed before is shown, counted from the newest, and what stood there before it.
    called: Option<(usize, String)>,
}

impl Editor {
    pub(super) fn new() -> Self {
        Self { area: area(""), history: VecDeque::new(), called: None }
    }

    pub(super) fn area(&self) -> &TextArea<'static> {
        &self.area
    }

    /// Returns the whole text.
    pub(super) fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    pub(super) fn is_empty(&self) -> bool {
        self.area.is_empty()
    }

    /// Returns the line of the cursor up to it, and whether that is the first line.
    pub(super) fn before_cursor(&self) -> (String, bool) {
        let cursor = self.area.cursor();
        let line = self.area.lines().get(cursor.0).map(String::as_str).unwrap_or_default();
        (line.chars().take(cursor.1).collect(), cursor.0 == 0)
    }

    /// Edits as a key says.
    pub(super) fn on_key(&mut self, key: KeyEvent) {
        self.area.input(key);
    }

    pub(super) fn insert(&mut self, text: &str) {
        self.area.insert_str(text);
    }

    pub(super) fn break_line(&mut self) {
        self.area.insert_newline();
    }

    /// Deletes everything before the cursor in its line.
    pub(super) fn delete_to_head(&mut self) {
        self.area.delete_line_by_head();
    }

    /// Puts a text in the place of the last so many characters before the cursor.
    pub(super) fn replace_before_cursor(&mut self, chars: usize, text: &str) {
        for _ in 0..chars {
            self.area.delete_char();
        }
        self.area.insert_str(text);
    }

    /// Takes the text away to be sent, and remembers it.
    pub(super) fn take(&mut self) -> String {
        let text = self.text();
        if !text.trim().is_empty() && self.history.back() != Some(&text) {
            self.history.push_back(text.clone());
            if self.history.len() > MAX_HISTORY {
                self.history.pop_front();
            }
        }
        self.clear();
        text
    }

    /// Throws the text away.
    pub(super) fn clear(&mut self) {
        self.called = None;
        self.area = area("");
    }

    /// Moves the cursor up; from the first line, calls back what was typed before.
    pub(super) fn up(&mut self) {
        if self.area.screen_cursor().row > 0 {
            self.area.move_cursor(CursorMove::Up);
            return;
        }
        let next = self.called.as_ref().map_or(0, |(number, _)| number + 1);
        let Some(text) = self.history.iter().rev().nth(next).cloned() else { return };
        let (_, draft) = self.called.take().unwrap_or_else(|| (0, self.text()));
        self.called = Some((next, draft));
        self.area = area(&text);
    }

    /// Moves the cursor down; from the last line, goes back to what was typed after.
    pub(super) fn down(&mut self) {
        let before = self.area.cursor();
        self.area.move_cursor(CursorMove::Down);
        if self.area.cursor().0 != before.0 || self.area.cursor().1 != before.1 {
            return;
        }
        let Some((number, draft)) = self.called.take() else { return };
        let text = match number.checked_sub(1) {
            Some(number) => {
                let text = self.history.iter().rev().nth(number).cloned().unwrap_or_default();
                self.called = Some((number, draft));
                text
            }
            None => draft,
        };
        self.area = area(&text);
    }
}

/// An editor's area with a text in it and the cursor at its end.
fn area(text: &str) -> TextArea<'static> {
    let mut area = TextArea::from(text.split('\n'));
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.set_cursor_line_style(Style::new());
    // The terminal's own cursor is put there instead: input methods and screen readers follow it.
    area.set_cursor_style(Style::new());
    area.move_cursor(CursorMove::Bottom);
    area.move_cursor(CursorMove::End);
    area
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(texts: &[&str]) -> Editor {
        let mut editor = Editor::new();
        for text in texts {
            editor.insert(text);
            editor.take();
        }
        editor
    }

    #[test]
    fn what_was_typed_before_is_called_back_and_the_draft_kept() {
        let mut editor = typed(&["one", "two", "two"]);
        editor.insert("dra");
        let mut seen = Vec::new();
        for _ in 0..3 {
            editor.up();
            seen.push(editor.text());
        }
        for _ in 0..3 {
            editor.down();
            seen.push(editor.text());
        }
        assert_eq!(seen, ["two", "one", "one", "two", "dra", "dra"]);
    }

    #[test]
    fn up_moves_inside_a_text_of_several_lines_first() {
        let mut editor = typed(&["before"]);
        editor.insert("one");
        editor.break_line();
        editor.insert("two");
        editor.up();
        assert_eq!((editor.text().as_str(), editor.area().cursor().0), ("one\ntwo", 0));
        editor.up();
        assert_eq!(editor.text(), "before");
        editor.down();
        assert_eq!(editor.text(), "one\ntwo");
    }

    #[test]
    fn history_is_bounded() {
        let mut editor = Editor::new();
        for number in 0..MAX_HISTORY + 5 {
            editor.insert(&number.to_string());
            editor.take();
        }
        assert_eq!(editor.history.len(), MAX_HISTORY);
        assert_eq!(editor.history.front().map(String::as_str), Some("5"));
    }

    #[test]
    fn what_is_replaced_goes_and_the_rest_stays() {
        let mut editor = Editor::new();
        editor.insert("ask Arm");
        editor.replace_before_cursor(3, "Army1 ");
        assert_eq!(editor.text(), "ask Army1 ");
        assert_eq!(editor.before_cursor(), ("ask Army1 ".to_owned(), true));
    }
}
