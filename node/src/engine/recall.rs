//! What the store tells a node that starts: whose messages are there, what was confirmed of them, and what was ordered.

use std::collections::{BTreeMap, VecDeque};

use muster_keys::PublicKey;
use muster_roles::GroupId;

use super::confirmed::Run;
use super::content::About;
use super::holes::Tally;
use super::order::{Answered, MAX_ORDERS, OrderAnswer};
use super::receipts::Told;
use super::runs::Runs;
use super::store::Stored;
use super::view::{Opened, Reader, Row};
use super::wire::{Frame, Kind, RecordId};

/// One's own messages that are followed, of those in the store; the newest.
const MAX_OWN: usize = 512;

/// Answers to orders that are kept: what so many orders of a whole troop have.
const MAX_ANSWERS: usize = 16 * 1024;

/// What is remembered of one group's stored records.
#[derive(Debug, Default)]
pub struct Recall {
    pub(super) tally: Tally,
    pub(super) told: Told,
    /// The newest orders.
    pub(super) orders: VecDeque<Row>,
    /// The newest answers to orders.
    pub(super) answers: VecDeque<Recalled>,
    /// One's own newest messages, by their count.
    pub(super) own: BTreeMap<u64, Frame>,
    /// What others have confirmed of one's own messages.
    pub(super) confirmed: BTreeMap<PublicKey, Runs>,
}

/// An answer to an order.
#[derive(Debug)]
pub(super) struct Recalled {
    pub(super) group: GroupId,
    pub(super) id: RecordId,
    pub(super) of: RecordId,
    pub(super) answered: Answered,
}

impl Recall {
    /// Takes in a stored record of the group; the oldest come first.
    pub fn note(&mut self, stored: &Stored, reader: &Reader<'_>) {
        let (frame, me) = (stored.frame(), reader.me);
        let header = frame.header();
        self.tally.note(header);
        let Ok(opened) = reader.open(stored) else { return };
        let is_mine = header.author == *me;
        self.note_confirmed(frame, &opened, is_mine, me);
        match header.kind {
            Kind::Text | Kind::Order if is_mine => {
                self.own.insert(header.seq, frame.clone());
                if self.own.len() > MAX_OWN {
                    self.own.pop_first();
                }
            }
            Kind::Text | Kind::Order => {
                let run = Run { first: header.seq, last: header.seq };
                self.told.received.entry(header.author).or_default().insert(run);
                if header.kind == Kind::Order {
                    self.told.orders.entry(header.author).or_default().insert(run);
                }
            }
            Kind::Answer | Kind::Receipt => {}
        }
        match header.kind {
            Kind::Order => self.orders.push_back(reader.row_of(stored, opened)),
            Kind::Answer => self.answers.extend(Recalled::of(stored, opened, reader)),
            Kind::Text | Kind::Receipt => {}
        }
        if self.orders.len() > MAX_ORDERS {
            self.orders.pop_front();
        }
        if self.answers.len() > MAX_ANSWERS {
            self.answers.pop_front();
        }
    }

    fn note_confirmed(&mut self, frame: &Frame, opened: &Opened, is_mine: bool, me: &PublicKey) {
        let (header, confirmed) = (frame.header(), &opened.content.confirmed);
        if is_mine {
            if header.kind == Kind::Receipt {
                self.told.count = self.told.count.max(header.seq);
            }
            self.told.read = self.told.read.max(confirmed.read);
            for (prefix, runs) in &confirmed.received {
                let told = self.told.confirmed.entry(prefix.clone()).or_default();
                runs.iter().for_each(|run| told.insert(*run));
            }
        } else {
            for run in confirmed.runs_of(me) {
                self.confirmed.entry(header.author).or_default().insert(*run);
            }
        }
    }
}

impl Recalled {
    pub(super) fn of(stored: &Stored, opened: Opened, reader: &Reader<'_>) -> Option<Self> {
        let frame = stored.frame();
        let (is_able, of) = match opened.content.about? {
            About::Acknowledged(of) => (true, of),
            About::Cannot(of) => (false, of),
            About::Reply(_) | About::Correction(_) => return None,
        };
        let row = reader.row_of(stored, opened);
        let (member, text, time) = (row.author().clone(), row.text().clone(), row.time());
        let answered = Answered { key: frame.header().author, answer: OrderAnswer { member, is_able, text, time } };
        Some(Self { group: row.group().clone(), id: frame.id(), of, answered })
    }
}
