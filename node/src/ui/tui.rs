//! The full-screen chat: groups, messages and members side by side, for a person at a terminal.
//!
//! `model` is the state: pure, changed by what the node tells and by keys. `draw` makes a screen of it, at the cost of
//! what is seen. What is here is the loop that joins them with a terminal and a node.

mod band;
mod bell;
mod completion;
mod draw;
mod drawing;
mod editor;
mod keymap;
mod layout;
mod model;
mod palette;
mod rows;
mod search;
mod terminal;
mod timeline;
mod typed;
mod unread;
mod window;
mod wrap;

#[cfg(test)]
mod screens;

pub use drawing::Drawing;
pub use terminal::suits_full_screen;

use std::io;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use jiff::tz::TimeZone;
use ratatui::crossterm::event::{Event as Typed, EventStream, MouseEventKind};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use self::bell::Bell;
use self::layout::Size;
use self::model::{Model, Stay};
use self::palette::Palette;
use self::terminal::Screen;
use super::session::{LEAVE_LIMIT, SILENCE_LIMIT};
use crate::control::{Ask, Event, SCREEN_QUEUE_LEN};

/// How often the screen is drawn though nothing has happened, as ages are shown in minutes.
const MINUTE: Duration = Duration::from_secs(60);

/// How often it is asked anew who has the message that is looked at: that others have read it comes without news.
const LOOK_SPACING: Duration = Duration::from_secs(5);

/// How long a terminal that does not take what is written to it may hold up the end.
const REST_LIMIT: Duration = Duration::from_secs(2);

/// Talks to the node at the terminal until the person leaves or the node closes; with `bell`, what is urgent rings.
///
/// # Errors
/// The terminal could not be taken over, read or written.
pub async fn run_full(requests: mpsc::Sender<Ask>, events: mpsc::Receiver<Event>, bell: bool) -> io::Result<()> {
    let (done_tx, done) = oneshot::channel();
    let node = requests.clone();
    // A thread of its own: a terminal that is slow to take what is written holds up nothing but itself.
    thread::Builder::new().name("screen".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let result = runtime.and_then(|runtime| runtime.block_on(run(requests, events, Bell::new(bell))));
        // Fails only where the wait for it is over.
        let _unwanted = done_tx.send(result);
    })?;
    let stuck = async {
        node.closed().await;
        sleep(REST_LIMIT).await;
    };
    tokio::select! {
        result = done => result.unwrap_or_else(|_| Err(io::Error::other("the screen's thread has failed"))),
        () = stuck => Ok(()),
    }
}

async fn run(requests: mpsc::Sender<Ask>, mut events: mpsc::Receiver<Event>, bell: Bell) -> io::Result<()> {
    let mut screen = Screen::open()?;
    let mut typed = EventStream::new();
    let mut model = Model::new(Screen::size()?, TimeZone::system(), Palette::from_env(), bell);
    let mut told = Vec::with_capacity(SCREEN_QUEUE_LEN);
    let mut minute = interval(MINUTE);
    minute.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut look = interval(LOOK_SPACING);
    look.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut left: Option<Instant> = None;
    let mut is_changed = true;
    loop {
        model.now_ms = now_ms();
        model.note_read();
        if is_changed {
            screen.draw(&mut model)?;
        }
        match model.stay {
            Stay::Here => {}
            Stay::Leaving | Stay::Waiting => left = left.or_else(|| Some(Instant::now())),
            Stay::Gone => return Ok(()),
        }
        is_changed = true;
        tokio::select! {
            biased;
            event = typed.next() => match event {
                Some(Ok(event)) => is_changed = on_typed(&mut model, event),
                Some(Err(error)) => {
                    tracing::info!(%error, "the terminal cannot be read any more");
                    model.on_unseen();
                }
                None => model.on_unseen(),
            },
            slot = requests.reserve(), if model.has_asks() => {
                is_changed = false;
                if let (Ok(slot), Some(ask)) = (slot, model.next_ask()) {
                    slot.send(ask);
                }
            }
            count = events.recv_many(&mut told, SCREEN_QUEUE_LEN) => match count {
                0 => model.on_event(Event::Closed),
                _ => told.drain(..).for_each(|event| model.on_event(event)),
            },
            () = until(left, SILENCE_LIMIT), if model.stay == Stay::Leaving => model.on_long_leave(),
            () = until(left, LEAVE_LIMIT) => return Ok(()),
            _ = look.tick(), if model.looks_who() => {
                is_changed = false;
                model.look_again();
            }
            _ = minute.tick() => {}
        }
    }
}

/// Does what a key, the mouse, a paste or another size of the terminal is for; tells whether it can be seen.
fn on_typed(model: &mut Model, event: Typed) -> bool {
    match event {
        Typed::Key(key) => model.on_key(key),
        Typed::Paste(text) => model.on_paste(&text),
        Typed::Mouse(mouse) if matches!(mouse.kind, MouseEventKind::Moved | MouseEventKind::Drag(_)) => return false,
        Typed::Mouse(mouse) => model.on_mouse(mouse),
        Typed::Resize(columns, rows) => model.on_resize(Size { columns, rows }),
        Typed::FocusGained | Typed::FocusLost => return false,
    }
    true
}

/// Waits until so long after the person has left; for ever where nobody has.
async fn until(left: Option<Instant>, limit: Duration) {
    match left {
        Some(left) => sleep_until(left + limit).await,
        None => std::future::pending().await,
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
