//! What a message looks like in a file.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use muster_roles::Timestamp;
use serde::Serialize;

use crate::control::{FROM_REMOVED, Format};
use crate::engine::view::Row;

/// What a spreadsheet takes for the start of a formula at the start of a cell, in ASCII and in full width.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// One message for other programs; the names are the object's keys and the table's columns.
#[derive(Serialize)]
struct Fields<'a> {
    id: String,
    group: &'a str,
    author: &'a str,
    /// RFC 3339 in UTC, to the millisecond.
    time: String,
    text: &'a str,
}

/// Writes messages line by line.
pub(super) struct Lines<'a> {
    pub(super) format: Format,
    pub(super) zone: &'a TimeZone,
    /// Whether a text line says its group.
    pub(super) with_group: bool,
}

impl Lines<'_> {
    /// Writes what stands before the first message.
    pub(super) fn head(&self, out: &mut impl Write) -> io::Result<()> {
        match self.format {
            Format::Text | Format::Jsonl => Ok(()),
            Format::Csv => write!(out, "id,group,author,time,text\r\n"),
        }
    }

    /// Writes one message.
    pub(super) fn line(&self, out: &mut impl Write, row: &Row) -> io::Result<()> {
        match self.format {
            Format::Text => self.text_line(out, row),
            Format::Jsonl => {
                serde_json::to_writer(&mut *out, &fields(row))?;
                out.write_all(b"\n")
            }
            Format::Csv => {
                let Fields { id, group, author, time, text } = fields(row);
                write!(out, "{id},{group},{author},{time},{}\r\n", csv_cell(text))
            }
        }
    }

    fn text_line(&self, out: &mut impl Write, row: &Row) -> io::Result<()> {
        let time = instant(row.time()).to_zoned(self.zone.clone());
        write!(out, "{}  ", time.strftime("%Y-%m-%d %H:%M:%S"))?;
        if self.with_group {
            write!(out, "[{}] ", row.group())?;
        }
        let removed = if row.is_from_removed() { FROM_REMOVED } else { "" };
        writeln!(out, "{}: {}{removed}", row.author(), row.text())
    }
}

fn fields(row: &Row) -> Fields<'_> {
    Fields {
        id: row.id().to_string(),
        group: row.group().as_str(),
        author: row.author().as_str(),
        time: format!("{:.3}", instant(row.time())),
        text: row.text().as_str(),
    }
}

/// A record's time on the wall clock; no record's is outside the calendar's 9,999 years unless its author lied.
fn instant(time: Timestamp) -> jiff::Timestamp {
    i64::try_from(time.ms())
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or(jiff::Timestamp::MAX)
}

/// Quotes a text for a table, and keeps a spreadsheet from running it.
fn csv_cell(text: &str) -> String {
    let guard = if text.trim_start().starts_with(FORMULA_STARTS) { "'" } else { "" };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{guard}{text}")
    }
}
