//! A bundle from a stick: read to its end, and every item judged as if a stranger had sent it.
#![no_main]

use std::io::Cursor;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster::engine::bundle::{BundleReader, Found, Judge};
use muster::engine::time::UnixMillis;
use muster_fuzz::{ground, now};
use muster_roles::Roster;

static ROSTER: LazyLock<Roster> = LazyLock::new(ground::roster);

fuzz_target!(|bytes: &[u8]| {
    let Ok(reader) = BundleReader::new(Cursor::new(bytes)) else { return };
    let mut judge = Judge::new(ROSTER.clone(), now(), UnixMillis(now().ms()));
    for found in reader {
        match found.expect("bytes in memory are readable") {
            Found::Document(document) => drop(judge.document(&document)),
            Found::Record(record) => drop(judge.record(&record)),
            _ => {}
        }
    }
});
