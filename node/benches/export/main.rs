//! A large store written out as text, beside `sqlite3` that prints the very same lines from a plain table.
//!
//! Both are processes that write to a file, and what they write must be the same to the byte. The table holds the lines'
//! parts as they are printed, so `sqlite3` has nothing to do but to read and to print. Where it is not installed, it is
//! left out.
//!
//! `cargo bench -p muster --bench export`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "what a benchmark prints is its result")]
#![allow(clippy::cast_precision_loss, reason = "figures are for people")]

#[path = "../figure/mod.rs"]
mod figure;
#[path = "../large/mod.rs"]
mod large;
#[path = "../large/process.rs"]
mod process;
#[path = "../../tests/records/mod.rs"]
mod records;

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use figure::figure;
use jiff::tz::TimeZone;
use large::{LargeHome, Said};
use process::peak_kib;

/// Messages in the store.
const MESSAGES: u64 = 1_000_000;

/// As many where it is only to be seen that all works.
const FEW_MESSAGES: u64 = 10_000;

/// How often either writes, in turns; the median counts.
const TURNS: usize = 3;

/// How often it is looked how much memory a process takes.
const GLANCE: Duration = Duration::from_millis(2);

/// The other program.
const SQLITE: &str = "sqlite3";

/// Prints the table's lines as `muster export` does.
const QUERY: &str = "SELECT time || '  [' || room || '] ' || author || ': ' || text FROM message";

fn main() {
    // Under a test runner there is nothing to see: the store alone takes a minute to make.
    if std::env::args().any(|arg| arg == "--bench") {
        report();
    }
}

fn report() {
    let count = if figure::quick() { FEW_MESSAGES } else { MESSAGES };
    let rows = tempfile::NamedTempFile::new().unwrap();
    let mut out = BufWriter::new(rows.as_file());
    let home = LargeHome::make(count, |said| write_row(&mut out, said));
    out.flush().unwrap();
    drop(out);
    let mut export = Command::new(env!("CARGO_BIN_EXE_muster"));
    export.env_clear().env("MUSTER_HOME", home.path()).env("TZ", "UTC").args(["export", "--output", "-"]);
    let mut programs = vec![Program { name: "muster", command: export, took: Vec::new(), peak_kib: 0 }];
    match table(&home.folder(), rows.path()) {
        None => println!("{SQLITE} is not installed"),
        Some(command) => programs.push(Program { name: SQLITE, command, took: Vec::new(), peak_kib: 0 }),
    }
    for _ in 0..TURNS {
        let written: Vec<PathBuf> = programs.iter_mut().map(|program| program.run(&home.folder())).collect();
        written.iter().for_each(|file| assert!(is_same(&written[0], file), "both write the same"));
    }
    for program in &mut programs {
        program.took.sort_unstable();
        figure("export.time", program.name, program.took[TURNS / 2].as_secs_f64(), "s");
        figure("export.memory", program.name, program.peak_kib as f64 / 1024.0, "MiB");
    }
}

/// Writes a message's parts as they are printed, with tabs between them.
fn write_row(out: &mut impl Write, said: &Said) {
    let time = jiff::Timestamp::from_millisecond(i64::try_from(said.time_ms).unwrap()).unwrap();
    let time = time.to_zoned(TimeZone::UTC);
    let Said { group, author, text, .. } = said;
    writeln!(out, "{}\t{group}\t{author}\t{text}", time.strftime("%Y-%m-%d %H:%M:%S")).unwrap();
}

/// Fills a table with these rows; returns what prints it, or nothing where there is no `sqlite3`.
fn table(folder: &Path, rows: &Path) -> Option<Command> {
    let database = folder.join("table.sqlite");
    let mut filling = Command::new(SQLITE).arg(&database).stdin(Stdio::piped()).spawn().ok()?;
    let mut input = filling.stdin.take().unwrap();
    writeln!(input, "CREATE TABLE message (time TEXT, room TEXT, author TEXT, text TEXT);").unwrap();
    writeln!(input, ".mode tabs\n.import '{}' message", rows.display()).unwrap();
    drop(input);
    assert!(filling.wait().unwrap().success());
    let mut printing = Command::new(SQLITE);
    printing.arg("-batch").arg(database).arg(QUERY);
    Some(printing)
}

/// What writes the messages out, and how it did.
struct Program {
    name: &'static str,
    command: Command,
    took: Vec<Duration>,
    peak_kib: u64,
}

impl Program {
    /// Has it write to a file once, and returns the file.
    fn run(&mut self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("{}.txt", self.name));
        let file = File::create(&path).unwrap();
        let began = Instant::now();
        let mut child = self.command.stdin(Stdio::null()).stdout(file).spawn().unwrap();
        let status = loop {
            // Nothing once it has ended.
            self.peak_kib = self.peak_kib.max(peak_kib(child.id()).unwrap_or_default());
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            thread::sleep(GLANCE);
        };
        self.took.push(began.elapsed());
        assert!(status.success(), "{} ended with {status}", self.name);
        path
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let read = |path| BufReader::new(File::open(path).unwrap()).bytes().map(Result::unwrap);
    read(one).eq(read(other))
}
