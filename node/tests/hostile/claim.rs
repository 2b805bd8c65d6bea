//! What is claimed of a node under an attack, and what was found.

/// A bound, and what was measured.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// What is bounded, and by how much.
    pub(crate) bound: String,
    /// What was found.
    pub(crate) measured: String,
    pub(crate) holds: bool,
}

impl Claim {
    /// Something is no more than so much.
    pub(crate) fn at_most(what: &str, most: usize, found: usize) -> Self {
        Self { bound: format!("{what} ≤ {most}"), measured: found.to_string(), holds: found <= most }
    }

    /// Something is no less than so much.
    pub(crate) fn at_least(what: &str, least: usize, found: usize) -> Self {
        Self { bound: format!("{what} ≥ {least}"), measured: found.to_string(), holds: found >= least }
    }

    /// Something is so.
    pub(crate) fn so(what: &str, holds: bool) -> Self {
        Self { bound: what.to_owned(), measured: if holds { "so" } else { "not so" }.to_owned(), holds }
    }
}
