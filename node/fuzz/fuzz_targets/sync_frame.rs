//! A frame of a sync stream: bounded, and in its one encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster::engine::sync::Frame;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = Frame::decode(bytes) {
        assert_eq!(frame.encode(), bytes);
    }
});
