//! What synchronisation costs, set against the bare work that is in it.
//!
//! First two figures with real nodes and a whole session; then the parts by themselves. `docs/benchmarks.md` tells what
//! they were and what they must be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "what a benchmark prints is its result")]

mod catch_up;
#[path = "../figure/mod.rs"]
mod figure;
mod in_step;
#[path = "../large/process.rs"]
mod process;
#[path = "../../tests/records/mod.rs"]
mod records;
#[path = "../../tests/unit/mod.rs"]
mod unit;

fn main() {
    // With a filter, for divan's benchmarks, or under a test runner that only asks whether all is there.
    if std::env::args().len() <= 2 {
        catch_up::report();
        in_step::report();
    }
    if !figure::only() {
        divan::main();
    }
}
