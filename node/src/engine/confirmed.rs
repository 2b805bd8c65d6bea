//! What a member confirms: whose messages it has received, by their authors' own count, and how far it has read.
//!
//! ```text
//! runs   = author*
//! author = head(1) prefix run+
//! head   = bytes of the prefix << 4 | number of runs
//! run    = count of messages left out before it, count of messages in it less one
//! ```
//! Counts are in base 128, the lowest seven bits first (LEB128), in as few bytes as do. A prefix is the front of an author's key,
//! long enough to be no other member's. Receipts cost more than what they confirm unless they are short: so a run of
//! messages takes two to four bytes, and a whole day that was missed and then fetched takes no more.

use std::collections::BTreeMap;

use muster_keys::PublicKey;
use muster_roles::Timestamp;

/// Runs in one record.
pub const MAX_RUNS: usize = 64;

/// Runs of one author's messages in one record: what a head counts.
pub const MAX_AUTHOR_RUNS: usize = 15;

/// Bytes of the shortest and of the longest prefix.
const PREFIX_LENS: std::ops::RangeInclusive<usize> = 2..=15;

/// The front of an author's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPrefix(Vec<u8>);

impl KeyPrefix {
    /// Returns the shortest front of a key that is no other's; the longest there is where none is.
    #[must_use]
    pub fn of<'a>(key: &PublicKey, others: &(impl Iterator<Item = &'a PublicKey> + Clone)) -> Self {
        let front = |len: usize| key.as_bytes().get(..len).unwrap_or_default();
        let is_unique =
            |len: &usize| !others.clone().any(|other| other != key && other.as_bytes().starts_with(front(*len)));
        let len = PREFIX_LENS.into_iter().find(is_unique).unwrap_or(*PREFIX_LENS.end());
        Self(front(len).to_vec())
    }

    /// Tells whether a key begins like this.
    #[must_use]
    pub fn matches(&self, key: &PublicKey) -> bool {
        key.as_bytes().starts_with(&self.0)
    }
}

/// Messages of an author in a row, by the author's own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// The first.
    pub first: u64,
    /// The last; not below the first.
    pub last: u64,
}

impl Run {
    /// Tells whether a count lies in it.
    #[must_use]
    pub fn contains(&self, count: u64) -> bool {
        (self.first..=self.last).contains(&count)
    }
}

/// What a member confirms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// Messages it has received: runs in rising order that neither overlap nor adjoin, by author.
    pub received: BTreeMap<KeyPrefix, Vec<Run>>,
    /// It has read up to this time.
    pub read: Option<Timestamp>,
}

impl Confirmed {
    /// Tells whether nothing is confirmed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.received.is_empty() && self.read.is_none()
    }

    /// Tells whether a message is among those received, where the prefix is this author's alone among the members.
    #[must_use]
    pub fn has_received(&self, author: &PublicKey, count: u64) -> bool {
        self.runs_of(author).any(|run| run.contains(count))
    }

    /// Returns the runs of an author's messages.
    pub fn runs_of(&self, author: &PublicKey) -> impl Iterator<Item = &Run> {
        self.received.iter().filter(|(prefix, _)| prefix.matches(author)).flat_map(|(_, runs)| runs)
    }

    /// Returns the runs as they travel.
    pub(crate) fn encode_runs(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (KeyPrefix(prefix), runs) in &self.received {
            let [len, count] = [prefix.len(), runs.len()].map(|n| u8::try_from(n & 0xf).unwrap_or_default());
            bytes.push(len << 4 | count);
            bytes.extend_from_slice(prefix);
            let mut next = 0;
            for run in runs {
                put(&mut bytes, run.first.saturating_sub(next));
                put(&mut bytes, run.last.saturating_sub(run.first));
                next = run.last.saturating_add(1);
            }
        }
        bytes
    }

    /// Reads runs; `None` for anything but their one encoding within its bounds.
    pub(crate) fn decode_runs(mut bytes: &[u8]) -> Option<Self> {
        let mut received: BTreeMap<KeyPrefix, Vec<Run>> = BTreeMap::new();
        let mut total = 0;
        while let Some((head, rest)) = bytes.split_first() {
            let (len, count) = (usize::from(head >> 4), usize::from(head & 0xf));
            total += count;
            if !PREFIX_LENS.contains(&len) || count == 0 || total > MAX_RUNS {
                return None;
            }
            let (prefix, rest) = rest.split_at_checked(len)?;
            let prefix = KeyPrefix(prefix.to_vec());
            if received.last_key_value().is_some_and(|(last, _)| *last >= prefix) {
                return None;
            }
            bytes = rest;
            let mut runs: Vec<Run> = Vec::with_capacity(count);
            for _ in 0..count {
                let (left_out, more) = (take(&mut bytes)?, take(&mut bytes)?);
                let first = match runs.last() {
                    // Two runs that adjoin are one.
                    Some(before) if left_out > 0 => before.last.checked_add(1)?.checked_add(left_out)?,
                    Some(_) => return None,
                    None => left_out,
                };
                runs.push(Run { first, last: first.checked_add(more)? });
            }
            received.insert(prefix, runs);
        }
        Some(Self { received, read: None })
    }
}

