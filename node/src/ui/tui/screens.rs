//! Whole screens, as literally as a terminal shows them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod help;
mod orders;
mod reading;
mod scene;
mod sizes;
mod typing;
mod urgent;
mod who;
