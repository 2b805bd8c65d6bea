//! How a connection whose other end is gone is found out.
//!
//! A device that is out of reach says nothing more, and a connection does not end by itself. What asks is what costs least: the
//! system where it can, for its question wakes neither process. It cannot tell whether the process at the other end still does
//! its work; that is asked too, more rarely.

use std::io;
use std::time::Duration;

use libp2p::tcp::tokio::TcpStream;
use socket2::{SockRef, TcpKeepalive};

/// How long the other end may be silent until it is taken for gone.
pub(super) const SILENCE_LIMIT: Duration = Duration::from_secs(20);

/// After so much silence the other end is asked for a sign of life: twice until it is taken for gone.
pub(super) const QUIET: Duration = Duration::from_secs(8);

/// How long the system waits until it asks again.
const ASKED_AGAIN: Duration = Duration::from_secs(6);

/// How often the system asks before it gives up.
const ASKED: u32 = 2;

/// How often a member's process is asked for a sign of life.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(60);

/// How long it may take to give it.
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Has the system end a TCP connection whose other end is silent: when it is asked (keepalive, RFC 9293 §3.8.4), and when it does
/// not confirm what was sent (RFC 5482), where the system can do that.
pub(super) fn watch(connection: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(&connection.0);
    let keepalive = TcpKeepalive::new().with_time(QUIET).with_interval(ASKED_AGAIN).with_retries(ASKED);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "android", target_os = "linux"))]
    socket.set_tcp_user_timeout(Some(SILENCE_LIMIT))?;
    Ok(())
}
