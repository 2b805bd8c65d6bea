//! A mesh of real nodes beside a mesh of bare gossipsub: how soon a message is there, how many a second are, and what it
//! takes in memory.
//!
//! All nodes are processes of this machine on loopback, and so are the bare ones: this very program, started again. Both
//! have the same version of libp2p, TCP, Noise and Yamux, the same settings of gossipsub and as many connections. A bare
//! node passes on whatever comes; Muster checks the author's signature and right, stores, decrypts and shows. Figures are
//! of texts of 200 bytes. What they must be stands in `scripts/bench`.
//!
//! `cargo bench -p muster --bench mesh [-- PART…]`, where a part is `latency`, `many`, `rate`, `overload` or `memory`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "what a benchmark prints is its result")]
#![allow(clippy::cast_precision_loss, reason = "figures are for people")]

mod bare;
mod bare_crowd;
mod control;
mod crowd;
#[path = "../figure/mod.rs"]
mod figure;
mod latency;
mod memory;
mod muster_crowd;
mod overload;
mod rate;
mod talk;
mod trials;
#[path = "../../tests/unit/mod.rs"]
mod unit;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(signing) = bare::asked_for(&args) {
        return bare::run(signing);
    }
    // Under a test runner there is nothing to see: all of this runs for minutes.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let parts: Vec<&str> = args.iter().map(String::as_str).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    if is_wanted("latency") {
        latency::report_few();
    }
    if is_wanted("many") {
        latency::report_many();
    }
    if is_wanted("memory") {
        memory::report();
    }
    if is_wanted("rate") || is_wanted("overload") {
        let highest = rate::report();
        if is_wanted("overload") {
            overload::report(highest);
        }
    }
}
