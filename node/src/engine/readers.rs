//! Who is to read what: by the roles in force at a record's own time.

use muster_keys::PublicKey;
use muster_roles::{GroupId, Member, Role, Roster, Timestamp};

/// Returns everyone who may read a group at a time, but `author`.
#[must_use]
pub fn readers(roster: &Roster, group: &GroupId, time: Timestamp, author: &PublicKey) -> Vec<Member> {
    let may_read = |member: &Member| member.key != *author && member.role.may_read(group);
    roster.at(time).members().into_iter().filter(may_read).collect()
}

/// Returns everyone who is to answer an order: its readers, but the commander, to whom nobody gives orders.
#[must_use]
pub fn ordered(roster: &Roster, group: &GroupId, time: Timestamp, giver: &PublicKey) -> Vec<Member> {
    let mut ordered = readers(roster, group, time, giver);
    ordered.retain(|member| member.role != Role::Commander);
    ordered
}
