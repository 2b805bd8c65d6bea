//! The screen for scripts and pipes: lines in, lines out, each flushed as soon as it is there.
//!
//! A line in is a message to the open group or a command, as in the chat at a terminal. A line out is one of:
//!
//! | line | what it is |
//! |---|---|
//! | `[army] Army1: text` | a message, and nothing but a message starts with `[` |
//! | `[army] Army3 (me): text` | this member's own message, printed once it is stored; with ` (waiting)` behind it while nobody else has it |
//! | `-- sent: 1 message that waited` | somebody has it now |
//! | `-- carried by Base: “text”` | it waited, and is now with members who pass it on and cannot read it |
//! | `-- all have “text”` | everybody who may read it has it; several that are known of together are counted in one line |
//! | `-- 2 messages while you were away` | the messages that follow came late; they are in the order of their times |
//! | `-- 2 new in heads` | messages of a group that is not open came late |
//! | `-- unread --` | what follows has not been shown before |
//! | `-- 2 messages from Army1 are not here yet` | by Army1's own count; that they have come is said too |
//! | `-- refused: reason` | a line in could not be posted or done; `-- hint: …` may follow |
//! | `-- anything else` | answers to commands, and news such as `-- 2 members in reach` |

use std::io::{self, BufRead, Read, Write};
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::printed::Look;
use super::session::{ENTRY_QUEUE_LEN, Entry, LINE_QUEUE_LEN, Ports, Session, Tells};
use crate::control::{Ask, Event};

/// The longest line read as one: far beyond what a message may hold, so that the node says what is too long.
const MAX_LINE_LEN: usize = 64 * 1024;

/// How long a reader of the output may take for the last lines.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(5);

/// Talks to the node over standard input and output until the input ends, or with `stay` until the node closes.
///
/// # Errors
/// The output could not be written; that nobody reads it any more is no error but a way to leave.
pub async fn run_plain(asks: mpsc::Sender<Ask>, events: mpsc::Receiver<Event>, stay: bool) -> io::Result<()> {
    run(Look::Plain, asks, events, stay).await
}

/// Does the same, and writes JSON: what the node tells as it tells it, an object a line.
///
/// # Errors
/// As [`run_plain`].
pub async fn run_json<E: Tells>(asks: mpsc::Sender<Ask>, events: mpsc::Receiver<E>, stay: bool) -> io::Result<()> {
    run(Look::Json, asks, events, stay).await
}

async fn run<E: Tells>(look: Look, asks: mpsc::Sender<Ask>, events: mpsc::Receiver<E>, stay: bool) -> io::Result<()> {
    let (entry_tx, entries) = mpsc::channel(ENTRY_QUEUE_LEN);
    let (lines, line_rx) = mpsc::channel(LINE_QUEUE_LEN);
    // Not joined: it ends with the input, which may be never.
    thread::Builder::new().name("plain-input".to_owned()).spawn(move || read_entries(io::stdin().lock(), &entry_tx))?;
    let (done_tx, done) = oneshot::channel();
    thread::Builder::new().name("plain-output".to_owned()).spawn(move || {
        // Fails only where the wait for it is over.
        let _unwanted = done_tx.send(write_lines(line_rx, io::stdout().lock()));
    })?;
    Session::new(look, stay).run(Ports { asks, events, entries, lines }).await;
    match timeout(LAST_LINES_LIMIT, done).await {
        Ok(Ok(Err(error))) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Reads lines until the input ends or nobody takes them any more.
fn read_entries(mut input: impl BufRead, entries: &mpsc::Sender<Entry>) {
    while let Ok(Some(entry)) = read_entry(&mut input) {
        if entries.blocking_send(entry).is_err() {
            return;
        }
    }
}

/// Reads one line, holding at most [`MAX_LINE_LEN`] bytes of it; `None` at the end of input.
fn read_entry(input: &mut impl BufRead) -> io::Result<Option<Entry>> {
    let mut line = Vec::new();
    let limit = MAX_LINE_LEN as u64 + 1;
    if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() > MAX_LINE_LEN && line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
        return Ok(Some(Entry::Unusable(format!("the line is longer than {MAX_LINE_LEN} bytes"))));
    }
    let entry = match String::from_utf8(line) {
        Ok(line) => Entry::Line(line),
        Err(_) => Entry::Unusable("the line is not UTF-8 text".to_owned()),
    };
    Ok(Some(entry))
}

/// Writes lines as they come, flushing whenever none is waiting.
fn write_lines(mut lines: mpsc::Receiver<String>, mut output: impl Write) -> io::Result<()> {
    let mut batch = Vec::new();
    while lines.blocking_recv_many(&mut batch, LINE_QUEUE_LEN) > 0 {
        for line in batch.drain(..) {
            writeln!(output, "{line}")?;
        }
        output.flush()?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Reads all entries of an input, each as `line:` or `refused:` and its text.
    fn entries(mut input: &[u8]) -> Vec<String> {
        let describe = |entry| match entry {
            Entry::Line(line) => format!("line:{line}"),
            Entry::Unusable(reason) => format!("refused:{reason}"),
        };
        std::iter::from_fn(|| read_entry(&mut input).unwrap()).map(describe).collect()
    }

    #[test]
    fn lines_are_read_to_the_end_with_or_without_a_last_line_break() {
        assert_eq!(entries(b"one\ntwo\r\n\nthree"), ["line:one\n", "line:two\r\n", "line:\n", "line:three"]);
        assert!(entries(b"").is_empty());
    }

    #[test]
    fn a_line_that_is_not_utf8_is_refused_and_the_next_one_read() {
        assert_eq!(entries(b"\xff\xfe\nhello\n"), ["refused:the line is not UTF-8 text", "line:hello\n"]);
    }

    #[test]
    fn an_endless_line_is_refused_without_being_held() {
        let mut input = vec![b'x'; 3 * MAX_LINE_LEN];
        input.extend(b"\nhello\n");
        assert_eq!(entries(&input), ["refused:the line is longer than 65536 bytes", "line:hello\n"]);
    }

    #[test]
    fn the_longest_line_is_read_whole() {
        let mut input = vec![b'x'; MAX_LINE_LEN];
        input.push(b'\n');
        assert_eq!(entries(&input).first().map(String::len), Some("line:".len() + input.len()));
    }

    /// An output that counts what it was given and how often it was flushed.
    #[derive(Default)]
    struct Counting {
        text: Vec<u8>,
        flushed_len: usize,
    }

    impl Write for &mut Counting {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.text.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.flushed_len = self.text.len();
            Ok(())
        }
    }

    #[test]
    fn every_line_written_is_flushed() {
        let (tx, rx) = mpsc::channel(LINE_QUEUE_LEN);
        for line in ["one", "two"] {
            tx.try_send(line.to_owned()).unwrap();
        }
        drop(tx);
        let mut output = Counting::default();
        write_lines(rx, &mut output).unwrap();
        assert_eq!(output.text, b"one\ntwo\n");
        assert_eq!(output.flushed_len, output.text.len());
    }
}
