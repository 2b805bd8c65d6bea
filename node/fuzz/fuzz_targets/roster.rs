//! `roster.cbor` as a home holds it: what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_fuzz::now;
use muster_roles::Roster;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(roster) = Roster::decode(bytes, now()) {
        let again = Roster::decode(&roster.encode(), now()).expect("what was written is read");
        assert_eq!(again.digest(), roster.digest());
    }
});
