//! What two nodes say before either trusts the other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster::engine::hello::{Request, Response};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = Request::decode(bytes) {
        assert_eq!(request.encode(), bytes);
    }
    if let Ok(response) = Response::decode(bytes) {
        assert_eq!(response.encode(), bytes);
    }
});
