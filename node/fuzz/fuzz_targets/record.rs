//! A record as it travels: decoded strictly, in its one encoding, and kept byte for byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster::engine::verify::{Roots, Verified};
use muster::engine::wire::Frame;
use muster_roles::UnitId;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = Frame::decode(bytes) {
        assert_eq!(&**frame.bytes(), bytes);
        let unit = frame.header().unit;
        // Whatever it says, only a true signature of its own author lets it through.
        let _judged = Verified::check(frame.clone(), unit, &mut Roots::default());
        assert!(Verified::check(frame, UnitId::from_bytes([0xa5; 16]), &mut Roots::default()).is_err());
    }
});
