//! Who may write to the terminal: the editor while it is between two prompts, the printer while one is shown.
//!
//! rustyline's printer writes straight to the terminal when no prompt is shown, which would end up in the middle of
//! the next prompt if that appeared just then. So the printer waits at this turnstile until the prompt stands.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the editor waits for a print that began before the turnstile closed: one that takes longer is waiting for the
/// next prompt, and will be shown by it.
const PRINT_LIMIT: Duration = Duration::from_millis(20);

/// What the editor is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing may be printed: the next prompt is on its way.
    #[default]
    Between,
    /// A prompt stands, and the editor makes room above it for what is printed.
    Prompting,
    /// There will be no prompt any more.
    Ended,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    is_printing: bool,
    is_closing: bool,
}

/// The turnstile between the printer and the editor.
#[derive(Debug, Default)]
pub(super) struct Turnstile {
    state: Mutex<State>,
    turned: Condvar,
}

impl Turnstile {
    /// Prints when it is time to: through the editor where a prompt stands, else straight to the terminal.
    pub(super) fn print(
        &self,
        above_prompt: impl FnOnce() -> io::Result<()>,
        straight: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let waiting = self.turned.wait_while(self.lock(), |state| state.phase == Phase::Between);
        let mut state = waiting.unwrap_or_else(PoisonError::into_inner);
        let is_prompting = state.phase == Phase::Prompting;
        state.is_printing = true;
        drop(state);
        // The editor may end while it is being handed a line; nobody has shown that line then.
        let result = if is_prompting { above_prompt().or_else(|_ended| straight()) } else { straight() };
        self.lock().is_printing = false;
        self.turned.notify_all();
        result
    }

    /// The prompt stands now; called by the editor once the terminal is its own.
    pub(super) fn open(&self) {
        let mut state = self.lock();
        state.phase = Phase::Prompting;
        if state.is_closing {
            interrupt();
        }
        drop(state);
        self.turned.notify_all();
    }

    /// The prompt is gone; returns when no print that began before is still on its way to the terminal.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.phase = Phase::Between;
        // Whether it ended in time or waits for the next prompt, it does not touch the terminal now.
        drop(self.turned.wait_timeout_while(state, PRINT_LIMIT, |state| state.is_printing));
    }

    /// There will be no prompt any more.
    pub(super) fn end(&self) {
        self.lock().phase = Phase::Ended;
        self.turned.notify_all();
    }

    /// Makes the editor give up the prompt that stands, or the next one as soon as it does.
    pub(super) fn give_up_prompt(&self) {
        let mut state = self.lock();
        state.is_closing = true;
        if state.phase == Phase::Prompting {
            interrupt();
        }
    }

    /// Tells whether the editor is to end.
    pub(super) fn is_closing(&self) -> bool {
        self.lock().is_closing
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends this process the signal that rustyline ends a prompt by; only while a prompt stands is it rustyline's to take.
#[cfg(target_os = "linux")]
fn interrupt() {
    use nix::sys::signal::{Signal, raise};
    if let Err(error) = raise(Signal::SIGINT) {
        tracing::warn!(%error, "the prompt could not be ended");
    }
}

/// Nothing ends a prompt from outside here: the terminal is as the prompt left it when the process ends.
#[cfg(not(target_os = "linux"))]
fn interrupt() {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    use super::*;

    /// Prints through the turnstile in a thread of its own; what comes says by which way.
    fn print_in_thread(turnstile: &Arc<Turnstile>) -> Receiver<&'static str> {
        let (tx, rx) = channel();
        let (turnstile, straight) = (turnstile.clone(), tx.clone());
        thread::spawn(move || {
            let by = |way: &'static str, to: std::sync::mpsc::Sender<_>| move || to.send(way).map_err(io::Error::other);
            turnstile.print(by("above", tx), by("straight", straight))
        });
        rx
    }

    #[test]
    fn a_print_waits_for_the_prompt() {
        let turnstile = Arc::new(Turnstile::default());
        let way = print_in_thread(&turnstile);
        assert!(way.try_recv().is_err());
        turnstile.open();
        assert_eq!(way.recv().unwrap(), "above");
    }

    #[test]
    fn without_a_prompt_to_come_it_is_printed_straight() {
        let turnstile = Arc::new(Turnstile::default());
        let way = print_in_thread(&turnstile);
        turnstile.end();
        assert_eq!(way.recv().unwrap(), "straight");
    }

    #[test]
    fn what_an_ended_editor_did_not_take_is_printed_straight() {
        let turnstile = Turnstile::default();
        turnstile.open();
        let mut printed = false;
        let straight = || {
            printed = true;
            Ok(())
        };
        turnstile.print(|| Err(io::Error::other("the editor has ended")), straight).unwrap();
        assert!(printed);
    }

    #[test]
    fn closing_waits_for_a_print_under_way_but_not_for_one_that_waits_for_a_prompt() {
        let turnstile = Arc::new(Turnstile::default());
        turnstile.open();
        let (started_tx, started) = channel();
        let (finish, finish_rx) = channel::<()>();
        let printer = thread::spawn({
            let turnstile = turnstile.clone();
            move || {
                let wait = || {
                    started_tx.send(()).map_err(io::Error::other)?;
                    finish_rx.recv().map_err(io::Error::other)
                };
                turnstile.print(wait, || Ok(()))
            }
        });
        started.recv().unwrap();
        turnstile.close();
        finish.send(()).unwrap();
        printer.join().unwrap().unwrap();
    }
}
