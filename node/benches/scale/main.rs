//! Large units, simulated: real engines, connections as the address book makes them, and gossipsub as `net/` sets it up.
//!
//! Connections are 10 to 50 ms long, as in iroh-gossip's simulator. A text of 200 bytes is said every second, each by another
//! member of one troop, and everybody carries it. What the figures must be stands in `scripts/bench`; the curves go to
//! `docs/scale.svg` where more than two sizes are run, from the smallest on. One seed is behind everything that happens by chance, so all runs find the same.
//!
//! `cargo bench -p muster --bench scale [-- MEMBERS…]`; with `--no-default-features` it needs no network to be built.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "what a benchmark prints is its result")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod curves;
#[path = "../figure/mod.rs"]
mod figure;
mod gossip;
mod measure;
mod overlay;
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the very file of the library, which needs no network to be built for this"
)]
#[path = "../../src/net/shape.rs"]
mod shape;
mod streams;
mod trial;
mod unit;
mod world;

use std::rc::Rc;

use self::figure::figure;
use self::trial::{SEED, Trial, run};

/// Members of the units that are simulated.
const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

/// Of these where it is only to be seen that all works.
const FEW: usize = 2;

/// What weather takes, of 1,000 messages.
const LOSSES: [u32; 2] = [0, 50];

/// Where the curves go.
const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scale.svg");

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // Under a test runner there is nothing to see: all of this runs for minutes.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let asked: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let few = if figure::quick() { FEW } else { SIZES.len() };
    let sizes = if asked.is_empty() { &SIZES[..few] } else { &asked };
    println!("seed {SEED}");
    let mut trials: Vec<Trial> = Vec::new();
    for &members in sizes {
        let unit = Rc::new(world::unit(members));
        for lost_per_mille in LOSSES {
            let trial = run(&unit, lost_per_mille);
            println!("{trial}");
            trials.push(trial);
        }
    }
    report(&trials);
    if SIZES.starts_with(sizes) && sizes.len() > FEW {
        std::fs::write(PICTURE, curves::draw(&trials)).unwrap();
    }
}

/// Tells the figures that have a bound, and what stands beside them.
fn report(trials: &[Trial]) {
    let of = |members: usize, lost: u32| {
        trials.iter().find(|trial| trial.members == members && trial.lost_per_mille == lost)
    };
    for members in SIZES {
        for (lost, weather) in [(LOSSES[0], ""), (LOSSES[1], ".lossy")] {
            let Some(trial) = of(members, lost) else { continue };
            let (spread, name) = (&trial.spread, |name: &str| format!("scale.{members}{weather}.{name}"));
            figure(&name("p50"), "muster", spread.p50_us as f64 / 1000.0, "ms");
            figure(&name("p99"), "muster", spread.p99_us as f64 / 1000.0, "ms");
            figure(&name("missed"), "muster", spread.missed as f64, "");
            figure(&name("redundancy"), "muster", spread.redundancy, "");
            figure(&name("bytes"), "muster", trial.bytes_a_text(), "bytes");
        }
    }
    if let (Some(large), Some(small)) = (of(1_000, 0), of(100, 0)) {
        figure("scale.bytes", "muster", large.bytes_a_text(), "bytes");
        figure("scale.bytes", "100 members", small.bytes_a_text(), "bytes");
    }
}
