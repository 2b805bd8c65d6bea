//! Records made by real engines, for tests of what stores and reads them.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::sync::Arc;

use muster::engine::draft::Draft;
use muster::engine::io::{Effect, Input, RequestId};
use muster::engine::policy::Permitted;
use muster::engine::store::Fate;
use muster::engine::time::UnixMillis;
use muster::engine::view::Reader;
use muster::engine::wire::RecordId;
use muster::engine::{Boot, State};
use muster_keys::Identity;
use muster_roles::{GroupId, Role, Roster, Timestamp};

/// 2026-11-22 14:03:05 in UTC: when the tests' records begin, in Unix milliseconds.
pub(crate) const START_MS: u64 = 1_795_356_185_000;

/// A unit of a commander, an army leader, an army and a navy soldier, each with an engine of its own.
pub(crate) struct Unit {
    pub(crate) roster: Arc<Roster>,
    engines: HashMap<&'static str, State>,
}

impl Unit {
    /// Founds the unit, always with the same role keys, a day before [`START_MS`].
    pub(crate) fn found() -> Self {
        let now = Timestamp::from_ms(START_MS - 24 * 60 * 60 * 1000);
        let chief = identity("Chief");
        let troops = ["navy:n", "army:r"].map(|troop| troop.parse().unwrap());
        let name = "1st Brigade".parse().unwrap();
        let documents = muster_roles::found(&name, &"Chief".parse().unwrap(), &chief, &troops, now).unwrap();
        let mut roster = Roster::from_documents(documents.iter().map(Vec::as_slice), now).unwrap();
        for (name, role) in [
            ("Army1", Role::Leader(group("army"))),
            ("Army3", Role::Soldier(group("army"))),
            ("Navy1", Role::Soldier(group("navy"))),
            ("Truck", Role::Carrier),
        ] {
            let key = identity(name).public();
            for document in muster_roles::add_member(&roster, &chief, name.parse().unwrap(), role, key, now).unwrap() {
                roster.accept(&document, now).unwrap();
            }
        }
        Self::of(Arc::new(roster), ["Chief", "Army1", "Army3", "Navy1", "Truck"].map(|name| (name, identity(name))))
    }

    /// Puts engines to the members of a roster.
    pub(crate) fn of(roster: Arc<Roster>, members: impl IntoIterator<Item = (&'static str, Identity)>) -> Self {
        let engine = |identity| State::new(identity, roster.clone(), Boot::default());
        let engines = members.into_iter().map(|(name, identity)| (name, engine(identity))).collect();
        Self { roster, engines }
    }

    /// Has a member post at a time, which must not be before its last one.
    pub(crate) fn post(&mut self, name: &str, to: &str, ms: u64, text: &str) -> Permitted {
        self.say(name, to, ms, text.into())
    }

    /// Has a member say something in a manner of its own.
    pub(crate) fn say(&mut self, name: &str, to: &str, ms: u64, draft: Draft) -> Permitted {
        let engine = self.engines.get_mut(name).unwrap();
        let now = UnixMillis(ms);
        let nonce = [7; 24];
        let post = Input::Post { request: RequestId(0), group: group(to), draft, nonce };
        let record = engine.handle(post, now).into_iter().find_map(|effect| match effect {
            Effect::Append(records) => records.into_iter().next(),
            _ => None,
        });
        let record = record.unwrap_or_else(|| panic!("{name} may not post to {to}"));
        engine.handle(Input::Committed { records: vec![(record.clone(), Fate::New)] }, now);
        record
    }

    /// Has the army talk: so many messages, a millisecond apart.
    pub(crate) fn army_talk(&mut self, count: u64) -> Vec<Permitted> {
        (0..count).map(|n| self.post("Army1", "army", START_MS + n, &format!("line {n}"))).collect()
    }

    /// Returns what turns records into rows for a member.
    pub(crate) fn reader(&self, name: &str) -> Reader<'_> {
        self.engines[name].reader()
    }
}

/// The role key of a member, the same in every run.
pub(crate) fn identity(name: &str) -> Identity {
    let mut seed = [0; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    Identity::from_seed(&seed)
}

/// The times and ids of records, as a store takes them.
pub(crate) fn names(records: &[Permitted]) -> Vec<(Timestamp, RecordId)> {
    records.iter().map(|record| (record.frame().header().time, record.frame().id())).collect()
}

/// The group of this name.
pub(crate) fn group(name: &str) -> GroupId {
    name.parse().unwrap()
}
