//! Telling authors apart.

/// Returns a number for a name, the same on every device, with no meaning but to tell names apart.
pub(super) fn author_number(name: &str) -> u32 {
    name.bytes().fold(0, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
}
