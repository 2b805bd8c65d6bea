//! What must hold, always or once the network has healed.

use std::collections::BTreeSet;

use muster::engine::policy::permit_record;
use muster::engine::store::{CARRY_QUOTA_BYTES, Stored};
use muster::engine::view::Reader;
use muster::engine::wire::RecordId;
use muster_roles::{GroupId, Role, Roster, SealedKeyring};

use crate::storm::Storm;
use crate::world::{SimNode, World};

/// What may lie before a node's writer: far more than a minute's talk, far less than a flood.
const MAX_JOBS: usize = 256;

/// So many bytes above its quota may a node carry until it has made room.
const QUOTA_SLACK_BYTES: u64 = 6_000;

/// What holds at any time: nothing is stored that is not permitted, what was acknowledged is there, bounds hold.
pub fn safety(storm: &Storm) {
    for (n, node) in storm.world.nodes.iter().enumerate() {
        // What has not been judged again yet waits for the writer, and a disk that has failed cannot be asked.
        if !node.is_up || node.state.has_failed() {
            continue;
        }
        assert!(node.store.jobs() <= MAX_JOBS, "node {n}: {} jobs wait", node.store.jobs());
        if node.store.jobs() > 0 {
            continue;
        }
        let roster = node.state.roster();
        if storm.hostile != Some(n) {
            stores_what_is_permitted(n, node, roster);
        }
        keeps_what_it_acknowledged(n, node, roster);
        if roster.member(&node.identity.public()).is_some() {
            let foreign = roster.groups().filter(|group| !node.role.may_read(group));
            let carried: u64 = foreign.map(|group| node.store.size(group)).sum();
            assert!(carried <= node.quota_bytes + QUOTA_SLACK_BYTES, "node {n} carries {carried} bytes");
        }
    }
}

fn stores_what_is_permitted(n: usize, node: &SimNode, roster: &Roster) {
    for stored in node.store.iter() {
        let header = stored.frame().header();
        // What goes by documents that a full disk did not keep is judged when they are back.
        let is_set_back = roster.version() < node.had_version;
        if is_set_back && !roster.holds(&header.group, header.charter_version, header.sheet_version) {
            continue;
        }
        let verdict = permit_record(roster, header);
        assert!(verdict.is_ok(), "node {n} has a record of {}, which may not be there", header.group);
    }
}

fn keeps_what_it_acknowledged(n: usize, node: &SimNode, roster: &Roster) {
    let me = node.identity.public();
    for (group, time, id) in &node.acknowledged {
        // What its author had no right to any more, as it learns later, is taken back.
        let was_permitted = roster.at(*time).member(&me).is_some_and(|member| member.role.may_post(group));
        let is_there = node.store.contains(group, *time, *id);
        assert!(is_there || !was_permitted, "node {n}: a record of {group} was acknowledged and is lost");
    }
}

/// Everyone who is a member has the same roster and, of each group that it carries, the same records.
pub fn agreement(storm: &Storm) -> Result<(), String> {
    let world = &storm.world;
    let roster = world.nodes[0].state.roster();
    let is_member = |n: &usize| roster.member(&world.key(*n)).is_some();
    let members: Vec<usize> = (0..world.nodes.len()).filter(is_member).collect();
    for n in &members {
        let theirs = world.nodes[*n].state.roster();
        if theirs.digest() != roster.digest() {
            let ahead_ms = roster.issued().ms().saturating_sub(world.now.0);
            let versions = (theirs.version(), roster.version());
            return Err(format!("node {n} has roster {} and not {}, {ahead_ms} ms ahead", versions.0, versions.1));
        }
        if world.nodes[*n].store.jobs() > 0 {
            return Err(format!("node {n} is still storing"));
        }
    }
    for group in roster.groups() {
        let carrying = |n: &&usize| carries_all(&world.nodes[**n], group);
        let held: Vec<(usize, BTreeSet<RecordId>)> =
            members.iter().filter(carrying).map(|n| (*n, due(world, *n, group, roster))).collect();
        for pair in held.windows(2) {
            let [(a, theirs), (b, others)] = pair else { continue };
            if theirs != others {
                let (lacks, more) = (others.difference(theirs).count(), theirs.difference(others).count());
                return Err(format!("of {group}, node {a} lacks {lacks} records of node {b} and has {more} more"));
            }
        }
    }
    keys_are_where_they_belong(world, roster)?;
    if storm.tally.changes == 0 {
        members.iter().try_for_each(|n| is_shown_all(*n, &world.nodes[*n]))?;
    }
    Ok(())
}

