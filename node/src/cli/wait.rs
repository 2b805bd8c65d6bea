//! How long a command waits, as it is given on the command line.

/// A span of time to wait, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait(u64);

/// Why a text is no span of time to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number and s or m, such as 5s or 2m, 10m at most")]
pub(super) struct WaitError;

impl Wait {
    /// Longer than that nobody waits at a prompt, and the node neither.
    const MAX_MS: u64 = 10 * 60 * 1000;

    /// Returns the span in milliseconds.
    pub(super) const fn ms(self) -> u64 {
        self.0
    }
}

impl std::str::FromStr for Wait {
    type Err = WaitError;

    fn from_str(text: &str) -> Result<Self, WaitError> {
        let (digits, unit_ms) = text
            .strip_suffix('s')
            .map(|digits| (digits, 1000))
            .or_else(|| text.strip_suffix('m').map(|digits| (digits, 60_000)))
            .ok_or(WaitError)?;
        // `parse` would take a sign too.
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(WaitError);
        }
        let count = digits.parse::<u64>().map_err(|_| WaitError)?;
        count.checked_mul(unit_ms).filter(|ms| (1..=Self::MAX_MS).contains(ms)).map(Self).ok_or(WaitError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_or_minutes_and_bounded() {
        assert_eq!("5s".parse(), Ok(Wait(5000)));
        assert_eq!("10m".parse(), Ok(Wait(600_000)));
        for text in ["", "5", "s", "0s", "-5s", "+5s", "5h", "11m", "99999999999999999999s"] {
            assert_eq!(text.parse::<Wait>(), Err(WaitError), "{text:?}");
        }
    }
}
