//! Checking many signatures of one key: multiples of its point that are worked out once.
//!
//! Two thirds of what a check takes is doubling points on the way to a multiple of the key's. With the multiples of each of the
//! key's powers of sixteen at hand nothing is doubled, and a check takes little more than half as long. What is accepted stays
//! what [`VerifyingKey::verify_strict`] accepts, to the bit: the same equation over the same points, without a batch's
//! shortcuts.

use std::sync::{Arc, Mutex, PoisonError};

use curve25519_dalek::{EdwardsPoint, Scalar, constants::ED25519_BASEPOINT_TABLE};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha512};

/// Keys whose multiples are kept, at 80 KiB each: those who write at one time.
const KEPT: usize = 32;

/// Checks of a key before its multiples are worked out, which takes as long as five of the checks that they make short. Whoever
/// only gives signs of life now and then never gets there in a large unit.
const WORTH: u32 = 16;

/// Digits of a scalar to the base of sixteen.
const DIGITS: usize = 64;

/// Multiples of each power: digits go from -7 to 8.
const MULTIPLES: usize = 8;

/// The multiples of a key's point, turned round: one to eight times each of its powers of sixteen.
struct Comb(Box<[[EdwardsPoint; MULTIPLES]]>);

/// The keys met last.
struct Keys {
    /// The latest at the end.
    met: Vec<Met>,
}

/// A key that was met of late.
struct Met {
    key: [u8; 32],
    times: u32,
    comb: Option<Arc<Comb>>,
}

/// A memory of what pure functions gave, for all threads.
static KEYS: Mutex<Keys> = Mutex::new(Keys { met: Vec::new() });

/// Checks a signature by the strict rules, the short way where the key is one of those that sign much; otherwise says nothing.
pub(crate) fn verify(key: &VerifyingKey, message: &[u8], signature: &[u8; 64]) -> Option<bool> {
    let lock = || KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    let met = lock().meet(key.as_bytes());
    let comb = match met {
        (Some(comb), _) => comb,
        (None, times) if times < WORTH => return None,
        (None, _) => {
            // Worked out beside the lock: others go on meanwhile.
            let comb = Arc::new(Comb::new(&-key.to_edwards()));
            lock().keep(key.as_bytes(), &comb);
            comb
        }
    };
    Some(holds(key, &comb, message, signature))
}

impl Keys {
    /// Counts a check of a key; returns its multiples if they are kept, and how often it was met.
    fn meet(&mut self, key: &[u8; 32]) -> (Option<Arc<Comb>>, u32) {
        let mut this = match self.met.iter().rposition(|met| met.key == *key) {
            Some(at) => self.met.remove(at),
            None => Met { key: *key, times: 0, comb: None },
        };
        if self.met.len() >= KEPT {
            self.met.remove(0);
        }
        this.times = this.times.saturating_add(1);
        let met = (this.comb.clone(), this.times);
        self.met.push(this);
        met
    }

    fn keep(&mut self, key: &[u8; 32], comb: &Arc<Comb>) {
        if let Some(met) = self.met.iter_mut().find(|met| met.key == *key) {
            met.comb = Some(Arc::clone(comb));
        }
    }
}

/// Tells whether a signature holds: `R` is `s` times the base point less `k` times the key's, in its one encoding, and neither
/// weak; that the key is not weak has been seen to.
fn holds(key: &VerifyingKey, comb: &Comb, message: &[u8], signature: &[u8; 64]) -> bool {
    let Some((point, scalar)) = signature.split_first_chunk::<32>() else { return false };
    let Ok(scalar) = <[u8; 32]>::try_from(scalar) else { return false };
    let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(scalar)) else { return false };
    let hash = Sha512::new().chain_update(point).chain_update(key.as_bytes()).chain_update(message).finalize();
    let k = Scalar::from_bytes_mod_order_wide(&hash.into());
    let expected = comb.multiply(&k, ED25519_BASEPOINT_TABLE * &s);
    expected.compress().as_bytes() == point && !expected.is_small_order()
}

impl Comb {
    fn new(point: &EdwardsPoint) -> Self {
        let mut power = *point;
        let row = |_| {
            let mut multiple = power;
            let row = std::array::from_fn(|nth| {
                if nth > 0 {
                    multiple += power;
                }
                multiple
            });
            // Eight times, and twice that.
            power = multiple + multiple;
            row
        };
        Self((0..DIGITS).map(row).collect())
    }

    /// Adds the multiple of the comb's point by `scalar` to `sum`, in a time that depends on both: nothing here is secret.
    fn multiply(&self, scalar: &Scalar, sum: EdwardsPoint) -> EdwardsPoint {
        let multiple = |row: &[EdwardsPoint; MULTIPLES], digit: i8| {
            row.get(usize::from(digit.unsigned_abs()).wrapping_sub(1)).copied()
        };
        self.0.iter().zip(digits(scalar)).fold(sum, |sum, (row, digit)| match multiple(row, digit) {
            Some(multiple) if digit < 0 => sum - multiple,
            Some(multiple) => sum + multiple,
            None => sum,
        })
    }
}

