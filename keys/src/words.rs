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
    let words: Vec<&str> = (0..WORDS)
        .filter_map(|_| list.get(divide(&mut number, list.len())).copied())
        .collect();
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
