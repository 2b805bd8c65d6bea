//! The engine: what a node decides, with nothing of the world in it.
//!
//! Inputs and the time go in, effects come out. There is no clock, randomness, network or file in here, so the same
//! code runs under a node and under a simulator.

pub mod bundle;
pub mod change;
pub mod confirmed;
pub mod content;
pub mod delivery;
pub mod draft;
pub mod floors;
pub mod hello;
pub mod holes;
pub mod io;
pub mod join;
pub mod late;
pub mod matrix;
pub mod mention;
pub mod order;
pub mod policy;
pub mod presence;
pub mod proof;
pub mod readers;
pub mod recall;
pub mod receipts;
pub mod store;
pub mod sync;
pub mod time;
pub mod verify;
pub mod view;
pub mod wire;

mod carried;
mod held;
mod outbox;
mod recent;
mod runs;
mod seal;
mod state;
mod strict;
mod unsent;

pub use content::MAX_TEXT_LEN;
pub use state::{Boot, State};
pub use unsent::MAX_UNSENT;
