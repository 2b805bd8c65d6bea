//! Writes a corpus of sound input: `cargo run --bin seeds -- FOLDER`.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("usage: seeds FOLDER")?;
    muster_fuzz::seeds::write(Path::new(&folder))
}
