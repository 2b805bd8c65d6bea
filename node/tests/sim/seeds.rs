//! Many storms, one a seed, on all cores.

use std::env;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use crate::breakage::Breakage;
use crate::storm::{Tally, play};

/// Seeds that every run of the tests plays.
const SEEDS: u64 = 100;

/// Where `scripts/sim` wants more.
pub fn wanted() -> Vec<u64> {
    if let Ok(seeds) = env::var("MUSTER_SIM_SEEDS") {
        return seeds.split_whitespace().map(|seed| seed.parse().expect("MUSTER_SIM_SEEDS lists numbers")).collect();
    }
    let count =
        env::var("MUSTER_SIM_COUNT").map_or(SEEDS, |count| count.parse().expect("MUSTER_SIM_COUNT is a number"));
    (0..count).collect()
}

/// Seeds that kept their promises, with what came of each.
pub type Good = Vec<(u64, Tally)>;

/// Seeds that did not, with what was wrong.
pub type Bad = Vec<(u64, String)>;

/// Plays seeds on all cores; returns what came of each that kept its promises, and what was wrong with the others.
pub fn play_all(seeds: &[u64], breakage: Option<Breakage>, enough: usize) -> (Good, Bad) {
    let next = AtomicUsize::new(0);
    let (good, bad) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while bad.lock().unwrap().len() < enough
                    && let Some(seed) = seeds.get(next.fetch_add(1, Relaxed)).copied()
                {
                    match catch_unwind(|| play(seed, breakage)) {
                        Ok(tally) => good.lock().unwrap().push((seed, tally)),
                        Err(panic) => {
                            let said = panic.downcast_ref::<String>().cloned();
                            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
                            bad.lock().unwrap().push((seed, said.unwrap_or_default()));
                        }
                    }
                }
            });
        }
    });
    let mut good = good.into_inner().unwrap();
    good.sort_by_key(|(seed, _)| *seed);
    (good, bad.into_inner().unwrap())
}
