//! Systems of which nobody has told yet how they tell of these things.

use std::path::Path;

use super::facts::{Firewall, Interface};

pub(super) fn interfaces() -> Option<Vec<Interface>> {
    None
}

pub(super) fn container() -> Option<&'static str> {
    None
}

pub(super) fn firewall() -> Firewall {
    Firewall::default()
}

pub(super) fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}

pub(super) fn is_own(_path: &Path) -> bool {
    true
}
