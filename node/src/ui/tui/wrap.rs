//! Breaking a text into rows of a terminal, measured in the cells that its characters take there.

use std::ops::Range;

use ratatui::buffer::CellWidth;
use unicode_segmentation::UnicodeSegmentation;

/// Returns how many cells of a terminal a text takes in one row.
pub(super) fn width(text: &str) -> usize {
    graphemes(text).map(|(_, _, cells)| cells).sum()
}

/// Returns the start of a text that fits into so many cells, with `…` in place of what does not.
pub(super) fn shorten(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let mut taken = 0;
    let fits = |(_, _, width): &(usize, &str, usize)| {
        taken += width;
        taken < cells
    };
    let mut short: String = graphemes(text).take_while(fits).map(|(_, grapheme, _)| grapheme).collect();
    if cells > 0 {
        short.push('…');
    }
    short
}

/// Breaks a text into rows of at most `rest` cells, the first one of at most `first`; returns the bytes of each row.
///
/// Rows end at spaces where they can, and what is longer than a row is cut between two characters as a person counts
/// them. A line break always ends a row. There is at least one row.
pub(super) fn wrap(text: &str, first: usize, rest: usize) -> Vec<Range<usize>> {
    let rest = rest.max(1);
    let (mut rows, mut limit, mut base) = (Vec::new(), first, 0);
    for line in text.split('\n') {
        let mut left = line;
        loop {
            let start = base + line.len() - left.len();
            let Some(Cut { end, next }) = cut(left, limit, limit < rest) else {
                rows.push(start..start + left.len());
                break;
            };
            rows.push(start..start + end);
            limit = rest;
            left = left.get(next..).unwrap_or_default();
        }
        limit = rest;
        base += line.len() + 1;
    }
    rows
}

/// Where a row ends, and where the next begins.
struct Cut {
    end: usize,
    next: usize,
}

/// Finds where a text that is longer than a row is cut; `None` where it fits. The row may be left empty only where the
/// next has more room, else it takes at least one character, however wide.
fn cut(text: &str, limit: usize, may_be_empty: bool) -> Option<Cut> {
    let mut cells = 0;
    let mut space = None;
    for (at, grapheme, width) in graphemes(text) {
        cells += width;
        if cells > limit && (at > 0 || may_be_empty) {
            return Some(match space {
                _ if grapheme == " " => Cut { end: at, next: at + 1 },
                Some(space) => Cut { end: space, next: space + 1 },
                None => Cut { end: at, next: at },
            });
        }
        if grapheme == " " {
            space = Some(at);
        }
    }
    None
}

/// A text's characters as a person counts them: where each begins, what it is, and the cells it takes.
fn graphemes(text: &str) -> impl Iterator<Item = (usize, &str, usize)> {
    text.grapheme_indices(true).map(|(at, grapheme)| (at, grapheme, usize::from(grapheme.cell_width())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &str, first: usize, rest: usize) -> Vec<&str> {
        wrap(text, first, rest).into_iter().map(|row| &text[row]).collect()
    }

    #[test]
    fn a_text_that_fits_is_one_row() {
        assert_eq!(rows("hello there", 11, 11), ["hello there"]);
        assert_eq!(rows("", 10, 10), [""]);
    }

    #[test]
    fn rows_end_at_spaces_which_then_take_no_room() {
        assert_eq!(rows("we march at dawn", 8, 8), ["we march", "at dawn"]);
        assert_eq!(rows("we march at dawn", 9, 8), ["we march", "at dawn"]);
        assert_eq!(rows("we march at dawn", 3, 8), ["we", "march at", "dawn"]);
    }

    #[test]
    fn what_is_longer_than_a_row_is_cut() {
        assert_eq!(rows("abcdefgh", 3, 3), ["abc", "def", "gh"]);
        assert_eq!(rows("ab cdefgh", 3, 3), ["ab", "cde", "fgh"]);
        assert_eq!(rows("abcdef", 0, 3), ["", "abc", "def"]);
    }

    #[test]
    fn a_line_break_ends_a_row() {
        assert_eq!(rows("one\ntwo three\n\nfour", 9, 9), ["one", "two three", "", "four"]);
    }

    #[test]
    fn wide_characters_count_twice_and_combining_marks_not_at_all() {
        assert_eq!(rows("語語語", 5, 5), ["語語", "語"]);
        assert_eq!(rows("e\u{301}e\u{301}e\u{301}", 2, 2), ["e\u{301}e\u{301}", "e\u{301}"]);
        assert_eq!(rows("👨‍👩‍👧👨‍👩‍👧", 2, 2), ["👨‍👩‍👧", "👨‍👩‍👧"]);
        assert_eq!(width("a語e\u{301}"), 4);
    }

    #[test]
    fn a_character_wider_than_every_row_does_not_hold_things_up() {
        assert_eq!(rows("語語", 1, 1).concat(), "語語");
    }

    #[test]
    fn a_shortened_text_says_so() {
        assert_eq!(shorten("airforce", 8), "airforce");
        assert_eq!(shorten("airforce", 5), "airf…");
        assert_eq!(shorten("語語語", 4), "語…");
        assert_eq!(shorten("airforce", 0), "");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_but_the_spaces_and_breaks_between_rows(
            text in "[a-c語\u{301}\n ]{0,60}", first in 0usize..12, rest in 2usize..12,
        ) {
            let rows = wrap(&text, first, rest);
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            let shown: String = rows.iter().map(|row| &text[row.clone()]).collect();
            prop_assert_eq!(letters(&shown), letters(&text));
            for (number, row) in rows.iter().enumerate() {
                let limit = if number == 0 { first } else { rest };
                prop_assert!(width(text[row.clone()].trim_end()) <= limit, "{:?} in {}", &text[row.clone()], limit);
            }
            prop_assert!(rows.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }
    }
}
