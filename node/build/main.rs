//! Tells the program its version and the commit that it was built from.

#![allow(clippy::print_stdout, reason = "how a build script talks to cargo")]

mod commit;

use std::env;
use std::path::Path;

use commit::{Checkout, short};

/// Names the commit where there is no checkout to look it up in, as in a container build that copies the sources alone.
const COMMIT_VAR: &str = "MUSTER_COMMIT";

fn main() {
    println!("cargo::rerun-if-env-changed={COMMIT_VAR}");
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let workspace = Path::new(&package).parent().unwrap_or(Path::new(".."));
    let given = env::var(COMMIT_VAR).ok().and_then(|commit| short(&commit));
    let commit = given.or_else(|| {
        let checkout = Checkout::find(workspace)?;
        checkout.moves_with().iter().for_each(|path| println!("cargo::rerun-if-changed={}", path.display()));
        checkout.commit().and_then(|commit| short(&commit))
    });
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = commit.map_or_else(|| version.clone(), |commit| format!("{version} ({commit})"));
    println!("cargo::rustc-env=MUSTER_VERSION={version}");
    // With this said, a change of any other file does not run this again.
    println!("cargo::rerun-if-changed=build");
}
