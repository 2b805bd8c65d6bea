//! The terminal while the chat has it: raw, on its other screen, telling of mouse and pastes; set back in any case.

use std::io::{self, IsTerminal, Stdout, Write};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use ratatui::crossterm::execute;
use ratatui::crossterm::style::Print;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};

use super::draw::draw;
use super::layout::Size;
use super::model::Model;

/// Whether the terminal is the chat's now, and must be set back before anything else is written to it.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether a frame is being drawn: on a terminal that is set back meanwhile it would cover what is told there.
static IS_DRAWING: AtomicBool = AtomicBool::new(false);

/// So long at most the end of a frame is waited for: it may be what has panicked, or be stuck in a slow terminal.
const FRAME_LIMIT: Duration = Duration::from_millis(100);

/// How often it is looked whether a frame has ended.
const FRAME_GLANCE: Duration = Duration::from_millis(1);

/// Tells whether a person sits here at a terminal that a full-screen chat can be drawn on.
#[must_use]
pub fn suits_full_screen() -> bool {
    let is_dumb = || cfg!(unix) && std::env::var_os("TERM").is_none_or(|kind| kind.is_empty() || kind == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb()
}

/// The terminal, taken over; set back when dropped.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal over; from now on a panic sets it back before it is told of.
    ///
    /// # Errors
    /// Standard input or output is no terminal, or it cannot be written.
    pub(super) fn open() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                restore();
                before(info);
            }));
        });
        enable_raw_mode()?;
        IS_TAKEN.store(true, Ordering::SeqCst);
        let opened = || {
            execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste)?;
            let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
            terminal.clear()?;
            Ok(Self { terminal })
        };
        // Whatever of it has been done is undone.
        opened().inspect_err(|_| restore())
    }

    /// Returns how large the terminal is.
    pub(super) fn size() -> io::Result<Size> {
        let (columns, rows) = size()?;
        Ok(Size { columns, rows })
    }

    /// Draws what has changed, and rings where there is something to ring for; nothing once a panic has set the terminal
    /// back.
    pub(super) fn draw(&mut self, model: &mut Model) -> io::Result<()> {
        IS_DRAWING.store(true, Ordering::SeqCst);
        let drawn = if IS_TAKEN.load(Ordering::SeqCst) { self.draw_frame(model) } else { Ok(()) };
        IS_DRAWING.store(false, Ordering::SeqCst);
        drawn
    }

    fn draw_frame(&mut self, model: &mut Model) -> io::Result<()> {
        if model.take_clear() {
            self.terminal.clear()?;
        }
        self.terminal.draw(|frame| draw(frame, model))?;
        if model.take_bell() { execute!(io::stdout(), Print('\u{7}')) } else { Ok(()) }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Sets the terminal back to what it was, once.
fn restore() {
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let limit = Instant::now() + FRAME_LIMIT;
    while IS_DRAWING.load(Ordering::SeqCst) && Instant::now() < limit {
        thread::sleep(FRAME_GLANCE);
    }
    let mut out = io::stdout();
    let undone = execute!(out, DisableBracketedPaste, DisableMouseCapture, LeaveAlternateScreen, Show)
        .and_then(|()| out.flush())
        .and_then(|()| disable_raw_mode());
    if let Err(error) = undone {
        tracing::warn!(%error, "the terminal could not be set back");
    }
}
