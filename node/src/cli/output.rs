//! Where a command's answer goes: standard output, a line at a time.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

use crate::error::CommandError;

/// Standard output, held by the command that runs.
#[derive(Debug)]
pub(crate) struct Output(io::StdoutLock<'static>);

impl Output {
    pub(super) fn standard() -> Self {
        Self(io::stdout().lock())
    }

    /// Writes a line for a person.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), CommandError> {
        writeln!(self.0, "{line}").map_err(|error| CommandError::output(&error))
    }

    /// Writes a whole text as it is.
    pub(crate) fn text(&mut self, text: &[u8]) -> Result<(), CommandError> {
        self.0.write_all(text).map_err(|error| CommandError::output(&error))
    }

    /// Writes one JSON object as a line for a program.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), CommandError> {
        serde_json::to_writer(&mut self.0, value)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(self.0))
            .map_err(|error| CommandError::output(&error))
    }

    /// Writes rows under one another, each column as wide as its widest cell.
    pub(crate) fn columns<const N: usize>(&mut self, rows: &[[String; N]]) -> Result<(), CommandError> {
        for line in aligned(rows) {
            self.line(line)?;
        }
        Ok(())
    }
}

fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str, b: &str, c: &str| [a.to_owned(), b.to_owned(), c.to_owned()];
        assert_eq!(
            aligned(&[row("NAME", "ROLE", "KEY"), row("Ém", "soldier of army", "")]),
            ["NAME  ROLE             KEY", "Ém    soldier of army"]
        );
    }
}