/// Appends a number.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

/// Takes a number off the front, in as few bytes as do.
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let low = u64::from(byte & 0x7f);
        let shifted = low.checked_shl(shift).filter(|shifted| shifted >> shift == low)?;
        number |= shifted;
        if byte & 0x80 == 0 {
            return (*byte != 0 || shift == 0).then_some(number);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use muster_keys::Identity;
    use proptest::prelude::*;

    use super::*;

    fn key(seed: u8) -> PublicKey {
        Identity::from_seed(&[seed; 32]).public()
    }

    fn prefix(seed: u8) -> KeyPrefix {
        KeyPrefix::of(&key(seed), &std::iter::empty())
    }

    fn confirmed(received: impl IntoIterator<Item = (u8, Vec<(u64, u64)>)>) -> Confirmed {
        let runs = |runs: Vec<(u64, u64)>| runs.into_iter().map(|(first, last)| Run { first, last }).collect();
        let received = received.into_iter().map(|(seed, of)| (prefix(seed), runs(of))).collect();
        Confirmed { received, read: None }
    }

    #[test]
    fn runs_come_back_as_they_went_and_take_a_few_bytes() {
        let some = confirmed([(1, vec![(1, 1), (3, 500)]), (2, vec![(70_000, 70_000)])]);
        let bytes = some.encode_runs();
        assert_eq!(Confirmed::decode_runs(&bytes), Some(some));
        assert_eq!(confirmed([(1, vec![(120, 122)])]).encode_runs().len(), 5);
        assert_eq!(Confirmed::decode_runs(&[]), Some(Confirmed::default()));
    }

    #[test]
    fn a_message_is_received_where_a_run_of_its_author_has_it() {
        let some = confirmed([(1, vec![(3, 5)])]);
        assert!(some.has_received(&key(1), 3) && some.has_received(&key(1), 5));
        assert!(!some.has_received(&key(1), 2) && !some.has_received(&key(1), 6) && !some.has_received(&key(2), 4));
    }

    #[test]
    fn a_prefix_grows_until_it_is_nobody_elses() {
        let mine = key(1);
        assert_eq!(KeyPrefix::of(&mine, &[key(2)].iter()).0.len(), 2);
        assert_eq!(KeyPrefix::of(&mine, &[mine].iter()).0.len(), 2, "one's own key is no other");
        let prefix = KeyPrefix(mine.as_bytes().get(..5).unwrap().to_vec());
        assert!(prefix.matches(&mine) && !prefix.matches(&key(2)));
    }

    #[test]
    fn what_is_not_the_one_encoding_is_refused() {
        let good = confirmed([(1, vec![(3, 5)])]).encode_runs();
        let head = |head: u8| [&[head], good.get(1..).unwrap()].concat();
        assert!(Confirmed::decode_runs(&good).is_some());
        assert_eq!(Confirmed::decode_runs(&head(0x20)), None, "no runs");
        assert_eq!(Confirmed::decode_runs(&head(0x11)), None, "too short a prefix");
        assert_eq!(Confirmed::decode_runs(&[&good[..], &good[..]].concat()), None, "an author twice");
        assert_eq!(Confirmed::decode_runs(good.get(..good.len() - 1).unwrap()), None, "cut off");
        assert_eq!(Confirmed::decode_runs(&[0x21, 0, 0, 0x83, 0x00, 2]), None, "a number longer than it need be");
        assert_eq!(Confirmed::decode_runs(&[0x22, 0, 0, 3, 2, 0, 2]), None, "runs that adjoin");
        let [low, high] = [[0xff; 9].as_slice(), &[1]];
        assert_eq!(Confirmed::decode_runs(&[&[0x21, 0, 0], low, high, &[1]].concat()), None, "beyond the last count");
    }

    #[test]
    fn more_runs_than_a_record_may_have_are_refused() {
        let of = |authors: u8| confirmed((1..=authors).map(|seed| (seed, (0..8).map(|n| (10 * n, 10 * n)).collect())));
        let (most, more) = (of(8), of(9));
        assert_eq!(most.received.len(), 8, "no two of these keys begin alike");
        assert!(Confirmed::decode_runs(&most.encode_runs()).is_some());
        assert_eq!(Confirmed::decode_runs(&more.encode_runs()), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_have_one_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some(read) = Confirmed::decode_runs(&bytes) {
                prop_assert_eq!(read.encode_runs(), bytes);
            }
        }

        #[test]
        fn any_number_comes_back(number: u64) {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            prop_assert_eq!(take(&mut bytes.as_slice()), Some(number));
        }
    }
}
