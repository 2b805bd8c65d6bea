//! Names called in a text: `@Name`.

use std::ops::Range;

use muster_roles::MemberName;

/// Tells whether a text calls a member by name.
#[must_use]
pub fn mentions(text: &str, name: &MemberName) -> bool {
    calls(text, name).next().is_some()
}

/// Returns where a text calls a member by name, in bytes: `@Name` in any case, with nothing behind it that could belong
/// to a name.
///
/// Full stops and the like belong to names only where something follows them, so that a sentence may end with one.
pub fn calls(text: &str, name: &MemberName) -> impl Iterator<Item = Range<usize>> {
    let name = name.as_str();
    text.match_indices('@').filter_map(move |(at, sign)| {
        let start = at + sign.len();
        let end = start + name.len();
        let is_called = text.get(start..end).is_some_and(|front| front.eq_ignore_ascii_case(name));
        (is_called && text.get(end..).is_some_and(ends_name)).then_some(at..end)
    })
}

/// Tells whether a name has ended where this follows it.
fn ends_name(rest: &str) -> bool {
    let mark = |c: char| matches!(c, '.' | '-' | '_');
    !rest.trim_start_matches(mark).starts_with(char::is_alphanumeric)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn calls(text: &str) -> bool {
        mentions(text, &"Army1".parse().unwrap())
    }

    #[test]
    fn a_name_is_called_wherever_it_stands_and_however_it_is_spelled() {
        for text in
            ["@Army1", "@army1: come in", "where is @ARMY1?", "ask @Army1.", "@Navy1 @Army1", "(@Army1)", "@Army1…"]
        {
            assert!(calls(text), "{text}");
        }
    }

    #[test]
    fn every_call_is_found_where_it_stands() {
        let text = "@Army1, ask @Army12 or @ARMY1.";
        let found: Vec<&str> =
            super::calls(text, &"Army1".parse().unwrap()).map(|range| text.get(range).unwrap()).collect();
        assert_eq!(found, ["@Army1", "@ARMY1"]);
    }

    #[test]
    fn another_name_that_begins_alike_is_not_meant() {
        for text in ["Army1", "@Army", "@Army12", "@Army1-2", "@Army1.b", "@ Army1", "@Army1ä", ""] {
            assert!(!calls(text), "{text}");
        }
    }
}
