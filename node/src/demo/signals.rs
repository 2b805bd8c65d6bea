//! The signals by which a person or the system ends the demo.

use std::io;
use std::thread;

/// Calls `end` once when the process is told to end, by Ctrl-C, a closed terminal, or the system.
///
/// # Errors
/// When the signals cannot be caught.
#[cfg(unix)]
pub(super) fn on_end(end: impl FnOnce() + Send + 'static) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate, mut hang_up) = {
        // Caught from here on, not only once the thread has come to it.
        let _context = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?)
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
        });
        end();
    })?;
    Ok(())
}

/// See above; here Ctrl-C is the only one.
#[cfg(not(unix))]
pub(super) fn on_end(end: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        // Where it cannot be caught it ends the process by itself, and the nodes' input with it.
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            end();
        }
    })?;
    Ok(())
}
