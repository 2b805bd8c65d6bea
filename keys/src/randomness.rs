//! Where the randomness of group keys and of their sealing comes from.

use std::convert::Infallible;

use hpke::rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

use crate::{error::RandomError, words::random_bytes};

/// Where the randomness of group keys and of their sealing comes from.
#[derive(Default)]
pub struct Randomness(Source);

#[derive(Default)]
pub(crate) enum Source {
    #[default]
    System,
    Seeded(Seeded),
}

impl Randomness {
    /// The operating system's: what every device draws from.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// The same again for the same seed: for simulations alone, as whoever knows the seed knows every key.
    #[must_use]
    pub fn seeded(seed: [u8; 32]) -> Self {
        Self(Source::Seeded(Seeded { seed, drawn: 0 }))
    }

    pub(crate) fn source(&mut self) -> &mut Source {
        &mut self.0
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], RandomError> {
        match &mut self.0 {
            Source::System => random_bytes(),
            Source::Seeded(seeded) => {
                let mut bytes = [0; N];
                seeded.fill(&mut bytes);
                Ok(bytes)
            }
        }
    }
}

/// Hashes of a seed and a counter.
pub(crate) struct Seeded {
    seed: [u8; 32],
    drawn: u64,
}

impl Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::new().chain_update(self.seed).chain_update(self.drawn.to_be_bytes()).finalize();
            self.drawn = self.drawn.wrapping_add(1);
            chunk.iter_mut().zip(block).for_each(|(byte, random)| *byte = random);
        }
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_be_bytes(self.array()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_be_bytes(self.array()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Seeded {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_again_and_another_seed_something_else() {
        let draw = |seed| Randomness::seeded([seed; 32]).bytes::<80>().unwrap();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn no_two_draws_are_alike() {
        for mut randomness in [Randomness::seeded([1; 32]), Randomness::system()] {
            assert_ne!(randomness.bytes::<16>().unwrap(), randomness.bytes::<16>().unwrap());
        }
    }
}
