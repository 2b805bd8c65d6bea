//! A signed export, as `muster verify` takes it: whatever the file says of itself, the report holds together.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use muster::engine::bundle::BundleReader;
use muster::engine::proof::{MAX_NAMED, Prover};

fuzz_target!(|bytes: &[u8]| {
    let Ok(reader) = BundleReader::new(Cursor::new(bytes)) else { return };
    let mut prover = Prover::default();
    let mut good = 0;
    for found in reader {
        let frame = prover.take(found.expect("bytes in memory are readable"));
        good += u64::from(frame.is_some());
    }
    let report = prover.finish();
    assert_eq!(report.good, good);
    assert!(report.faults.len() <= MAX_NAMED && report.holes.len() <= MAX_NAMED);
    assert!(!report.is_whole() || (report.bad, report.missing, report.lost) == (0, 0, Some(0)));
    let counted: u64 = report.shares.iter().map(|share| share.messages.count + share.receipts.count).sum();
    assert_eq!(counted, good);
});
