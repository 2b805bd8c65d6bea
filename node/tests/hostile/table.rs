//! The table of all attacks: what was bounded, what was measured, and whether it held.

use std::time::Duration;

use super::attack::{Attack, Outcome, play};
use super::claim::Claim;
use super::field::Field;

/// The honest are heard beside an attack within so many times what it takes without one.
const MAX_SLOWDOWN: f64 = 2.0;

/// Share of one processor that the node may take, in percent: half is left even where there is no second one. It is read here
/// alone, for what is not compiled for release takes several times as much.
const MAX_CPU_PERCENT: usize = 50;

/// Runs every attack, each on a unit of its own, and prints a row for each: a header, then fields between bars.
pub(crate) fn print(attacks: &[&Attack]) {
    let length = std::env::var("MUSTER_ATTACK_SECONDS").ok().map_or(24, |length| length.parse().unwrap());
    let only = std::env::var("MUSTER_ATTACK").ok();
    println!("| attack | by | bound: measured | p99 quiet, beside it | verdict |");
    println!("|---|---|---|---|---|");
    let wanted =
        |attack: &Attack| only.as_ref().is_none_or(|only| only.split(',').any(|word| attack.name.contains(word)));
    for attack in attacks.iter().filter(|attack| wanted(attack)) {
        // As long before the attack as beside it: of fewer messages, the slowest in a hundred is another one.
        let length = Duration::from_secs(length);
        let mut outcome = play(&mut Field::ready(), attack, length, length);
        let percent = (100.0 * outcome.cpu).round() as usize;
        outcome.claims.push(Claim::at_most("of a processor taken, in percent,", MAX_CPU_PERCENT, percent));
        println!("{}", row(attack, &outcome));
    }
}

fn row(attack: &Attack, outcome: &Outcome) -> String {
    let (quiet, beside) = (p99(&outcome.quiet), p99(&outcome.attacked));
    let in_time = beside < MAX_SLOWDOWN * quiet;
    let broken = outcome.claims.iter().any(|claim| !claim.holds);
    let claims: Vec<String> =
        outcome.claims.iter().map(|claim| format!("{}: {}", claim.bound, claim.measured)).collect();
    let verdict = match (broken, in_time) {
        (false, true) => "holds",
        (false, false) => "holds, but slower",
        (true, _) => "does not hold",
    };
    format!("| {} | {} | {} | {quiet:.1} ms, {beside:.1} ms | {verdict} |", attack.name, attack.by, claims.join("; "),)
}

/// The time within which 99 of 100 were heard, in milliseconds.
fn p99(took: &[Duration]) -> f64 {
    let mut took = took.to_vec();
    took.sort();
    took[(took.len() * 99).div_ceil(100) - 1].as_secs_f64() * 1000.0
}
