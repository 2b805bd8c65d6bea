//! What is missing of an author's messages in a group, by the author's own count of them.
//!
//! Only for people to see: what to fetch is found by comparing, so that a device restored from a backup, which counts
//! anew, breaks nothing.

use std::collections::{BTreeMap, BTreeSet};

use muster_keys::PublicKey;
use muster_roles::{GroupId, Timestamp};

use super::time::UnixMillis;
use super::wire::Header;

/// Runs of counts without a hole kept of an author in a group: with more, the oldest hole is forgotten.
const MAX_RUNS: usize = 64;

/// How long something is missing before it is told, in milliseconds: longer than gossip takes, and than a member that
/// has just come is compared with.
const PATIENCE_MS: u64 = 10_000;

/// A run of counts without a hole, by its first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    last: u64,
    /// The time of its newest record.
    newest: Timestamp,
}

/// Which of an author's records are here, by their count.
#[derive(Clone, Debug, Default)]
struct Counts {
    runs: BTreeMap<u64, Run>,
}

impl Counts {
    /// Takes in the counts from `first` to `last`.
    fn insert(&mut self, mut first: u64, mut last: u64, mut newest: Timestamp) {
        // What overlaps or adjoins becomes one run with them: one that begins before, and those that begin within.
        let before = self.runs.range(..first).next_back().filter(|(_, run)| run.last.saturating_add(1) >= first);
        let from = before.map_or(first, |(from, _)| *from);
        let joined: Vec<u64> = self.runs.range(from..=last.saturating_add(1)).map(|(from, _)| *from).collect();
        for from in joined {
            if let Some(run) = self.runs.remove(&from) {
                (first, last, newest) = (first.min(from), last.max(run.last), newest.max(run.newest));
            }
        }
        self.runs.insert(first, Run { last, newest });
        if self.runs.len() > MAX_RUNS
            && let (Some((first, oldest)), Some((_, next))) = (self.runs.pop_first(), self.runs.pop_first())
        {
            self.runs.insert(first, Run { last: next.last, newest: oldest.newest.max(next.newest) });
        }
    }

    /// Returns how many are missing between those that are here.
    fn missing(&self) -> u64 {
        let gaps = self.runs.values().zip(self.runs.keys().skip(1));
        gaps.map(|(run, next)| next.saturating_sub(run.last).saturating_sub(1)).fold(0, u64::saturating_add)
    }
}

/// What is here of one group's authors, by their counts.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    authors: BTreeMap<PublicKey, Counts>,
}

impl Tally {
    /// Takes in a record of the group.
    pub fn note(&mut self, header: &Header) {
        if !header.kind.is_message() {
            return;
        }
        self.authors.entry(header.author).or_default().insert(header.seq, header.seq, header.time);
    }
}

/// What a person is to be told of an author's messages in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HoleNews {
    /// So many are not here yet.
    Missing(u64),
    /// So many that were missing have come.
    Arrived(u64),
}

/// One author's messages in one group.
#[derive(Debug, Default)]
struct Author {
    counts: Counts,
    /// How many the person has been told are missing.
    told: u64,
    /// Since when more are.
    since: Option<UnixMillis>,
}

impl Author {
    /// Returns what is to be said now, and whether there may be something to say later.
    fn report(&mut self, now: UnixMillis) -> (Option<HoleNews>, bool) {
        let missing = self.counts.missing();
        if missing > self.told {
            let since = *self.since.get_or_insert(now);
            if now.0.abs_diff(since.0) < PATIENCE_MS {
                return (None, true);
            }
            self.told = missing;
            self.since = None;
            return (Some(HoleNews::Missing(missing)), false);
        }
        self.since = None;
        let has_arrived = missing == 0 && self.told > 0;
        (has_arrived.then(|| HoleNews::Arrived(std::mem::take(&mut self.told))), false)
    }
}

/// What is missing in the groups that this member may read.
#[derive(Debug, Default)]
pub(super) struct Holes {
    groups: BTreeMap<GroupId, BTreeMap<PublicKey, Author>>,
    /// Groups of which all that was stored when the node started has been counted in.
    counted: BTreeSet<GroupId>,
    /// Whose number of missing messages may have changed since it was last looked at.
    open: BTreeSet<(GroupId, PublicKey)>,
}

