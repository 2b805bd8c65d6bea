//! The commands that work on a home folder, run as a person runs them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod authority;
#[cfg(target_os = "linux")]
mod doctor;
mod ground;
mod key_files;
mod manual;
mod members;
mod raising;
mod rosters;
mod settings;
#[cfg(target_os = "linux")]
mod terminal;
mod units;
mod wiping;
