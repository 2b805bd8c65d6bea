//! Muster: peer-to-peer mesh chat for units that must keep talking with no server.
//!
//! [`engine`] is pure and builds by itself with `--no-default-features`. Everything else stands around it:
//! `control` (what a node and its screens say to each other), `net` (the mesh), `disk` (the store), `ui` (screens), joined
//! by `driver` and started by `cli`.

pub mod engine;

#[cfg(all(feature = "node", unix))]
pub mod api;
#[cfg(feature = "node")]
pub mod bundle;
#[cfg(feature = "node")]
pub mod cli;
#[cfg(feature = "node")]
pub mod config;
#[cfg(feature = "node")]
pub mod control;
#[cfg(feature = "node")]
pub mod demo;
#[cfg(feature = "node")]
pub mod disk;
#[cfg(feature = "node")]
pub mod doctor;
#[cfg(feature = "node")]
pub mod driver;
#[cfg(feature = "node")]
pub mod error;
#[cfg(feature = "node")]
pub mod export;
#[cfg(feature = "node")]
pub mod home;
#[cfg(feature = "node")]
pub mod log;
#[cfg(feature = "node")]
pub mod net;
#[cfg(feature = "node")]
pub mod new_file;
#[cfg(feature = "node")]
mod ticks;
#[cfg(feature = "node")]
pub mod ui;
#[cfg(feature = "node")]
mod yielding;