impl Holes {
    /// Sets which groups are watched; returns those whose stored records are to be counted.
    pub(super) fn watch(&mut self, groups: impl IntoIterator<Item = GroupId>) -> Vec<GroupId> {
        let groups: BTreeSet<GroupId> = groups.into_iter().collect();
        self.groups.retain(|group, _| groups.contains(group));
        self.counted.retain(|group| groups.contains(group));
        self.open.retain(|(group, _)| groups.contains(group));
        let new: Vec<GroupId> = groups.into_iter().filter(|group| !self.groups.contains_key(group)).collect();
        self.groups.extend(new.iter().map(|group| (group.clone(), BTreeMap::new())));
        new
    }

    /// Takes in what the store held of a group.
    pub(super) fn counted(&mut self, group: &GroupId, tally: Tally) {
        let Some(authors) = self.groups.get_mut(group) else { return };
        for (key, counts) in tally.authors {
            let author = authors.entry(key).or_default();
            counts.runs.into_iter().for_each(|(first, run)| author.counts.insert(first, run.last, run.newest));
            self.open.insert((group.clone(), key));
        }
        self.counted.insert(group.clone());
    }

    /// Takes in a record that has been stored.
    pub(super) fn note(&mut self, header: &Header) {
        if !header.kind.is_message() {
            return;
        }
        let Some(authors) = self.groups.get_mut(&header.group) else { return };
        let author = authors.entry(header.author).or_default();
        author.counts.insert(header.seq, header.seq, header.time);
        if author.counts.missing() != author.told {
            self.open.insert((header.group.clone(), header.author));
        }
    }

    /// Forgets what is older than the week: what was missing before it is not to come any more.
    pub(super) fn prune(&mut self, before: Timestamp) {
        for author in self.groups.values_mut().flat_map(BTreeMap::values_mut) {
            let missing = author.counts.missing();
            author.counts.runs.retain(|_, run| run.newest >= before);
            let given_up = missing.saturating_sub(author.counts.missing());
            author.told = author.told.saturating_sub(given_up);
        }
        self.groups.values_mut().for_each(|authors| authors.retain(|_, author| !author.counts.runs.is_empty()));
    }

    /// Returns what is to be told now; wanted while synchronisation is at rest.
    pub(super) fn report(&mut self, now: UnixMillis) -> Vec<(GroupId, PublicKey, HoleNews)> {
        let mut news = Vec::new();
        for (group, key) in std::mem::take(&mut self.open) {
            let Some(author) = self.groups.get_mut(&group).and_then(|authors| authors.get_mut(&key)) else { continue };
            if !self.counted.contains(&group) {
                self.open.insert((group, key));
                continue;
            }
            let (told, may_follow) = author.report(now);
            if may_follow {
                self.open.insert((group.clone(), key));
            }
            news.extend(told.map(|told| (group, key, told)));
        }
        news
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use muster_keys::Identity;
    use proptest::prelude::*;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);
    const LATER: UnixMillis = UnixMillis(NOW.0 + PATIENCE_MS);

    fn army() -> GroupId {
        "army".parse().unwrap()
    }

    fn author() -> PublicKey {
        Identity::from_seed(&[1; 32]).public()
    }

    /// Notes these counts, each of which is its record's time too.
    fn note(holes: &mut Holes, seqs: &[u64]) {
        for seq in seqs {
            let author = holes.groups.get_mut(&army()).unwrap().entry(author()).or_default();
            author.counts.insert(*seq, *seq, Timestamp::from_ms(*seq));
            holes.open.insert((army(), self::author()));
        }
    }

    /// The army's holes, with these records stored before the start.
    fn holes(stored: &[u64]) -> Holes {
        let mut holes = Holes::default();
        assert_eq!(holes.watch([army()]), [army()]);
        assert!(holes.watch([army()]).is_empty(), "counted once");
        let mut tally = Tally::default();
        for seq in stored {
            tally.authors.entry(author()).or_default().insert(*seq, *seq, Timestamp::from_ms(*seq));
        }
        holes.counted(&army(), tally);
        holes
    }

    fn told(holes: &mut Holes, now: UnixMillis) -> Vec<HoleNews> {
        holes.report(now).into_iter().map(|(_, _, news)| news).collect()
    }

