//! Screens: how a person or a script talks to the node.
//!
//! A screen knows the node by [`control`](crate::control) alone. [`commands`] understands what is typed, and `wording` says
//! what is told, for both screens. [`run_full`] is the full-screen chat of a person at a terminal; [`run_plain`] is lines in
//! and lines out, for pipes, scripts and terminals that can do no more: `chat` is its state, purely, and `session` the loop
//! around it.

pub mod commands;

mod author;
mod chat;
mod deliveries;
mod numbers;
mod orders;
mod plain;
mod printed;
mod session;
mod shown;
mod tui;
mod wording;

#[cfg(test)]
mod sample;

pub use plain::{run_json, run_plain};
pub use session::Tells;
pub use tui::{Drawing, run_full, suits_full_screen};
