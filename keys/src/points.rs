//! From the bytes of a public key to the point of the curve that they stand for.
//!
//! Finding the point takes a tenth of what checking a signature does, and the same few members' keys are met again and
//! again. So every thread remembers the points of the last keys it met: a memory of what a pure function gave, and
//! nothing else. Whoever fills it with keys of their own makes things as slow as they would be without it.

use std::cell::RefCell;

use ed25519_dalek::VerifyingKey;

use crate::error::PublicKeyError;

/// Places that keys are remembered in, by their first byte.
const PLACES: usize = 256;

/// Keys that a place remembers, 192 bytes each: with one a place, two of twenty authors are likely to share it, and each
/// makes the other forgotten.
const KEYS_A_PLACE: usize = 4;

/// 2^255 - 19 in little-endian order, the first value that is not a canonical coordinate.
const FIELD_SIZE: [u8; 32] = {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed;
    bytes[31] = 0x7f;
    bytes
};

thread_local! {
    static KNOWN: RefCell<Known> = const { RefCell::new(Known { places: Vec::new(), found: 0 }) };
}

/// What a thread remembers.
struct Known {
    places: Vec<Vec<VerifyingKey>>,
    /// How many keys were not remembered when they were asked for.
    found: usize,
}

/// Returns the point that a public key's bytes stand for.
///
/// # Errors
/// When they are none, the point is of small order, or there is another encoding of it.
pub(crate) fn point(bytes: &[u8; 32]) -> Result<VerifyingKey, PublicKeyError> {
    KNOWN.with_borrow_mut(|known| {
        // The low bits of a key are as good as random; a hash would only make a collision harder to wish for.
        let [first, ..] = *bytes;
        let place = usize::from(first);
        let mut remembered = known.places.get(place).into_iter().flatten();
        if let Some(key) = remembered.find(|key| key.as_bytes() == bytes) {
            return Ok(*key);
        }
        let key = find(bytes)?;
        known.remember(place, key);
        Ok(key)
    })
}

impl Known {
    fn remember(&mut self, place: usize, key: VerifyingKey) {
        self.places.resize_with(PLACES, Vec::new);
        self.found = self.found.wrapping_add(1);
        let Some(keys) = self.places.get_mut(place) else { return };
        if keys.len() < KEYS_A_PLACE {
            return keys.push(key);
        }
        // Any but a fixed one: where one more than fit take turns, most of them are still remembered.
        if let Some(forgotten) = keys.get_mut(self.found % KEYS_A_PLACE) {
            *forgotten = key;
        }
    }
}

fn find(bytes: &[u8; 32]) -> Result<VerifyingKey, PublicKeyError> {
    let key = VerifyingKey::from_bytes(bytes).map_err(|_| PublicKeyError::NotAPoint)?;
    if key.is_weak() {
        return Err(PublicKeyError::Weak);
    }
    if is_canonical(bytes) { Ok(key) } else { Err(PublicKeyError::NotCanonical) }
}

/// Tells whether these bytes are the one encoding of their point, given that the point is not of small order.
///
/// The y coordinate, all but the highest bit, must be below 2^255 - 19. The highest bit is the sign of x, which could
/// only be told in two ways where x is 0, and those points are of small order.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let mut y = *bytes;
    if let Some(highest) = y.last_mut() {
        *highest &= 0x7f;
    }
    y.iter().rev().lt(FIELD_SIZE.iter().rev())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Identity;

    /// The slow way: the encoding that comes out must be the one that went in.
    fn is_reencoded_alike(key: &VerifyingKey) -> bool {
        key.to_edwards().compress().as_bytes() == key.as_bytes()
    }

    #[test]
    fn every_second_encoding_of_a_point_is_refused() {
        let mut second = 0;
        for above in 0..19_u8 {
            for sign in [0, 0x80] {
                let mut bytes = FIELD_SIZE;
                bytes[0] += above;
                bytes[31] |= sign;
                let Ok(key) = VerifyingKey::from_bytes(&bytes) else { continue };
                assert!(!is_canonical(&bytes) && !is_reencoded_alike(&key));
                second += 1;
                assert!(point(&bytes).is_err());
            }
        }
        assert!(second > 10, "{second} of 38 stand for points");
    }

    #[test]
    fn four_keys_of_a_place_are_remembered_and_of_more_no_more_than_four() {
        let of_one_place: Vec<[u8; 32]> = (0..=u16::MAX)
            .map(|n| *Identity::from_seed(&[n.to_le_bytes(); 16].concat().try_into().unwrap()).public().as_bytes())
            .filter(|bytes| bytes[0] == 7)
            .take(KEYS_A_PLACE + 2)
            .collect();
        let remembered = || KNOWN.with_borrow(|known| known.places.get(7).map_or(0, Vec::len));
        let found = || KNOWN.with_borrow(|known| known.found);
        let before = found();
        for bytes in of_one_place.iter().take(KEYS_A_PLACE).cycle().take(100) {
            assert_eq!(point(bytes).unwrap().as_bytes(), bytes);
        }
        assert_eq!((found() - before, remembered()), (KEYS_A_PLACE, KEYS_A_PLACE));
        for bytes in of_one_place.iter().cycle().take(100) {
            assert_eq!(point(bytes).unwrap().as_bytes(), bytes);
        }
        assert_eq!(remembered(), KEYS_A_PLACE);
    }

    #[test]
    fn a_key_that_is_known_is_told_from_another_in_its_place() {
        let keys: Vec<[u8; 32]> =
            (0..=255).flat_map(|n| [1, 2, 3].map(|m| *Identity::from_seed(&[n ^ m; 32]).public().as_bytes())).collect();
        for _ in 0..2 {
            for bytes in &keys {
                assert_eq!(point(bytes).unwrap().as_bytes(), bytes);
            }
        }
    }

    proptest! {
        #[test]
        fn the_short_way_agrees_with_the_long_one(bytes: [u8; 32]) {
            if let Ok(key) = VerifyingKey::from_bytes(&bytes) && !key.is_weak() {
                prop_assert_eq!(is_canonical(&bytes), is_reencoded_alike(&key));
                prop_assert_eq!(point(&bytes).is_ok(), is_canonical(&bytes));
            }
        }
    }
}
