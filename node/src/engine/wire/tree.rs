//! Records signed together: a tree of digests, of which their author signs the root once.
//!
//! A node of the tree is the digest of its two children, a leaf that of a record's payload, and each record carries the digests
//! beside its way to the root. So it is as good by itself as one that was signed alone, and whoever has checked one
//! record of the tree need not check the signature of another. The tree is that of RFC 6962, section 2.1, but for its leaves: no
//! payload begins with the mark of a node, so they need no mark of their own. A record made alone is its own root.

use sha2::{Digest, Sha256};

/// Records that are signed together at most: one signature among so many costs less than decoding them, and what more
/// would save does not make up for the longer way to the root.
pub(crate) const MAX_TOGETHER: usize = 16;

/// Steps on the way from a record to the root.
const MAX_STEPS: usize = MAX_TOGETHER.ilog2() as usize;

/// Bytes of a digest.
const DIGEST_LEN: usize = 32;

/// What a node's digest is over begins with this; a payload begins with the head of a list.
const NODE_MARK: u8 = 1;

/// A SHA-256 digest.
pub(super) type Hash = [u8; DIGEST_LEN];

/// The way from a record to the root of its tree; empty where it was signed alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path {
    /// Its nth bit says that the nth digest stands before the way, and not behind.
    pub(super) turns: u64,
    /// The digests beside the way, one after the other, beginning at the record.
    pub(super) siblings: Vec<u8>,
}

/// Returns the digests of the nodes above a row of nodes; the last one goes up as it is where it has no partner.
fn above(row: &[Hash]) -> Vec<Hash> {
    let pair = |pair: &[Hash]| match pair {
        [left, right] => node(left, right),
        rest => rest.first().copied().unwrap_or_default(),
    };
    row.chunks(2).map(pair).collect()
}

fn node(left: &[u8], right: &[u8]) -> Hash {
    Sha256::new().chain_update([NODE_MARK]).chain_update(left).chain_update(right).finalize().into()
}

/// Plants a tree over the digests of some payloads: returns its root, and each one's way there, in their order.
pub(crate) fn plant(leaves: Vec<Hash>) -> (Hash, Vec<Path>) {
    let mut paths = vec![Path::default(); leaves.len()];
    let (mut row, mut level) = (leaves, 0);
    while row.len() > 1 {
        for (nth, path) in paths.iter_mut().enumerate() {
            let place = nth >> level;
            if let Some(sibling) = row.get(place ^ 1) {
                let step = path.siblings.len() / DIGEST_LEN;
                path.turns |= ((place & 1) as u64) << step;
                path.siblings.extend_from_slice(sibling);
            }
        }
        row = above(&row);
        level += 1;
    }
    (row.first().copied().unwrap_or_default(), paths)
}

/// Follows the way from a payload's digest to the root; `None` where it is no way, or not written in the one form.
pub(super) fn climb(leaf: Hash, turns: u64, siblings: &[u8]) -> Option<Hash> {
    let (siblings, rest) = siblings.as_chunks::<DIGEST_LEN>();
    if !rest.is_empty() || siblings.len() > MAX_STEPS || turns >> siblings.len() != 0 {
        return None;
    }
    let up = |below: Hash, (step, sibling): (usize, &Hash)| {
        if turns >> step & 1 == 1 { node(sibling, &below) } else { node(&below, sibling) }
    };
    Some(siblings.iter().enumerate().fold(leaf, up))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|nth| Sha256::digest([0x8c, u8::try_from(nth).unwrap()]).into()).collect()
    }

    /// The definition of RFC 6962, over digests.
    fn root_of(leaves: &[Hash]) -> Hash {
        match leaves {
            [alone] => *alone,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node(&root_of(&leaves[..split]), &root_of(&leaves[split..]))
            }
        }
    }

    #[test]
    fn every_record_of_every_tree_finds_its_root() {
        for count in 1..=MAX_TOGETHER {
            let (root, paths) = plant(leaves(count));
            assert_eq!((root, paths.len()), (root_of(&leaves(count)), count));
            for (leaf, path) in leaves(count).into_iter().zip(&paths) {
                assert_eq!(climb(leaf, path.turns, &path.siblings), Some(root));
            }
        }
    }

    #[test]
    fn a_record_alone_is_its_own_root() {
        let alone = leaves(1)[0];
        assert_eq!(plant(vec![alone]), (alone, vec![Path::default()]));
        assert_eq!(climb(alone, 0, &[]), Some(alone));
    }

    #[test]
    fn a_way_that_is_changed_leads_elsewhere_or_nowhere() {
        let (root, paths) = plant(leaves(11));
        for (leaf, path) in leaves(11).into_iter().zip(&paths) {
            for bit in 0..path.siblings.len() * 8 {
                let mut siblings = path.siblings.clone();
                siblings[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(climb(leaf, path.turns, &siblings), Some(root));
            }
            for bit in 0..64 {
                assert_ne!(climb(leaf, path.turns ^ 1 << bit, &path.siblings), Some(root));
            }
            let shorter = path.siblings.len() - DIGEST_LEN;
            assert_ne!(climb(leaf, path.turns, &path.siblings[..shorter]), Some(root));
        }
    }

    #[test]
    fn ways_that_no_tree_has_are_refused() {
        let leaf = leaves(1)[0];
        assert_eq!(climb(leaf, 0, &[0; DIGEST_LEN - 1]), None);
        assert_eq!(climb(leaf, 0, &[0; DIGEST_LEN * (MAX_STEPS + 1)]), None);
        assert_eq!(climb(leaf, 1, &[]), None, "a turn where there is no step");
        assert_eq!(climb(leaf, 1 << 2, &[0; 2 * DIGEST_LEN]), None);
        assert!(climb(leaf, 0, &[0; DIGEST_LEN * MAX_STEPS]).is_some());
    }
}