/// Returns a scalar's digits to the base of sixteen, from -7 to 8, the lowest first.
fn digits(scalar: &Scalar) -> [i8; DIGITS] {
    let mut digits = [0; DIGITS];
    let halves = scalar.to_bytes().into_iter().flat_map(|byte| [byte & 15, byte >> 4]);
    let mut carry = 0;
    for (digit, half) in digits.iter_mut().zip(halves) {
        let whole = half + carry;
        // Nine to sixteen stand for one in the next place, less so many.
        carry = u8::from(whole > 8);
        *digit = i8::try_from(whole).unwrap_or_default() - if carry == 1 { 16 } else { 0 };
    }
    digits
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use ed25519_dalek::{Signature, Signer, SigningKey};
    use proptest::prelude::*;

    use super::*;

    fn short(key: &VerifyingKey, message: &[u8], signature: &[u8; 64]) -> bool {
        holds(key, &Comb::new(&-key.to_edwards()), message, signature)
    }

    fn strict(key: &VerifyingKey, message: &[u8], signature: &[u8; 64]) -> bool {
        key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }

    /// The points of small order, of which adding one leaves eight times a point as it was.
    fn small_points() -> Vec<EdwardsPoint> {
        curve25519_dalek::constants::EIGHT_TORSION.to_vec()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_short_way_agrees_with_the_strict_one(seed: [u8; 32], message: Vec<u8>, bit in 0_usize..1024) {
            let signer = SigningKey::from_bytes(&seed);
            let key = signer.verifying_key();
            let mut signature = signer.sign(&message).to_bytes();
            prop_assert!(short(&key, &message, &signature) && strict(&key, &message, &signature));
            // Half of the cases change nothing.
            if let Some(byte) = signature.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
                prop_assert_eq!(short(&key, &message, &signature), strict(&key, &message, &signature));
                prop_assert!(!short(&key, &message, &signature));
            }
        }

        #[test]
        fn a_multiple_is_the_multiple(of: [u8; 32], by: [u8; 64]) {
            let point = SigningKey::from_bytes(&of).verifying_key().to_edwards();
            let by = Scalar::from_bytes_mod_order_wide(&by);
            for small in small_points() {
                let point = point + small;
                prop_assert_eq!(Comb::new(&point).multiply(&by, EdwardsPoint::default()), point * by);
            }
        }
    }

    #[test]
    fn the_ends_of_the_scalars_are_no_exception() {
        let point = SigningKey::from_bytes(&[1; 32]).verifying_key().to_edwards();
        let comb = Comb::new(&point);
        for by in [Scalar::ZERO, Scalar::ONE, -Scalar::ONE, Scalar::from(8_u8), Scalar::from(u64::MAX)] {
            assert_eq!(comb.multiply(&by, EdwardsPoint::default()), point * by);
        }
    }

    /// Whoever has the secret may add points of small order to its key and to `R`: what is made of that must be the same, for
    /// one node that holds a record and another that does not would never agree.
    #[test]
    fn points_of_small_order_are_judged_alike() {
        let (secret, nonce) = (Scalar::from(12_345_678_u64), Scalar::from(87_654_321_u64));
        let (mut held, mut failed) = (0, 0);
        for to_key in small_points() {
            let key = VerifyingKey::from(ED25519_BASEPOINT_TABLE * &secret + to_key);
            for (to_r, nonce) in small_points().into_iter().flat_map(|to_r| [(to_r, nonce), (to_r, Scalar::ZERO)]) {
                let r = (ED25519_BASEPOINT_TABLE * &nonce + to_r).compress();
                for message in 0..16_u8 {
                    let hash = Sha512::new().chain_update(r.as_bytes()).chain_update(key.as_bytes());
                    let hash = hash.chain_update([message]).finalize();
                    let s = nonce + Scalar::from_bytes_mod_order_wide(&hash.into()) * secret;
                    let signature: [u8; 64] = [r.to_bytes(), s.to_bytes()].concat().try_into().unwrap();
                    let verdict = short(&key, &[message], &signature);
                    assert_eq!(verdict, strict(&key, &[message], &signature));
                    *if verdict { &mut held } else { &mut failed } += 1;
                }
            }
        }
        assert!(held > 100 && failed > 100, "{held} held, {failed} did not");
    }

    #[test]
    fn a_second_form_of_a_signature_is_refused() {
        let signer = SigningKey::from_bytes(&[3; 32]);
        let mut signature = signer.sign(b"text").to_bytes();
        // The group's order, which added to s changes nothing but its bytes.
        let order = {
            let mut bytes = (-Scalar::ONE).to_bytes();
            bytes[0] += 1;
            bytes
        };
        let mut carry = 0;
        for (byte, more) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(more) + carry;
            (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
        }
        assert!(!short(&signer.verifying_key(), b"text", &signature));
        assert!(!strict(&signer.verifying_key(), b"text", &signature));
    }

    #[test]
    fn a_key_that_signs_much_is_kept_until_as_many_others_have_come_after_it() {
        let (mut keys, busy) = (Keys { met: Vec::new() }, [200; 32]);
        assert!((1..=WORTH).all(|times| matches!(keys.meet(&busy), (None, met) if met == times)));
        keys.keep(&busy, &Arc::new(Comb(Box::default())));
        for others in [KEPT - 1, KEPT] {
            assert!(keys.meet(&busy).0.is_some());
            (0..others).for_each(|nth| drop(keys.meet(&[u8::try_from(nth).unwrap(); 32])));
            assert_eq!(keys.met.len(), KEPT);
        }
        assert!(matches!(keys.meet(&busy), (None, 1)));
    }

    #[test]
    fn what_is_checked_often_is_checked_alike_each_time() {
        let signer = SigningKey::from_bytes(&[9; 32]);
        let (key, signature) = (signer.verifying_key(), signer.sign(b"text").to_bytes());
        let mut short = 0;
        for _ in 0..4 * WORTH {
            for (message, good) in [(b"text", true), (b"next", false)] {
                let verdict = verify(&key, message, &signature);
                assert!(verdict.is_none_or(|verdict| verdict == good));
                short += u32::from(verdict.is_some());
            }
        }
        assert!(short > WORTH);
    }
}
