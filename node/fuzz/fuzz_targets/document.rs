//! A charter or a sheet from a stranger: a roster that refuses it is the roster it was.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster_fuzz::{ground, now};
use muster_roles::Roster;

static ROSTER: LazyLock<Roster> = LazyLock::new(ground::roster);

fuzz_target!(|bytes: &[u8]| {
    let mut roster = ROSTER.clone();
    if roster.accept(bytes, now()).is_err() {
        assert_eq!(roster.digest(), ROSTER.digest());
    }
    let _founded = Roster::from_documents([bytes], now());
});
