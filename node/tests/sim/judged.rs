//! What a node stores is judged anew by each roster, also where the roster came as the node went down.

use muster::disk::writer::Job;
use muster::engine::io::Input;
use muster_keys::Identity;
use muster_roles::{Role, Roster, Timestamp, add_member, rekey, remove_member};

use crate::forge::Forged;
use crate::world::World;
use crate::{CALM, group, play, unit};

const AUTHOR: usize = 8;

fn identity(node: usize) -> Identity {
    Identity::from_seed(&[u8::try_from(node).unwrap() + 1; 32])
}

fn documents(roster: &Roster) -> Vec<Vec<u8>> {
    roster.documents().map(|(_, bytes)| bytes.to_vec()).collect()
}

/// The roster with more documents in it.
fn with(roster: &Roster, documents: &[Vec<u8>], now: Timestamp) -> Roster {
    let mut roster = roster.clone();
    for document in documents {
        roster.accept(document, now).unwrap();
    }
    roster
}

/// The army's soldier writes at a time what only this roster need allow.
fn written(world: &World, roster: &Roster, at: Timestamp) -> Vec<u8> {
    let author = identity(AUTHOR);
    assert_eq!(world.nodes[AUTHOR].role, Role::Soldier(group("army")));
    let (signer, group) = (&author, group("army"));
    Forged { roster, signer, author: signer, group, time: at, seq: 1, kind: 0, precedence: 0 }.message()
}

fn count(world: &World, node: usize) -> usize {
    world.nodes[node].store.iter().count()
}

#[test]
fn a_node_that_went_down_before_it_had_judged_its_store_by_a_new_roster_does_so_when_it_starts() {
    play(840..850, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        world.separate(|_, _| true);
        let (late, stale) = (1, 2);
        let removed = Timestamp::from_ms(world.now.0);
        let name = roster.member(&identity(AUTHOR).public()).unwrap().name;
        let newer = with(&roster, &remove_member(&roster, &identity(0), name.as_str(), removed).unwrap(), removed);
        world.pass(3_000);
        let message = written(&world, &roster, Timestamp::from_ms(world.now.0));
        world.inject(1, late, &group("army"), message);
        world.pass(3_000);
        assert_eq!(count(&world, late), 1, "it could not know better");
        world.feed(late, Input::Documents { documents: documents(&newer) });
        assert!(world.nodes[late].store.jobs() > 0, "it has not judged its store yet");
        world.crash(late);
        world.revive(late);
        assert_eq!(world.nodes[late].state.roster().digest(), newer.digest(), "the roster was kept");
        // With somebody who would still take it.
        world.join(late, stale);
        world.pass(10_000);
        assert_eq!(count(&world, late), 0, "seed {seed}: it is still stored");
        assert_eq!(world.brought[stale], 0, "seed {seed}: it was still offered");
    });
}

#[test]
fn what_goes_by_a_roster_that_could_not_be_kept_stays_until_that_comes_again() {
    let (roster, identities) = unit();
    let mut world = World::new(1, &roster, identities, CALM);
    world.separate(|_, _| true);
    let now = Timestamp::from_ms(world.now.0);
    let new = Identity::from_seed(&[99; 32]);
    let role = Role::Soldier(group("army"));
    let added = add_member(&roster, &identity(0), "Army99".parse().unwrap(), role, new.public(), now).unwrap();
    let newer = with(&roster, &added, now);
    let node = 1;
    world.feed(node, Input::Documents { documents: documents(&newer) });
    world.pass(1_000);
    // The home took no writing.
    world.nodes[node].kept = roster.encode();
    let time = Timestamp::from_ms(world.now.0);
    let (group, roster) = (group("army"), &newer);
    let by_new = Forged { roster, signer: &new, author: &new, group, time, seq: 1, kind: 0, precedence: 0 };
    let to = by_new.group.clone();
    world.inject(1, node, &to, by_new.message());
    world.pass(1_000);
    assert_eq!(count(&world, node), 1);
    world.crash(node);
    world.revive(node);
    world.pass(5_000);
    assert_eq!(count(&world, node), 1, "it waits for the roster that it cites");
    world.feed(node, Input::Documents { documents: documents(&newer) });
    world.pass(5_000);
    assert_eq!(count(&world, node), 1);
}

#[test]
fn a_store_is_judged_once_by_a_roster_and_not_at_every_start() {
    let (roster, identities) = unit();
    let mut world = World::new(1, &roster, identities, CALM);
    world.separate(|_, _| true);
    let now = Timestamp::from_ms(world.now.0);
    let name = roster.member(&identity(AUTHOR).public()).unwrap().name;
    let newer = with(&roster, &remove_member(&roster, &identity(0), name.as_str(), now).unwrap(), now);
    world.pass(1_000);
    let at = Timestamp::from_ms(world.now.0);
    let record = Forged {
        roster: &roster,
        signer: &identity(AUTHOR),
        author: &identity(AUTHOR),
        group: group("army"),
        time: at,
        seq: 1,
        kind: 0,
        precedence: 0,
    };
    let node = 1;
    world.feed(node, Input::Documents { documents: documents(&newer) });
    world.pass(1_000);
    // What nothing but a second judging could find.
    let (mut verified, _) = muster::engine::verify::check_records(&[record.record()], roster.unit());
    let forbidden = crate::breakage::permit_anyway(verified.remove(0), world.now.0);
    world.nodes[node].store.slip_in(Job::Append(vec![forbidden]));
    world.crash(node);
    world.revive(node);
    world.pass(5_000);
    assert_eq!(count(&world, node), 1, "the store was read from end to end");
}

#[test]
fn what_an_older_roster_refused_is_asked_for_again_once_a_newer_one_permits_it() {
    play(850..860, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        world.separate(|_, _| true);
        let (strict, holder) = (1, 2);
        let leader = (0..10).find(|n| world.nodes[*n].role == Role::Leader(group("army"))).unwrap();
        let removed = Timestamp::from_ms(world.now.0);
        let name = roster.member(&identity(AUTHOR).public()).unwrap().name;
        let by_leader =
            with(&roster, &remove_member(&roster, &identity(leader), name.as_str(), removed).unwrap(), removed);
        world.pass(3_000);
        // The commander has not heard of it, and changes the keys twice: its sheet outdoes the leader's.
        let mut newest = by_leader.clone();
        let mut apart = Roster::clone(&roster);
        for _ in 0..2 {
            let now = Timestamp::from_ms(world.now.0);
            let changed = rekey(&apart, &identity(0), now).unwrap();
            apart = with(&apart, &changed, now);
            newest = with(&newest, &changed, now);
        }
        assert!(newest.member(&identity(AUTHOR).public()).is_some(), "it is a member again");
        let message = written(&world, &roster, Timestamp::from_ms(world.now.0));
        world.inject(1, holder, &group("army"), message);
        world.feed(strict, Input::Documents { documents: documents(&by_leader) });
        world.pass(3_000);
        world.join(strict, holder);
        world.pass(10_000);
        assert_eq!((count(&world, strict), world.brought[strict]), (0, 1), "seed {seed}: brought and refused");
        for node in [strict, holder] {
            world.feed(node, Input::Documents { documents: documents(&newest) });
        }
        world.pass(120_000);
        let missing = count(&world, holder) - count(&world, strict);
        assert_eq!((count(&world, holder), missing), (1, 0), "seed {seed}");
    });
}
