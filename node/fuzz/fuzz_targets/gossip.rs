//! A gossip message: a bounded list of records that encodes to the very bytes it came as.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster::engine::wire::{decode_batch, encode_batch};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frames) = decode_batch(bytes) {
        let records: Vec<_> = frames.iter().map(|frame| frame.bytes().clone()).collect();
        assert_eq!(encode_batch(&records), bytes);
    }
});
