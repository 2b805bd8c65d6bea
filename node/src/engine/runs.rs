//! Sets of counts, kept as runs.

use std::collections::BTreeMap;

use super::confirmed::Run;

/// Runs kept in a set: with more, the oldest is forgotten. Only an author who counts in leaps on purpose makes so many.
const MAX_RUNS: usize = 1024;

/// A set of counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs {
    /// By their first count; they neither overlap nor adjoin.
    runs: BTreeMap<u64, u64>,
}

impl Runs {
    /// Adds the counts of a run.
    pub(super) fn insert(&mut self, Run { mut first, mut last }: Run) {
        while let Some((from, to)) =
            self.runs.range(..=last.saturating_add(1)).next_back().map(|(from, to)| (*from, *to))
            && to.saturating_add(1) >= first
        {
            self.runs.remove(&from);
            (first, last) = (first.min(from), last.max(to));
        }
        self.runs.insert(first, last);
        if self.runs.len() > MAX_RUNS {
            self.runs.pop_first();
        }
    }

    /// Takes the counts of a run out.
    pub(super) fn remove(&mut self, Run { first, last }: Run) {
        while let Some((from, to)) = self.runs.range(..=last).next_back().map(|(from, to)| (*from, *to))
            && to >= first
        {
            self.runs.remove(&from);
            if to > last {
                self.runs.insert(last + 1, to);
            }
            if from < first {
                self.runs.insert(from, first - 1);
                break;
            }
        }
    }

    /// Takes out the newest runs, at most so many; returns them in rising order.
    pub(super) fn take_newest(&mut self, most: usize) -> Vec<Run> {
        let taken = std::iter::from_fn(|| self.runs.pop_last()).take(most);
        let mut taken: Vec<Run> = taken.map(|(first, last)| Run { first, last }).collect();
        taken.reverse();
        taken
    }

    /// Tells whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Returns its runs in rising order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Run> {
        self.runs.iter().map(|(first, last)| Run { first: *first, last: *last })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn counts(runs: &Runs) -> BTreeSet<u64> {
        runs.iter().flat_map(|run| run.first..=run.last).collect()
    }

    proptest! {
        #[test]
        fn it_holds_what_was_put_in_and_not_taken_out(
            steps in proptest::collection::vec((any::<bool>(), 0_u64..60, 0_u64..6), 1..60)
        ) {
            let (mut runs, mut set) = (Runs::default(), BTreeSet::new());
            for (is_added, first, more) in steps {
                let run = Run { first, last: first + more };
                if is_added {
                    runs.insert(run);
                    set.extend(run.first..=run.last);
                } else {
                    runs.remove(run);
                    set.retain(|count| !run.contains(*count));
                }
                prop_assert_eq!(counts(&runs), set.clone());
            }
            let apart = runs.iter().zip(runs.iter().skip(1)).all(|(run, next)| run.last + 1 < next.first);
            prop_assert!(apart, "runs neither overlap nor adjoin: {:?}", runs);
        }
    }

    #[test]
    fn the_newest_are_taken_out_in_rising_order() {
        let mut runs = Runs::default();
        [1, 3, 5, 7].iter().for_each(|n| runs.insert(Run { first: *n, last: *n }));
        assert_eq!(runs.take_newest(2), [Run { first: 5, last: 5 }, Run { first: 7, last: 7 }]);
        assert_eq!(counts(&runs), [1, 3].into());
    }

    #[test]
    fn leaps_are_bounded_and_the_last_counts_do_no_harm() {
        let mut runs = Runs::default();
        (0..5000).for_each(|n| runs.insert(Run { first: 3 * n, last: 3 * n }));
        assert_eq!(runs.iter().count(), MAX_RUNS);
        runs.insert(Run { first: u64::MAX, last: u64::MAX });
        runs.remove(Run { first: 0, last: u64::MAX });
        assert!(runs.is_empty());
    }
}
