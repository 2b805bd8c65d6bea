//! Which messages are to be written out, and how.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A form that messages can be written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Lines for people, in local time
    #[default]
    Text,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a header line (RFC 4180); a text that a spreadsheet would run as a formula gets a ' before it
    Csv,
}

impl Format {
    /// Returns the usual end of such a file's name.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }
}

/// Which messages to write out, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The group; all that the member may read, if none is named.
    pub group: Option<String>,
    /// The oldest time, in Unix milliseconds; all there are, if none is given.
    pub since_ms: Option<u64>,
    /// What a message looks like.
    #[serde(default)]
    pub format: Format,
    /// The IANA name of the zone of the times in [`Format::Text`]; the node's own, if none is named.
    pub zone: Option<String>,
}
