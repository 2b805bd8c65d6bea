//! The screen for a person at a terminal: lines are edited at a prompt, and what arrives appears above it.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::editor::{AbovePrompt, LineEditor};
use super::plain::run_plain;
use super::printed::{Colours, Look};
use super::session::{ENTRY_QUEUE_LEN, LINE_QUEUE_LEN, Ports, Session};
use super::turnstile::Turnstile;
use crate::control::{Ask, Event};

/// How long the terminal may take to come to rest at the end.
const REST_LIMIT: Duration = Duration::from_secs(2);

/// Talks to the node at the terminal until the person leaves or the node closes; in plain mode where there is none.
///
/// # Errors
/// The screen's threads could not be started, or the terminal could not be written.
pub async fn run_line(asks: mpsc::Sender<Ask>, events: mpsc::Receiver<Event>) -> io::Result<()> {
    let turnstile = Arc::new(Turnstile::default());
    let (editor, above_prompt) = match LineEditor::new(turnstile.clone()) {
        Ok(ready) => ready,
        Err(error) => {
            tracing::info!(%error, "no line editing here");
            return run_plain(asks, events, false).await;
        }
    };
    let (entry_tx, entries) = mpsc::channel(ENTRY_QUEUE_LEN);
    let (lines, line_rx) = mpsc::channel(LINE_QUEUE_LEN);
    let edited = in_thread("line-editor", move || editor.run(&entry_tx))?;
    let printed = in_thread("line-printer", {
        let turnstile = turnstile.clone();
        move || print_lines(line_rx, above_prompt, &turnstile)
    })?;
    let look = Look::Terminal(Colours::from_env());
    Session::new(look, false).run(Ports { asks, events, entries, lines }).await;
    turnstile.give_up_prompt();
    let _rested = timeout(REST_LIMIT, edited).await;
    match timeout(REST_LIMIT, printed).await {
        Ok(Ok(result)) => result,
        _ => Ok(()),
    }
}

/// Runs something in a thread of its own; what it returns comes when it has ended.
fn in_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (done, result) = oneshot::channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Fails only where nobody waits for it any more.
        let _unwanted = done.send(work());
    })?;
    Ok(result)
}

/// Prints lines as they come, all that wait at once.
fn print_lines(
    mut lines: mpsc::Receiver<String>,
    mut above_prompt: AbovePrompt,
    turnstile: &Turnstile,
) -> io::Result<()> {
    let mut batch = Vec::new();
    while lines.blocking_recv_many(&mut batch, LINE_QUEUE_LEN) > 0 {
        let text: String = batch.drain(..).flat_map(|line| [line, "\n".to_owned()]).collect();
        let straight = || {
            let mut terminal = io::stdout().lock();
            terminal.write_all(text.as_bytes())?;
            terminal.flush()
        };
        turnstile.print(|| above_prompt.print(text.clone()).map_err(io::Error::other), straight)?;
    }
    Ok(())
}
