//! What comes over the control socket: a request in JSON is refused, or means the same when it is written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_fuzz::control::{Change, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn means_the_same<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(asked) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_vec(&asked).expect("what was read can be written");
        assert_eq!(serde_json::from_slice::<T>(&written).expect("and be read again"), asked);
    }
}

fuzz_target!(|bytes: &[u8]| {
    means_the_same::<Request>(bytes);
    means_the_same::<Change>(bytes);
});
