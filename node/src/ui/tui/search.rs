//! Searching what is in view: where a text stands in another, whatever the case of its letters.

use std::ops::Range;

use super::timeline::{Item, Key, Timeline};

/// The letters of a pattern in lower case.
fn lower(pattern: &str) -> Vec<char> {
    pattern.chars().flat_map(char::to_lowercase).collect()
}

/// Tells whether a text holds these letters, whatever their case there; a search goes through all messages in view with
/// it, so it keeps nothing of them.
fn is_in(text: &str, wanted: &[char]) -> bool {
    let Some((first, others)) = wanted.split_first() else { return false };
    if text.is_ascii() {
        let is_here =
            |here: &[u8]| here.iter().map(|byte| char::from(byte.to_ascii_lowercase())).eq(wanted.iter().copied());
        return text.as_bytes().windows(wanted.len()).any(is_here);
    }
    let mut letters = text.chars().flat_map(char::to_lowercase);
    loop {
        match letters.next() {
            None => return false,
            Some(letter) if letter == *first && letters.clone().take(others.len()).eq(others.iter().copied()) => {
                return true;
            }
            Some(_) => {}
        }
    }
}

/// Returns where a pattern stands in a text, in bytes, without regard to case; matches do not overlap.
pub(super) fn matches(text: &str, pattern: &str) -> Vec<Range<usize>> {
    let wanted = lower(pattern);
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
fn holds(item: &Item, wanted: &[char]) -> bool {
    match item {
        Item::Said(said) => is_in(said.text.as_str(), wanted) || is_in(said.author.as_str(), wanted),
        Item::Note(..) => false,
    }
}

/// Finds the nearest message before one that holds the pattern; from the newest where none is given.
pub(super) fn older(timeline: &Timeline, pattern: &str, from: Option<&Key>) -> Option<Key> {
    let wanted = lower(pattern);
    let found = |(_, item): &(&Key, &Item)| holds(item, &wanted);
    match from {
        Some(from) => timeline.before(from).find(found),
        None => timeline.iter().rev().find(found),
    }
    .map(|(key, _)| *key)
}

/// Finds the nearest message after one that holds the pattern.
pub(super) fn newer(timeline: &Timeline, pattern: &str, from: &Key) -> Option<Key> {
    let wanted = lower(pattern);
    timeline.after(from).find(|(_, item)| holds(item, &wanted)).map(|(key, _)| *key)
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
    fn a_text_holds_a_pattern_where_a_match_of_it_stands() {
        let texts = ["", "a", "aab", "Dawn, dawn", "İstanbul", "ПРИВЕТ", "ababac", "first\nsecond"];
        let patterns = ["", "a", "AB", "dawn", "i", "привет", "abac", "t\ns", "no such text"];
        for (text, pattern) in texts.iter().flat_map(|text| patterns.map(|pattern| (text, pattern))) {
            let stands = !matches(text, pattern).is_empty();
            assert_eq!(is_in(text, &lower(pattern)), stands, "{pattern:?} in {text:?}");
        }
    }

    #[test]
    fn matches_do_not_overlap_and_nothing_matches_nothing() {
        assert_eq!(found("aaaa", "aa"), ["aa", "aa"]);
        assert!(found("aaaa", "").is_empty());
        assert!(found("", "a").is_empty());
    }
}
