//! What is written with nobody there waits, openly, and goes out on the first contact.

use muster::engine::store::Store;
use muster::engine::wire::RecordId;
use muster_keys::Identity;
use muster_roles::Role;

use crate::world::World;
use crate::{CALM, group, play, unit};

/// Two soldiers of the army, the one with the lower key first: it leads when the two meet.
fn two_soldiers(world: &World) -> (usize, usize) {
    let role = Role::Soldier(group("army"));
    let mut soldiers: Vec<usize> = (0..10).filter(|n| world.nodes[*n].role == role).collect();
    soldiers.sort_by_key(|n| world.nodes[*n].state.public());
    (soldiers[0], soldiers[1])
}

/// A mesh in which everyone is alone, and one soldier has written three messages some seconds ago.
fn alone(seed: u64) -> (World, usize, usize) {
    let (roster, identities) = unit();
    let mut world = World::new(seed, &roster, identities, CALM);
    let (author, reader) = two_soldiers(&world);
    world.minds_listeners = true;
    world.separate(|_, _| true);
    (0..3).for_each(|line| world.say(line * 100, author, &group("army"), &format!("line {line}")));
    world.pass(4_000);
    (world, author, reader)
}

fn waiting(world: &World, node: usize) -> usize {
    world.nodes[node].store.disk().waiting(usize::MAX).unwrap().len()
}

fn texts(world: &World, node: usize) -> Vec<String> {
    world.nodes[node].shown.iter().map(|row| row.text().to_string()).collect()
}

fn restart(world: &mut World, node: usize) {
    let identity = Identity::from_seed(&[u8::try_from(node).unwrap() + 1; 32]);
    world.restart(node, identity);
}

#[test]
fn a_message_with_nobody_there_is_shown_as_waiting_and_goes_out_to_the_first_listener() {
    play(700..705, |seed| {
        let (mut world, author, reader) = alone(seed);
        assert!(world.nodes[author].refused == 0 && !world.nodes[author].state.is_settled());
        assert!(world.nodes[author].shown.iter().all(muster::engine::view::Row::is_waiting));
        assert_eq!((texts(&world, author).len(), waiting(&world, author)), (3, 3), "seed {seed}");
        world.join(author, reader);
        world.pass(2_000);
        assert_eq!(texts(&world, reader), ["line 0", "line 1", "line 2"], "seed {seed}");
        assert_eq!((waiting(&world, author), world.nodes[author].told_sent), (0, 3), "seed {seed}");
        assert!(world.nodes[author].state.is_settled());
        world.say(1, author, &group("army"), "heard at once");
        world.pass(1_000);
        assert!(!world.nodes[author].shown[3].is_waiting(), "seed {seed}");
        assert_eq!((waiting(&world, author), world.nodes[author].told_sent), (0, 3), "seed {seed}");
    });
}

#[test]
fn a_member_that_has_just_come_has_a_moment_to_say_what_it_listens_to() {
    play(706..710, |seed| {
        let (mut world, author, reader) = alone(seed);
        world.join(author, reader);
        // Until the two are compared with no more than any others.
        world.pass(7_000);
        world.nobody_listens = true;
        world.say(1, author, &group("army"), "in a moment");
        world.pass(900);
        assert_eq!(texts(&world, author).len(), 3, "seed {seed}: it is not known whether it waits");
        world.nobody_listens = false;
        world.pass(1_500);
        assert!(!world.nodes[author].shown[3].is_waiting(), "seed {seed}");
        assert_eq!(world.nodes[author].told_sent, 3, "seed {seed}");
        world.nobody_listens = true;
        world.say(1, author, &group("army"), "never mind");
        world.pass(4_000);
        assert!(world.nodes[author].shown[4].is_waiting(), "seed {seed}: nobody cares for the group");
    });
}

#[test]
fn what_waits_still_waits_after_a_restart_and_is_sent_then() {
    play(710..715, |seed| {
        let (mut world, author, reader) = alone(seed);
        restart(&mut world, author);
        let stored = world.nodes[author].store.latest(&group("army"), 10).unwrap();
        assert!(stored.iter().all(|stored| world.nodes[author].state.row(stored).unwrap().is_waiting()));
        world.join(author, reader);
        world.pass(2_000);
        assert_eq!(texts(&world, reader), ["line 0", "line 1", "line 2"], "seed {seed}");
        assert_eq!((waiting(&world, author), world.nodes[author].told_sent), (0, 3), "seed {seed}");
        let stored = world.nodes[author].store.latest(&group("army"), 10).unwrap();
        assert!(stored.iter().all(|stored| !world.nodes[author].state.row(stored).unwrap().is_waiting()));
    });
}

#[test]
fn a_member_that_fetches_it_has_it_though_gossip_never_went_out() {
    play(720..725, |seed| {
        for author_leads in [false, true] {
            let (mut world, author, reader) = alone(seed);
            let (author, reader) = if author_leads { (author, reader) } else { (reader, author) };
            (0..3).for_each(|line| world.say(line * 100, author, &group("army"), &format!("fetched {line}")));
            world.pass(4_000);
            let waited = waiting(&world, author);
            // Nobody is told of a listener, and no second passes after which gossip tries again.
            world.minds_listeners = false;
            world.join(author, reader);
            world.pass(990);
            assert!(texts(&world, reader).iter().filter(|text| text.starts_with("fetched")).count() == 3);
            assert!(world.nodes[author].state.is_settled(), "seed {seed}");
            world.pass(1_000);
            assert_eq!((waiting(&world, author), world.nodes[author].told_sent), (0, waited as u64), "seed {seed}");
        }
    });
}

#[test]
fn a_comparison_shows_that_somebody_has_it_already() {
    play(730..735, |seed| {
        let (mut world, author, reader) = alone(seed);
        world.minds_listeners = false;
        world.join(author, reader);
        world.pass(990);
        // Stopped before it has noted that the other has them.
        world.separate(|_, _| true);
        restart(&mut world, author);
        assert_eq!((waiting(&world, author), world.nodes[author].state.is_settled()), (3, false), "seed {seed}");
        world.join(author, reader);
        world.pass(990);
        assert!(world.nodes[author].state.is_settled(), "seed {seed}");
        assert_eq!(texts(&world, reader).len(), 3, "seed {seed}");
    });
}

#[test]
fn more_than_the_outbox_holds_is_shown_once_each_and_reaches_everyone() {
    let (mut world, author, reader) = alone(740);
    (0..2_000).for_each(|line| world.say(line % 10, author, &group("army"), &format!("more {line}")));
    world.pass(4_000);
    let mut ids: Vec<RecordId> = world.nodes[author].shown.iter().map(muster::engine::view::Row::id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), world.nodes[author].shown.len()), (2_003, 2_003));
    world.join(author, reader);
    world.pass(60_000);
    assert_eq!(world.nodes[reader].seen(), 2_003);
    assert_eq!((waiting(&world, author), world.nodes[author].told_sent), (0, 2_003));
}
