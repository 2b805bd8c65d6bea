//! How soon a key is on the screen, with 10,000 messages in view and 50 arriving a second.
//!
//! First that very scene in real time, drawn into memory; then the parts of it by themselves. What a terminal takes to
//! show what has been written to it comes on top.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "what a benchmark prints is its result")]

#[path = "../figure/mod.rs"]
mod figure;
mod scene;

use divan::Bencher;
use ratatui::crossterm::event::KeyCode;
use scene::{MESSAGES, full, message};

fn main() {
    // With a filter, for divan's benchmarks, or under a test runner that only asks whether all is there.
    if std::env::args().len() <= 2 {
        scene::report();
    }
    if !figure::only() {
        divan::main();
    }
}

/// A key is typed, and the screen drawn.
#[divan::bench(args = [(40, 10), (80, 24), (120, 40), (250, 80)])]
fn a_key(bencher: Bencher<'_, '_>, (columns, rows): (u16, u16)) {
    let mut chat = full(columns, rows);
    let mut is_typed = false;
    bencher.bench_local(|| {
        is_typed = !is_typed;
        chat.press(if is_typed { KeyCode::Char('a') } else { KeyCode::Backspace });
        chat.draw();
    });
}

/// A message arrives, and the screen is drawn.
#[divan::bench]
fn a_message(bencher: Bencher<'_, '_>) {
    let mut chat = full(120, 40);
    let mut number = MESSAGES;
    bencher.bench_local(|| {
        number += 1;
        chat.tell(message(number));
        chat.draw();
    });
}

/// A page back, and the screen drawn.
#[divan::bench]
fn a_page_back(bencher: Bencher<'_, '_>) {
    let mut chat = full(120, 40);
    bencher.bench_local(|| {
        chat.press(KeyCode::PageUp);
        chat.draw();
    });
}

/// A search that finds nothing in any message.
#[divan::bench]
fn a_search_in_vain(bencher: Bencher<'_, '_>) {
    let mut chat = full(120, 40);
    bencher.bench_local(|| {
        chat.type_text("/no such text");
        chat.press(KeyCode::Enter);
        chat.draw();
        chat.press(KeyCode::Esc);
    });
}
