//! Sums of names, a block at a time: with them, a fingerprint of everything costs no walk through everything.
//!
//! Negentropy's fingerprint of a set is a hash of the sum of its ids and of how many there are (hoytech/negentropy, "Protocol
//! v1": the sum modulo 2^256 of the ids as little-endian numbers, then the count as a varint, SHA-256, the first 16 bytes).
//! A sum of sums is the sum.

use sha2::{Digest, Sha256};

use super::index::SyncId;

/// Names in one block. A sum takes as much room as a name, so this is a thousandth more; and what is left over at the ends
/// is added in microseconds.
const BLOCK_LEN: usize = 1024;

/// Bytes of a fingerprint.
pub(super) const FINGERPRINT_LEN: usize = 16;

/// A sum of ids modulo 2^256, the lowest digit first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum([u64; 4]);

impl Sum {
    fn add(&mut self, other: &Self) {
        let mut carry = false;
        for (mine, other) in self.0.iter_mut().zip(other.0) {
            (*mine, carry) = mine.carrying_add(other, carry);
        }
    }

    fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).zip(self.0).for_each(|(to, digit)| to.copy_from_slice(&digit.to_le_bytes()));
        bytes
    }
}

impl From<&SyncId> for Sum {
    fn from(name: &SyncId) -> Self {
        let (digits, _) = name.as_bytes().as_chunks();
        let mut sum = Self::default();
        sum.0.iter_mut().zip(digits).for_each(|(to, digit)| *to = u64::from_le_bytes(*digit));
        sum
    }
}

/// The sum of each whole block of a list of names.
#[derive(Debug, Default)]
pub(super) struct Sums(Vec<Sum>);

impl Sums {
    /// Sums up the blocks that have become whole since, where names came to the end of the list only.
    pub(super) fn follow(&mut self, names: &[SyncId]) {
        if names.len() / BLOCK_LEN > self.0.len() {
            self.0.extend(names.chunks_exact(BLOCK_LEN).skip(self.0.len()).map(sum));
        }
    }

    /// Sums up everything anew, where names came or went elsewhere.
    pub(super) fn renew(&mut self, names: &[SyncId]) {
        self.0.clear();
        self.follow(names);
    }

    /// Returns negentropy's fingerprint of `part`, which begins at `start` in the list.
    pub(super) fn fingerprint(&self, part: &[SyncId], start: usize) -> [u8; FINGERPRINT_LEN] {
        let (first, last) = (start.div_ceil(BLOCK_LEN), (start + part.len()) / BLOCK_LEN);
        let blocks = self.0.get(first..last).unwrap_or_default();
        let (before, rest) = match blocks {
            [] => (part, &[][..]),
            _ => part.split_at((first * BLOCK_LEN - start).min(part.len())),
        };
        let after = rest.get(blocks.len() * BLOCK_LEN..).unwrap_or_default();
        let mut total = sum(before);
        blocks.iter().chain([&sum(after)]).for_each(|block| total.add(block));
        let hash = Sha256::new().chain_update(total.to_bytes()).chain_update(varint(part.len())).finalize();
        hash.first_chunk().copied().unwrap_or_default()
    }
}

fn sum(names: &[SyncId]) -> Sum {
    let mut sum = Sum::default();
    names.iter().for_each(|name| sum.add(&name.into()));
    sum
}

/// Encodes a number as negentropy does: seven bits a byte, the highest first, all but the last with the top bit set.
fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let more = if bytes.is_empty() { 0 } else { 0x80 };
        bytes.push(u8::try_from(number & 0x7f).unwrap_or_default() | more);
        number >>= 7;
        if number == 0 {
            bytes.reverse();
            return bytes;
        }
    }
}