pub fn carries_all(node: &SimNode, group: &GroupId) -> bool {
    let has_room = node.quota_bytes == CARRY_QUOTA_BYTES;
    let carries_all = node.carry == muster::engine::policy::Carry::All || node.role == Role::Carrier;
    node.role.may_read(group) || (has_room && carries_all)
}

/// What everyone is to have of what a node has: what is permitted, and whose time has come.
fn due(world: &World, n: usize, group: &GroupId, roster: &Roster) -> BTreeSet<RecordId> {
    let is_due = |stored: &Stored| {
        let header = stored.frame().header();
        header.time.ms() <= world.now.0 && permit_record(roster, header).is_ok()
    };
    world.nodes[n].store.all(group).iter().filter(|stored| is_due(stored)).map(|stored| stored.frame().id()).collect()
}

/// What a member may read and has, it has been shown once or could read when its node started.
fn is_shown_all(n: usize, node: &SimNode) -> Result<(), String> {
    let shown: BTreeSet<RecordId> = node.shown.iter().map(muster::engine::view::Row::id).collect();
    assert_eq!(shown.len(), node.shown.len(), "node {n} was shown something twice");
    let stored = node.store.iter().filter(|stored| node.state.row(stored).is_ok()).map(|stored| stored.frame().id());
    let unseen = stored.filter(|id| !shown.contains(id) && !node.paged.contains(id)).count() as u64;
    match unseen <= node.not_shown {
        true => Ok(()),
        false => Err(format!("node {n} was not shown {unseen} messages")),
    }
}

/// Nobody has a key for what was written when it was no reader, by the roster that the author had then.
pub fn secrecy(storm: &Storm) {
    let world = &storm.world;
    for (roster, records) in world.sealed.values() {
        for (n, node) in world.nodes.iter().enumerate() {
            let forbidden = records.iter().filter(|((group, _), _)| !has_the_key(roster, node, group));
            let mut keyring = None;
            for ((group, epoch), stored) in forbidden {
                let keyring = keyring.get_or_insert_with(|| roster.open_keys(&node.identity));
                let author = stored.frame().header().author;
                let reader = Reader { roster, keyring, me: &author };
                let is_open = reader.content(stored).is_ok();
                assert!(!is_open, "node {n} can read epoch {epoch} of {group}, which it may not");
            }
        }
    }
}

/// Tells whether somebody entitled gave a member a group's key: it may read the group, or the group's own sheet lists it.
///
/// The second is so where two leaders apart have admitted one device, which then counts as the other's: the key that it was
/// given is changed at once, and what was written until then is not hidden from it.
fn has_the_key(roster: &Roster, node: &SimNode, group: &GroupId) -> bool {
    let key = node.identity.public();
    let may_read = roster.member(&key).is_some_and(|member| member.role.may_read(group));
    may_read || roster.sheet(group).is_some_and(|sheet| sheet.soldiers().iter().any(|soldier| soldier.key == key))
}

/// A key that somebody has who may not read the group is changed by the group's leader.
fn keys_are_where_they_belong(world: &World, roster: &Roster) -> Result<(), String> {
    for group in roster.groups().filter(|group| roster.charter().leader_of(group).is_some()) {
        let held = roster.sealed_keyring(group).map_or(&[][..], SealedKeyring::sealed);
        let may_read = |node: &SimNode| {
            let key = node.identity.public();
            let has_it = held.iter().any(|sealed| sealed.to == *key.as_bytes());
            !has_it || roster.member(&key).is_some_and(|member| member.role.may_read(group))
        };
        if let Some(n) = world.nodes.iter().position(|node| !may_read(node)) {
            return Err(format!("node {n} has the key of {group}, which it may not read"));
        }
    }
    Ok(())
}
