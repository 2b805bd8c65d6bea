//! The line editor: rustyline in a thread of its own, which asks for a prompt, reads a line, and hands it on.

use std::borrow::Cow;
use std::cell::Cell;
use std::io;
use std::sync::Arc;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{ColorMode, Config, Editor, ExternalPrinter, Helper};
use tokio::sync::{mpsc, oneshot};

use super::session::Entry;
use super::terminal::Quiet;
use super::turnstile::Turnstile;

/// What prints above the prompt.
pub(super) type AbovePrompt = Box<dyn ExternalPrinter + Send>;

/// The editor and what it tells about itself.
pub(super) struct LineEditor {
    editor: Editor<Screen, MemHistory>,
    quiet: Quiet,
    turnstile: Arc<Turnstile>,
    /// Whether the last thing typed was Ctrl-C on an empty line.
    is_warned: bool,
}

/// What one prompt brought.
enum Typed {
    Lines(String),
    Nothing,
    Warning,
    End,
}

impl LineEditor {
    /// Prepares the terminal for line editing, and what prints above the prompt.
    ///
    /// # Errors
    /// Standard input or output is no terminal, or one that cannot move its cursor.
    pub(super) fn new(turnstile: Arc<Turnstile>) -> io::Result<(Self, AbovePrompt)> {
        // The highlighter is what opens the turnstile and takes the line away after Enter, so it runs without colours too.
        let config = Config::builder().color_mode(ColorMode::Forced).build();
        let history = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, history).map_err(io::Error::other)?;
        let printer = editor.create_external_printer().map_err(io::Error::other)?;
        editor.set_helper(Some(Screen::new(turnstile.clone())));
        Ok((Self { editor, quiet: Quiet::new()?, turnstile, is_warned: false }, Box::new(printer)))
    }

    /// Reads until the person leaves or nobody takes what is typed.
    pub(super) fn run(mut self, entries: &mpsc::Sender<Entry>) {
        while let Some(prompt) = ask_prompt(entries) {
            let typed = self.read(&prompt);
            self.turnstile.close();
            let is_taken = match typed {
                // Pasted text may hold several lines; each is one as if it had been typed.
                Typed::Lines(text) => {
                    text.lines().all(|line| entries.blocking_send(Entry::Line(line.to_owned())).is_ok())
                }
                Typed::Warning => entries.blocking_send(Entry::Interrupted).is_ok(),
                Typed::Nothing => true,
                Typed::End => break,
            };
            if !is_taken {
                break;
            }
        }
        // Lets go of the terminal before the printer writes to it by itself.
        drop((self.editor, self.quiet));
        self.turnstile.end();
    }

    fn read(&mut self, prompt: &str) -> Typed {
        let was_warned = std::mem::take(&mut self.is_warned);
        match self.editor.readline(prompt) {
            Ok(text) => {
                if let Err(error) = self.editor.add_history_entry(text.as_str()) {
                    tracing::debug!(%error, "a line is not in the history");
                }
                Typed::Lines(text)
            }
            Err(ReadlineError::Interrupted) if self.turnstile.is_closing() => Typed::End,
            Err(ReadlineError::Interrupted) if !self.is_line_empty() => Typed::Nothing,
            Err(ReadlineError::Interrupted) if was_warned => Typed::End,
            Err(ReadlineError::Interrupted) => {
                self.is_warned = true;
                Typed::Warning
            }
            Err(ReadlineError::Eof) => Typed::End,
            Err(error) => {
                tracing::warn!(%error, "the terminal cannot be read");
                Typed::End
            }
        }
    }

    fn is_line_empty(&self) -> bool {
        self.editor.helper().is_some_and(|screen| screen.is_line_empty.get())
    }
}

/// Asks for the prompt that follows from everything typed so far; `None` once nothing more is taken.
fn ask_prompt(entries: &mpsc::Sender<Entry>) -> Option<String> {
    let (wanted, prompt) = oneshot::channel();
    entries.blocking_send(Entry::Prompt(wanted)).ok()?;
    prompt.blocking_recv().ok()
}

/// Follows what rustyline draws.
///
/// A line is taken off the screen once it has been entered, as the message itself will appear when it is stored. This
/// is done by rustyline's own last drawing of it: after [`Validator::validate`] everything is drawn as nothing, over a
/// message that counts as one more row, and the line break that follows brings the cursor to where the prompt began.
struct Screen {
    turnstile: Arc<Turnstile>,
    is_entered: Cell<bool>,
    is_line_empty: Cell<bool>,
}

impl Screen {
    fn new(turnstile: Arc<Turnstile>) -> Self {
        Self { turnstile, is_entered: Cell::new(false), is_line_empty: Cell::new(true) }
    }

    fn unless_entered<'a>(&self, text: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(if self.is_entered.get() { "" } else { text })
    }
}

impl Highlighter for Screen {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        self.unless_entered(line)
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        if !self.is_entered.get() {
            self.turnstile.open();
        }
        self.unless_entered(prompt)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        self.unless_entered(hint)
    }

    /// Called at each change of the line; asks for no drawing beyond rustyline's own.
    fn highlight_char(&self, line: &str, _pos: usize, kind: CmdKind) -> bool {
        if kind != CmdKind::ForcedRefresh {
            self.is_entered.set(false);
            self.is_line_empty.set(line.is_empty());
        }
        false
    }
}

impl Validator for Screen {
    fn validate(&self, _: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        self.is_entered.set(true);
        Ok(ValidationResult::Valid(Some("\n".to_owned())))
    }
}

impl Completer for Screen {
    type Candidate = String;
}

impl Hinter for Screen {
    type Hint = String;
}

impl Helper for Screen {}
