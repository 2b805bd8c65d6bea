//! Who has a message: each member that may read it, when it confirmed that, and since when it is known to have read it.

use muster_keys::PublicKey;
use muster_roles::{GroupId, MemberName, Role, Roster, Timestamp};

use super::content::{About, Content};
use super::readers::readers;
use super::wire::{Header, RecordId};

/// What is known of one member and one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The member.
    pub name: MemberName,
    /// Its role at the message's time.
    pub role: Role,
    /// When it first confirmed to have the message.
    pub delivered: Option<Timestamp>,
    /// When it first told to have read as far as the message.
    pub read: Option<Timestamp>,
    key: PublicKey,
}

/// Who has a message, as the group's records from it on tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// The message.
    pub id: RecordId,
    /// Its group.
    pub group: GroupId,
    /// Its own time.
    pub time: Timestamp,
    /// Everyone who may read it but its author, by the roles in force at its time.
    pub members: Vec<Seen>,
    author: PublicKey,
    count: u64,
}

impl Matrix {
    /// Begins with nobody known to have the message.
    #[must_use]
    pub fn of(id: RecordId, header: &Header, roster: &Roster) -> Self {
        let readers = readers(roster, &header.group, header.time, &header.author);
        let seen = |member: muster_roles::Member| Seen {
            name: member.name,
            role: member.role,
            delivered: None,
            read: None,
            key: member.key,
        };
        Self {
            id,
            group: header.group.clone(),
            time: header.time,
            members: readers.into_iter().map(seen).collect(),
            author: header.author,
            count: header.seq,
        }
    }

    /// Takes in what a record of the group, not older than the message, says of it.
    pub fn note(&mut self, header: &Header, content: &Content) {
        if header.group != self.group || header.time < self.time {
            return;
        }
        let Some(seen) = self.members.iter_mut().find(|seen| seen.key == header.author) else { return };
        // Whoever answers a message has it, and has read it.
        let answers = content.about.as_ref().map(About::id) == Some(self.id);
        let has_read = answers || content.confirmed.read.is_some_and(|upto| upto >= self.time);
        let has = has_read || content.confirmed.has_received(&self.author, self.count);
        for (when, holds) in [(&mut seen.delivered, has), (&mut seen.read, has_read)] {
            if holds {
                *when = Some(when.map_or(header.time, |before| before.min(header.time)));
            }
        }
    }
}
