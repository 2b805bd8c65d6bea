//! A chat with a full view, into which messages keep coming while somebody types.

use std::time::{Duration, Instant};

use muster::control::{Event, GroupChoice, Message, Printable, Profile, Text};
use muster::ui::Drawing;
use muster_roles::{Role, Timestamp};
use ratatui::crossterm::event::KeyCode;

use crate::figure::figure;

/// Messages in view.
pub(crate) const MESSAGES: u32 = 10_000;

/// Messages that arrive a second.
const ARRIVING: u32 = 50;

/// Keys that are typed a second: faster than anybody types.
const TYPED: u32 = 20;

/// How long the scene is played.
const PLAYED: Duration = Duration::from_secs(5);

/// Noon of 22 November 2026.
const NOON_MS: u64 = 1_795_348_800_000;

/// One message of many: of every length, some of several lines, some in another script.
pub(crate) fn message(number: u32) -> Event {
    let text = match number % 5 {
        0 => "ok".to_owned(),
        1 => format!(
            "Number {number}: we are on our way and will be there by six, if the bridge holds. {}",
            "More. ".repeat(9)
        ),
        2 => format!("list {number}\n* rope\n* lamp"),
        3 => "橋で六時に会う、わかったか。".to_owned(),
        _ => format!("Anybody at grid {number}?"),
    };
    Event::Message(Message {
        id: format!("{number:064x}").parse().unwrap(),
        group: "army".parse().unwrap(),
        author: format!("Army{}", number % 7).parse().unwrap(),
        time: Timestamp::from_ms(NOON_MS + u64::from(number) * 20_000),
        received_ms: NOON_MS,
        text: Text::new(&text),
        manner: muster::control::Manner::default(),
        mentions_me: false,
        delivery: None,
        from_removed: false,
    })
}

/// A chat with all messages in view, on a terminal of this size.
pub(crate) fn full(columns: u16, rows: u16) -> Drawing {
    let army = Role::Soldier("army".parse().unwrap());
    let groups = vec![GroupChoice { id: "army".parse().unwrap(), letter: 'r', may_post: true }];
    let name = "Army3".parse().unwrap();
    let mut chat = Drawing::new(columns, rows);
    chat.tell(Event::Profile(Profile { name, role: army, unit: Printable::new("1st Brigade"), groups }));
    (1..=MESSAGES).for_each(|number| chat.tell(message(number)));
    while chat.next_ask().is_some() {}
    chat.draw();
    chat
}

/// Plays the scene in real time, one thing after the other as the chat's own loop does, and prints how long keys took.
pub(crate) fn report() {
    let mut chat = full(120, 40);
    let (start, mut keys, mut number) = (Instant::now(), Vec::new(), MESSAGES);
    let mut busy = Duration::ZERO;
    let at = |count: usize, a_second: u32| Duration::from_secs(1) * u32::try_from(count).unwrap() / a_second;
    while start.elapsed() < PLAYED {
        let arrived = usize::try_from(number - MESSAGES).unwrap();
        let (next_key, next_message) = (start + at(keys.len(), TYPED), start + at(arrived, ARRIVING));
        let due = next_key.min(next_message);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let began = Instant::now();
        if due == next_key {
            chat.press(KeyCode::Char('a'));
            chat.draw();
            // From when the key was due: what the loop was busy with at that moment counts.
            keys.push(due.elapsed());
        } else {
            number += 1;
            chat.tell(message(number));
            chat.draw();
        }
        busy += began.elapsed();
        while chat.next_ask().is_some() {}
    }
    keys.sort_unstable();
    let percentile = |part: usize| keys[(keys.len() - 1) * part / 100];
    println!("{MESSAGES} messages in view, {ARRIVING} arriving and {TYPED} keys typed a second, 120×40:");
    println!(
        "  a key is drawn after {:?} (half), {:?} (99 of 100), {:?} (all)",
        percentile(50),
        percentile(99),
        percentile(100)
    );
    println!("  busy {:.1} % of a core", 100.0 * busy.as_secs_f64() / start.elapsed().as_secs_f64());
    figure("screen.key.p99", "muster", percentile(99).as_secs_f64() * 1000.0, "ms");
}
