//! The control socket: HTTP/1.1 and JSON over a Unix socket in the home, for screens, commands and scripts.
//!
//! What can be asked stands in `docs/api.md`. The server knows the node by [`control`](crate::control) alone.

mod client;
mod events;
mod impatient;
mod reply;
mod routes;
mod server;
mod socket;

pub use client::{Client, ClientError, Exported, Heard, Hearing};
pub use server::serve;
pub use socket::{Listener, SocketError};

/// The longest body of a request, in bytes: the longest message, escaped in the most wordy way, fits twice.
const MAX_BODY_LEN: usize = 64 * 1024;

/// The longest body of a change to the roster, in bytes: the documents of a unit of thousands.
const MAX_CHANGE_LEN: usize = 4 * 1024 * 1024;
