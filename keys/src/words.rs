//! A hash said in words, and the system's randomness.

use diceware_wordlists::Wordlist;

use crate::error::RandomError;

/// How many words stand for a hash: 6 × log2(7776) = 77.5 bits, out of reach of a forger who has
/// to find a second hash with the same words.
const WORDS: usize = 6;

/// Draws `N` bytes of the operating system's randomness.
///
/// # Errors
/// When the system has none to give, which on a healthy device does not happen.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Six words for a 32-byte hash, to be read aloud and compared by ear.
///
/// The hash is taken as one big-endian number; each word is the remainder of dividing it by the length
/// of the EFF's long word list (7,776), and the quotient goes on to the next. The number is so much
/// larger than 7,776⁶ that every word is as good as equally likely. The words are separated by single
/// spaces, because some words of the list contain a hyphen.
pub fn six_words(hash: &[u8; 32]) -> String {
    let list = Wordlist::EffLong.get_list();
    let mut number = *hash;
    let words: Vec<&str> = (0..WORDS).filter_map(|_| list.get(divide(&mut number, list.len())).copied()).collect();
    words.join(" ")
}

/// Divides a big-endian number in place and returns the remainder: long division, a byte at a time.
fn divide(number: &mut [u8; 32], divisor: usize) -> usize {
    let mut remainder = 0;
    for byte in number {
        let dividend = remainder << 8 | usize::from(*byte);
        // The remainder is below the divisor, so the quotient of the widened remainder fits a byte.
        *byte = (dividend / divisor) as u8;
        remainder = dividend % divisor;
    }
    remainder
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A hash that, as a number, is Σ indices[i] × 7776^i.
    fn hash_of(indices: [u128; WORDS]) -> [u8; 32] {
        let number = indices.iter().rev().fold(0_u128, |number, index| number * 7776 + index);
        let mut hash = [0; 32];
        hash[16..].copy_from_slice(&number.to_be_bytes());
        hash
    }

    #[test]
    fn the_list_is_the_effs_long_one() {
        let list = Wordlist::EffLong.get_list();
        assert_eq!(list.len(), 7776);
        assert_eq!(list.first(), Some(&"abacus"));
        assert_eq!(list.last(), Some(&"zoom"));
        assert!(list.iter().all(|word| !word.is_empty() && !word.contains(' ')));
    }

    #[test]
    fn words_are_the_digits_of_the_hash_in_base_7776() {
        assert_eq!(six_words(&[0; 32]), "abacus abacus abacus abacus abacus abacus");
        assert_eq!(six_words(&hash_of([0, 1, 2, 3, 4, 7775])), "abacus abdomen abdominal abide abiding zoom");
    }

    #[test]
    fn every_byte_of_the_hash_counts() {
        // 2^255 mod 7776 is not 0, so that even the highest bit changes the first word.
        let mut high = [0; 32];
        high[0] = 0x80;
        assert_ne!(six_words(&high), six_words(&[0; 32]));
        assert_ne!(six_words(&[0xff; 32]), six_words(&[0xfe; 32]));
    }

    #[test]
    fn two_draws_of_randomness_differ() {
        assert_ne!(random_bytes::<32>().unwrap(), random_bytes::<32>().unwrap());
    }

    proptest! {
        #[test]
        fn any_hash_has_six_words_and_the_same_ones_again(hash: [u8; 32]) {
            let words = six_words(&hash);
            prop_assert_eq!(words.split(' ').count(), WORDS);
            prop_assert_eq!(six_words(&hash), words);
        }

        #[test]
        fn division_agrees_with_that_of_the_machine(number: u128, divisor in 1_usize..100_000) {
            let mut bytes = [0; 32];
            bytes[16..].copy_from_slice(&number.to_be_bytes());
            let remainder = divide(&mut bytes, divisor);
            prop_assert_eq!(remainder as u128, number % divisor as u128);
            let mut quotient = [0; 32];
            quotient[16..].copy_from_slice(&(number / divisor as u128).to_be_bytes());
            prop_assert_eq!(bytes, quotient);
        }
    }
}
