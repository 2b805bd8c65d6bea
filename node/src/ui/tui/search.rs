//! Searching what is in view: where a text stands in another, whatever the case of its letters.

use std::ops::Range;

use super::timeline::{Item, Key, Timeline};

/// Returns where a pattern stands in a text, in bytes, without regard to case; matches do not overlap.
pub(super) fn matches(text: &str, pattern: &str) -> Vec<Range<usize>> {
    let wanted: Vec<char> = pattern.chars().flat_map(char::to_lowercase).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    // Lower case may be more characters than the letter it comes from, so each keeps the bytes it came from.
    let letters: Vec<(Range<usize>, char)> = text
        .char_indices()
        .flat_map(|(at, letter)| letter.to_lowercase().map(move |low| (at..at + letter.len_utf8(), low)))
        .collect();
    let mut found: Vec<Range<usize>> = Vec::new();
    for window in letters.windows(wanted.len()) {
        let (Some((first, _)), Some((last, _))) = (window.first(), window.last()) else { continue };
        let is_free = found.last().is_none_or(|before| before.end <= first.start);
        if is_free && window.iter().map(|(_, letter)| letter).eq(&wanted) {
            found.push(first.start..last.end);
        }
    }
    found
}

/// Tells whether a message holds the pattern, in its text or as its author's name.
fn holds(item: &Item, pattern: &str) -> bool {
    match item {
        Item::Said(said) => {
            !matches(said.text.as_str(), pattern).is_empty() || !matches(said.author.as_str(), pattern).is_empty()
        }
        Item::Note(..) => false,
    }
}

/// Finds the nearest message before one that holds the pattern; from the newest where none is given.
pub(super) fn older(timeline: &Timeline, pattern: &str, from: Option<&Key>) -> Option<Key> {
    let found = |(_, item): &(&Key, &Item)| holds(item, pattern);
    match from {
        Some(from) => timeline.before(from).find(found),
        None => timeline.iter().rev().find(found),
    }
    .map(|(key, _)| *key)
}

/// Finds the nearest message after one that holds the pattern.
pub(super) fn newer(timeline: &Timeline, pattern: &str, from: &Key) -> Option<Key> {
    timeline.after(from).find(|(_, item)| holds(item, pattern)).map(|(key, _)| *key)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn found<'a>(text: &'a str, pattern: &str) -> Vec<&'a str> {
        matches(text, pattern).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn case_does_not_matter() {
        assert_eq!(found("Dawn, dawn and DAWN", "dawn"), ["Dawn", "dawn", "DAWN"]);
        assert_eq!(found("ПРИВЕТ", "привет"), ["ПРИВЕТ"]);
        assert_eq!(found("İstanbul", "i"), ["İ"]);
    }

    #[test]
    fn matches_do_not_overlap_and_nothing_matches_nothing() {
        assert_eq!(found("aaaa", "aa"), ["aa", "aa"]);
        assert!(found("aaaa", "").is_empty());
        assert!(found("", "a").is_empty());
    }
}
