//! The file `muster.toml` of a home: read within its bound, every entry with its line, every mistake kept.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The longest file that is read: some hundred times what every key at its longest takes.
const MAX_FILE_LEN: u64 = 64 * 1024;

/// The most of a text that is quoted in a mistake, in characters: enough to find it by.
const MAX_QUOTED: usize = 60;

/// What the file says, in the order of its lines.
#[derive(Debug, Default)]
pub(crate) struct ConfigFile {
    pub(crate) entries: Vec<Entry>,
    /// What cannot be read of it.
    pub(crate) mistakes: Vec<Mistake>,
}

/// One key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// The line of the key, from 1.
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// A value, as far as any setting has such a one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Switch(bool),
    Text(String),
    /// Each with its line.
    List(Vec<(usize, Value)>),
    /// A section of further keys.
    Section,
    /// What no setting is; in words.
    Other(&'static str),
}

/// Something in the file that is not right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("line {line}: {what}")]
pub(crate) struct Mistake {
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl ConfigFile {
    /// Reads the file; one that is missing says nothing.
    ///
    /// # Errors
    /// When it cannot be read, is no regular file, no UTF-8 or too long. What is wrong inside is among the mistakes.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        // Asked by name first: opening a pipe would wait for somebody to write.
        match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
            Ok(found) if !found.is_file() => return Err(io::Error::other("not a regular file")),
            Ok(_) => {}
        }
        let mut text = String::new();
        let read = File::open(path)?.take(MAX_FILE_LEN + 1).read_to_string(&mut text)?;
        if read as u64 > MAX_FILE_LEN {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {MAX_FILE_LEN} bytes")));
        }
        Ok(Self::parse(&text))
    }

    /// Takes a text apart; what is sound is kept beside what is not.
    pub(crate) fn parse(text: &str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let line = |at: usize| line_at(text, at);
        let mut mistakes: Vec<Mistake> = errors
            .iter()
            .map(|error| Mistake {
                line: line(error.span().map_or(0, |span| span.start)),
                what: error.message().lines().collect::<Vec<_>>().join(", "),
            })
            .collect();
        // One slip may be met again at every token after it: the first of a line says enough.
        mistakes.sort_by_key(|mistake| mistake.line);
        mistakes.dedup_by_key(|mistake| mistake.line);
        let mut entries: Vec<Entry> = table
            .get_ref()
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                line: line(key.span().start),
                value: Value::of(value, &line),
            })
            .collect();
        // What was recovered from a broken line is a guess.
        entries.retain(|entry| !mistakes.iter().any(|mistake| mistake.line == entry.line));
        entries.sort_by_key(|entry| entry.line);
        Self { entries, mistakes }
    }
}

impl Value {
    fn of(value: &Spanned<DeValue<'_>>, line: &impl Fn(usize) -> usize) -> Self {
        match value.get_ref() {
            DeValue::Boolean(on) => Self::Switch(*on),
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Array(values) => {
                Self::List(values.iter().map(|value| (line(value.span().start), Self::of(value, line))).collect())
            }
            DeValue::Table(_) => Self::Section,
            DeValue::Integer(_) => Self::Other("a number"),
            DeValue::Float(_) => Self::Other("a number with a point"),
            DeValue::Datetime(_) => Self::Other("a date"),
        }
    }

    /// What it is, for a mistake to say.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Switch(on) => on.to_string(),
            Self::Text(text) => quoted(text),
            Self::List(_) => "a list".to_owned(),
            Self::Section => "a section".to_owned(),
            Self::Other(what) => (*what).to_owned(),
        }
    }
}

/// A text as it can be shown: in quotes, its control characters escaped, and not longer than need be.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
    }
}

fn line_at(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_come_with_their_lines_in_their_order() {
        let file = ConfigFile::parse("# mine\nmdns = false\n\nlisten = [\n  \"a\",\n  \"b\",\n]\ncarry = 'own'\n");
        assert_eq!(file.mistakes, []);
        let entry = |key: &str, line, value| Entry { key: key.to_owned(), line, value };
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(
            file.entries,
            [
                entry("mdns", 2, Value::Switch(false)),
                entry("listen", 4, Value::List(vec![(5, text("a")), (6, text("b"))])),
                entry("carry", 8, text("own")),
            ]
        );
    }

    #[test]
    fn every_broken_line_is_told_and_the_sound_ones_are_kept() {
        let file = ConfigFile::parse("mdns = maybe\ncarry = \"own\"\ncarry = \"all\"\nlisten = [\"a\"\nplain = true");
        let lines: Vec<usize> = file.mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines.first(), Some(&1), "{:?}", file.mistakes);
        assert!(lines.contains(&3), "a key given twice: {:?}", file.mistakes);
        assert!(file.entries.iter().any(|entry| entry.key == "carry"), "{:?}", file.entries);
        assert!(file.mistakes.iter().all(|mistake| !mistake.what.is_empty() && !mistake.what.contains('\n')));
    }

    #[test]
    fn a_missing_file_says_nothing_and_a_bad_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.toml");
        assert!(ConfigFile::read(&path).unwrap().entries.is_empty());
        fs::write(&path, b"carry = \"\xff\"").unwrap();
        assert_eq!(ConfigFile::read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        fs::write(&path, " ".repeat(MAX_FILE_LEN as usize)).unwrap();
        assert!(ConfigFile::read(&path).is_ok());
        fs::write(&path, " ".repeat(MAX_FILE_LEN as usize + 1)).unwrap();
        assert_eq!(ConfigFile::read(&path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(ConfigFile::read(folder.path()).is_err(), "a folder");
    }

    #[test]
    fn what_is_quoted_is_short_and_shows_no_control_characters() {
        assert_eq!(quoted("a\u{1b}[2J\n"), r#""a\u{1b}[2J\n""#);
        assert_eq!(quoted(&"ä".repeat(100)), format!("\"{}\"…", "ä".repeat(MAX_QUOTED)));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_has_mistakes_on_lines_it_has(text in "[a-c=\"\\[\\]#'.\\n 1]{0,60}") {
            let file = ConfigFile::parse(&text);
            let lines = text.matches('\n').count() + 1;
            prop_assert!(file.mistakes.iter().all(|mistake| (1..=lines).contains(&mistake.line)), "{:?}", file.mistakes);
            prop_assert!(file.entries.iter().all(|entry| (1..=lines).contains(&entry.line)));
        }
    }
}
