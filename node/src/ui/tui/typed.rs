//! How what is being typed looks: behind its prompt, cut into rows, with the cursor's place among them.

use ratatui::buffer::CellWidth;
use ratatui_textarea::TextArea;
use unicode_segmentation::UnicodeSegmentation;

use super::wrap::width;

/// A text being typed as it stands on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Typed {
    /// Rows of at most as many cells as there are, the prompt at the head of the first.
    pub(super) rows: Vec<String>,
    /// Row and column of the cursor.
    pub(super) cursor: (usize, usize),
}

/// Counts the rows of what is being typed.
pub(super) fn rows_of(area: &TextArea<'_>, prompt: &str, columns: usize) -> usize {
    Typed::of(area, prompt, columns).rows.len()
}

impl Typed {
    /// Cuts the text into rows; there is always room for the cursor behind the last character.
    pub(super) fn of(area: &TextArea<'_>, prompt: &str, columns: usize) -> Self {
        // Further lines stand under the first one's text where that leaves them enough room.
        let indent = if width(prompt) * 3 <= columns { width(prompt) } else { 0 };
        let mut typed = Self { rows: Vec::new(), cursor: (0, 0) };
        let mut cut = Cut { columns, indent, row: prompt.to_owned(), cells: width(prompt) };
        let cursor = area.cursor();
        for (number, line) in area.lines().iter().enumerate() {
            if number > 0 {
                typed.rows.push(cut.end());
            }
            let mut chars = 0;
            for grapheme in line.graphemes(true) {
                let len = grapheme.chars().count();
                let cells = usize::from(grapheme.cell_width());
                // A row keeps its last cell free for the cursor behind it.
                if cut.cells + cells >= columns && cut.cells > indent {
                    typed.rows.push(cut.end());
                }
                if number == cursor.0 && (chars..chars + len).contains(&cursor.1) {
                    typed.cursor = (typed.rows.len(), cut.cells);
                }
                chars += len;
                cut.row.push_str(grapheme);
                cut.cells += cells;
            }
            if number == cursor.0 && cursor.1 >= chars {
                typed.cursor = (typed.rows.len(), cut.cells);
            }
        }
        typed.rows.push(cut.end());
        typed
    }

    /// Returns the rows to be seen where only so many are, and the cursor's place among them.
    pub(super) fn seen(&self, height: usize) -> (&[String], (usize, usize)) {
        let first = (self.cursor.0 + 1).saturating_sub(height);
        let last = (first + height).min(self.rows.len());
        (self.rows.get(first..last).unwrap_or_default(), (self.cursor.0 - first, self.cursor.1))
    }
}

/// A row that is being filled.
struct Cut {
    columns: usize,
    indent: usize,
    row: String,
    cells: usize,
}

impl Cut {
    /// Takes the row, and begins the next.
    fn end(&mut self) -> String {
        self.cells = self.indent.min(self.columns);
        std::mem::replace(&mut self.row, " ".repeat(self.cells))
    }
}

#[cfg(test)]
mod tests {
    use ratatui_textarea::CursorMove;

    use super::*;

    fn typed(text: &str, columns: usize) -> Typed {
        let mut area = TextArea::from(text.split('\n'));
        area.move_cursor(CursorMove::Bottom);
        area.move_cursor(CursorMove::End);
        Typed::of(&area, "army> ", columns)
    }

    #[test]
    fn the_prompt_stands_before_the_text_and_the_cursor_behind_it() {
        assert_eq!(typed("hello", 40), Typed { rows: vec!["army> hello".to_owned()], cursor: (0, 11) });
        assert_eq!(typed("", 40), Typed { rows: vec!["army> ".to_owned()], cursor: (0, 6) });
    }

    #[test]
    fn further_rows_stand_under_the_text() {
        let rows = vec!["army> one".to_owned(), "      two".to_owned()];
        assert_eq!(typed("one\ntwo", 40), Typed { rows, cursor: (1, 9) });
        let rows = vec!["army> abcdefghijklm".to_owned(), "      nop".to_owned()];
        assert_eq!(typed("abcdefghijklmnop", 20), Typed { rows, cursor: (1, 9) });
    }

    #[test]
    fn wide_characters_count_twice_and_combining_marks_not_at_all() {
        assert_eq!(typed("語語", 40).cursor, (0, 10));
        assert_eq!(typed("e\u{301}e\u{301}", 40).cursor, (0, 8));
        assert_eq!(typed("語語語語語語語", 20).rows.len(), 2);
    }

    #[test]
    fn the_row_of_the_cursor_is_always_seen() {
        let typed = typed("1\n2\n3\n4\n5", 40);
        let (rows, cursor) = typed.seen(2);
        assert_eq!((rows, cursor), (&["      4".to_owned(), "      5".to_owned()][..], (1, 7)));
        assert_eq!(typed.seen(10).0.len(), 5);
    }
}
