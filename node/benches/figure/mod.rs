//! Figures as `scripts/bench` gathers them; the form stands at the head of that script.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

/// Names the way in which a benchmark is run: `figures` or `quick` where `scripts/bench` runs it.
const MODE: &str = "MUSTER_BENCH";

/// Tells one figure: what it is of, whose it is (`muster` or the name of what it is set against), its value and unit.
pub(crate) fn figure(what: &str, whose: &str, value: f64, unit: &str) {
    println!("figure\t{what}\t{whose}\t{value}\t{unit}");
}

/// Tells whether only the figures are wanted, and nothing after them.
pub(crate) fn only() -> bool {
    std::env::var_os(MODE).is_some()
}

/// Tells whether it is only to be seen that all works: little of everything, and no time means anything.
pub(crate) fn quick() -> bool {
    std::env::var_os(MODE).is_some_and(|mode| mode == "quick")
}
