//! A home's `muster.toml`: whatever stands in it, every entry and every mistake has a line of the file.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// The file's reader itself: all of the node around it would be built for the fuzzer too, if it were not taken alone.
#[path = "../../src/config/file.rs"]
#[allow(dead_code, reason = "the target reads a text, not a file")]
mod file;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = file::ConfigFile::parse(text);
    let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    for entry in &read.entries {
        assert!((1..=lines).contains(&entry.line), "{entry:?} of {lines} lines");
        assert!(!entry.value.describe().contains(char::is_control), "what is shown of it is one plain line");
        assert!(read.mistakes.iter().all(|mistake| mistake.line != entry.line), "a broken line says nothing");
    }
    assert!(read.mistakes.iter().all(|mistake| (1..=lines).contains(&mistake.line)));
});