    #[test]
    fn a_hole_is_told_once_it_has_lasted_and_its_filling_once_it_is_whole() {
        let mut holes = holes(&[1, 2]);
        note(&mut holes, &[5]);
        assert!(told(&mut holes, NOW).is_empty(), "it may come in a moment");
        assert_eq!(told(&mut holes, LATER), [HoleNews::Missing(2)]);
        note(&mut holes, &[3]);
        assert!(told(&mut holes, LATER).is_empty());
        note(&mut holes, &[4]);
        assert_eq!(told(&mut holes, LATER), [HoleNews::Arrived(2)]);
        assert!(told(&mut holes, LATER).is_empty());
    }

    #[test]
    fn what_comes_in_another_order_leaves_no_hole() {
        let mut holes = holes(&[]);
        note(&mut holes, &[9, 7]);
        assert!(told(&mut holes, NOW).is_empty());
        note(&mut holes, &[8]);
        assert!(told(&mut holes, LATER).is_empty());
    }

    #[test]
    fn an_authors_first_message_here_has_no_hole_before_it() {
        let mut holes = holes(&[100]);
        note(&mut holes, &[101]);
        told(&mut holes, NOW);
        assert!(told(&mut holes, LATER).is_empty());
    }

    #[test]
    fn nothing_is_told_before_what_was_stored_is_counted() {
        let mut holes = Holes::default();
        holes.watch([army()]);
        note(&mut holes, &[1, 4]);
        told(&mut holes, NOW);
        assert!(told(&mut holes, LATER).is_empty());
        let mut stored = Tally::default();
        stored.authors.entry(author()).or_default().insert(2, 3, Timestamp::ZERO);
        holes.counted(&army(), stored);
        told(&mut holes, LATER);
        assert!(told(&mut holes, UnixMillis(LATER.0 + PATIENCE_MS)).is_empty());
    }

    #[test]
    fn a_hole_that_the_week_has_left_behind_is_forgotten_in_silence() {
        let mut holes = holes(&[1, 2, 5]);
        told(&mut holes, NOW);
        assert_eq!(told(&mut holes, LATER), [HoleNews::Missing(2)]);
        holes.prune(Timestamp::from_ms(4));
        note(&mut holes, &[6]);
        assert!(told(&mut holes, LATER).is_empty());
    }

    #[test]
    fn an_arrival_is_told_though_the_week_moves_on_meanwhile() {
        let mut holes = holes(&[1, 2, 5]);
        told(&mut holes, NOW);
        assert_eq!(told(&mut holes, LATER), [HoleNews::Missing(2)]);
        note(&mut holes, &[3, 4]);
        holes.prune(Timestamp::from_ms(2));
        assert_eq!(told(&mut holes, LATER), [HoleNews::Arrived(2)]);
    }

    #[test]
    fn counts_at_the_end_of_their_range_do_no_harm() {
        let mut holes = holes(&[0, u64::MAX, u64::MAX - 1]);
        told(&mut holes, NOW);
        assert_eq!(told(&mut holes, LATER), [HoleNews::Missing(u64::MAX - 2)]);
    }

    proptest! {
        #[test]
        fn what_is_missing_is_what_lies_between(seqs in proptest::collection::vec((0_u64..60, 0_u64..4), 1..40)) {
            let (mut counts, mut here) = (Counts::default(), BTreeSet::new());
            for (first, more) in seqs {
                counts.insert(first, first + more, Timestamp::ZERO);
                here.extend(first..=first + more);
            }
            let span = here.last().unwrap() - here.first().unwrap() + 1;
            prop_assert_eq!(counts.missing(), span - here.len() as u64);
        }

        #[test]
        fn runs_are_bounded_and_the_oldest_hole_is_forgotten_first(seqs in proptest::collection::vec(0_u64..10_000, 300)) {
            let mut counts = Counts::default();
            for seq in &seqs {
                counts.insert(*seq, *seq, Timestamp::ZERO);
                prop_assert!(counts.runs.len() <= MAX_RUNS);
            }
            prop_assert_eq!(counts.runs.values().last().map(|run| run.last), seqs.iter().max().copied());
        }
    }
}
