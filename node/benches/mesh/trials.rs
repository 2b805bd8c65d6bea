//! How many texts a second reach every reader without loss; the same for every crowd.

use std::time::{Duration, Instant};

use crate::crowd::{Crowd, due, heard, now_us, wait_heard, warm_up};
use crate::figure::{self, figure};

/// Nodes of the mesh, all connected.
pub(crate) const NODES: usize = 10;

/// Texts of one author in a trial: fewer than the thousand that a member may send at once.
const ALONE: usize = 900;

/// Texts of each author in a trial where all talk.
const TOGETHER: usize = 400;

/// Texts that an author may send in a second in the long run: so long is waited until it may send as many again.
const REFILL_A_SECOND: usize = 100;

/// The rate that is tried first.
const FIRST: f64 = 500.0;

/// The highest rate that is tried.
const HIGHEST: f64 = 16_000.0;

/// What is tried besides, as parts of the best rate.
const AROUND: [f64; 2] = [0.75, 1.5];

/// By so much more must be reached for a still higher rate to be tried.
const GAIN: f64 = 1.05;

/// How long texts may take after the last was said; what is not there then is lost.
const LOST_AFTER: Duration = Duration::from_secs(10);

/// Measures a crowd; returns the highest rate at which all talked.
///
/// `is_metered` says that authors are allowed so many texts a second, and are to wait between trials.
pub(crate) fn report_rates(crowd: &mut dyn Crowd, whose: &str, is_metered: bool) -> f64 {
    warm_up(crowd);
    let mut trial = Trials { crowd, is_metered, next_author: 0, used: [None; NODES] };
    let one = search(|rate| trial.alone(rate));
    figure("mesh.rate.one", whose, one, "msg/s");
    let ten = search(|rate| trial.together(rate));
    figure("mesh.rate.ten", whose, ten, "msg/s");
    ten
}

/// Doubles the rate until that gains next to nothing, then looks around the best; returns the highest rate that was reached.
///
/// More than is reached may be asked for: texts that wait for one another travel together and cost less.
fn search(mut attempt: impl FnMut(f64) -> Option<f64>) -> f64 {
    let mut reach = |rate: f64| {
        let reached = attempt(rate);
        println!("  {rate:.0} a second: {}", reached.map_or("texts lost".to_owned(), |rate| format!("{rate:.0}")));
        reached.unwrap_or(0.0)
    };
    // A trial is over in a fraction of a second, and whatever else the machine does may spoil it: one that does not gain
    // is tried once more.
    let mut reach_more = |rate: f64, than: f64| {
        let reached = reach(rate);
        if reached >= than || figure::quick() { reached } else { reached.max(reach(rate)) }
    };
    let (mut best, mut best_at, mut rate) = (0.0_f64, FIRST, FIRST);
    while rate <= HIGHEST {
        let reached = reach_more(rate, GAIN * best);
        let gains = reached >= GAIN * best;
        if reached > best {
            (best, best_at) = (reached, rate);
        }
        if !gains {
            break;
        }
        rate *= 2.0;
    }
    if !figure::quick() {
        best = AROUND.into_iter().fold(best, |best, factor| best.max(reach_more(factor * best_at, best)));
    }
    best
}

struct Trials<'a> {
    crowd: &'a mut dyn Crowd,
    /// Whether members are allowed so many texts a second, and a trial must wait until they may say theirs.
    is_metered: bool,
    next_author: usize,
    /// When each author has had its say.
    used: [Option<(Instant, usize)>; NODES],
}

impl Trials<'_> {
    /// One author talks, another one in every trial.
    fn alone(&mut self, rate: f64) -> Option<f64> {
        let author = self.next_author;
        self.next_author = (author + 1) % NODES;
        let texts = if figure::quick() { ALONE / 3 } else { ALONE };
        self.run(&[author], texts, rate)
    }

    /// All talk.
    fn together(&mut self, rate: f64) -> Option<f64> {
        let texts = if figure::quick() { TOGETHER / 8 } else { TOGETHER };
        self.run(&std::array::from_fn::<usize, NODES, _>(|nth| nth), texts, rate)
    }

    /// Returns the rate that was reached: from the first text's being said until the last is everywhere.
    fn run(&mut self, authors: &[usize], texts: usize, rate: f64) -> Option<f64> {
        if self.is_metered {
            let allowed =
                |(at, texts): (Instant, usize)| at + Duration::from_secs((texts / REFILL_A_SECOND + 1) as u64);
            let from = authors.iter().filter_map(|author| self.used[*author].map(allowed)).max();
            std::thread::sleep(from.map_or(Duration::ZERO, |from| from.saturating_duration_since(Instant::now())));
        }
        let before = heard(self.crowd);
        let said = self.crowd.say(authors, texts, rate);
        for author in authors {
            self.used[*author] = Some((Instant::now(), texts));
        }
        let lacking = wait_heard(self.crowd, &before, &due(&said, NODES), Instant::now() + LOST_AFTER);
        let ended_us = now_us();
        let began_us = said.iter().map(|said| said.at_us).min()?;
        let all_said = said.len() == texts * authors.len();
        (lacking == 0 && all_said).then(|| said.len() as f64 * 1e6 / (ended_us - began_us) as f64)
    }
}
