//! Screens: how a person or a script talks to the node.
//!
//! A screen knows the node by [`control`](crate::control) alone. [`commands`] understands what is typed; `chat` keeps the
//! state both screens share, purely; `session` is the loop around it; [`run_plain`] and [`run_line`] are the two screens.

pub mod commands;

mod author;
mod chat;
mod editor;
mod line;
mod plain;
mod printed;
mod session;
mod shown;
mod terminal;
mod tui;
mod turnstile;
mod wording;

#[cfg(test)]
mod sample;

pub use line::run_line;
pub use plain::run_plain;
pub use tui::{Drawing, run_full, suits_full_screen};
