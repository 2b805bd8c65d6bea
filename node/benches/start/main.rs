//! A node on a store of a million records: how soon the newest messages stand on the screen, and what it takes until then.
//!
//! The node is a process of its own at a terminal, which is played here: the screen is there when the newest message's
//! text has been written to it. What a node reads of its store besides, so as to compare and to remember, it may read
//! after that; so how long it is busy, and how much memory it takes, is told too.
//!
//! `cargo bench -p muster --bench start`
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
#[cfg(target_os = "linux")]
mod terminal;

fn main() {
    // Under a test runner there is nothing to see: the store alone takes a minute to make.
    #[cfg(target_os = "linux")]
    if std::env::args().any(|arg| arg == "--bench") {
        on_linux::report();
    }
}

#[cfg(target_os = "linux")]
mod on_linux {
    use crate::figure::{self, figure};
    use crate::large::LargeHome;
    use crate::process::{peak_kib, resident_kib, wait_for_rest};
    use crate::terminal::Chat;

    /// Records in the store.
    const RECORDS: u64 = 1_000_000;

    /// As many where it is only to be seen that all works.
    const FEW_RECORDS: u64 = 10_000;

    /// Starts, of which the median counts.
    const STARTS: usize = 5;

    pub(crate) fn report() {
        let count = if figure::quick() { FEW_RECORDS } else { RECORDS };
        let mut newest = String::new();
        let home = LargeHome::make(count, |said| {
            // The group that the chat opens in.
            if said.group == "heads" {
                // Its number: no other message has it, and between words the cursor may move instead of writing spaces.
                newest = said.text.split(' ').nth(1).unwrap_or_default().to_owned();
            }
        });
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            let mut chat = Chat::start(&home.path());
            let took = chat.wait_for(&newest);
            starts.push((took, peak_kib(chat.id()).unwrap()));
            chat.end();
        }
        starts.sort_unstable();
        let most = starts.iter().map(|(_, peak_kib)| *peak_kib).max().unwrap_or_default();
        figure("start.screen.time", "muster", starts[STARTS / 2].0.as_secs_f64() * 1000.0, "ms");
        figure("start.screen.memory", "muster", most as f64 / 1024.0, "MiB");
        let mut chat = Chat::start(&home.path());
        let busy = wait_for_rest(chat.id());
        figure("start.rest.time", "muster", busy.as_secs_f64(), "s");
        figure("start.rest.peak", "muster", peak_kib(chat.id()).unwrap() as f64 / 1024.0, "MiB");
        figure("start.rest.memory", "muster", resident_kib(chat.id()).unwrap() as f64 / 1024.0, "MiB");
        chat.end();
    }
}
