//! The roster changes while the unit talks.

use std::sync::Arc;

use muster::engine::change::Change;
use muster::engine::io::Notice;
use muster_keys::Identity;
use muster_roles::{Edit, MemberName, Role, Roster, Timestamp};

use crate::forge::Forged;
use crate::world::World;
use crate::{CALM, group, play, unit};

fn of(world: &World, role: &Role) -> usize {
    (0..10).find(|n| world.nodes[*n].role == *role).unwrap()
}

fn digests(world: &World) -> Vec<[u8; 32]> {
    world.nodes.iter().map(|node| node.state.roster().digest()).collect()
}

#[test]
fn changes_asked_for_at_once_are_made_one_upon_the_other_and_reach_everyone() {
    play(800..805, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        world.tells_rosters = true;
        world.connect_all();
        let (chief, leader) = (of(&world, &Role::Commander), of(&world, &Role::Leader(group("army"))));
        for number in 10..14_u8 {
            let name = format!("Member{number}").parse().unwrap();
            let key = Identity::from_seed(&[number + 1; 32]).public();
            world.change(chief, Change::Make(Edit::Add { name, role: Role::Soldier(group("navy")), key }));
        }
        let key = Identity::from_seed(&[99; 32]).public();
        world.change(
            leader,
            Change::Make(Edit::Add { name: "Army99".parse().unwrap(), role: Role::Soldier(group("army")), key }),
        );
        world.change(leader, Change::Make(Edit::Rekey));
        world.pass(5_000);
        assert_eq!((world.nodes[chief].changed, world.nodes[leader].changed), (4, 2), "seed {seed}");
        assert!(digests(&world).iter().all(|digest| *digest == digests(&world)[0]), "seed {seed}");
        assert_eq!(world.nodes[0].state.roster().members().len(), 15, "seed {seed}");
    });
}

#[test]
fn a_leader_is_refused_what_is_not_its_own_and_nothing_changes() {
    let (roster, identities) = unit();
    let mut world = World::new(1, &roster, identities, CALM);
    world.tells_rosters = true;
    world.connect_all();
    let leader = of(&world, &Role::Leader(group("army")));
    let navy = of(&world, &Role::Soldier(group("navy")));
    let name = roster.member(&world.nodes[navy].state.public()).unwrap().name;
    let before = digests(&world);
    world.change(leader, Change::Make(Edit::Remove { name: name.to_string() }));
    world.pass(3_000);
    assert_eq!(world.nodes[leader].not_changed, ["the leader of army admits and removes soldiers of army only"]);
    assert_eq!(digests(&world), before);
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn soldiers(world: &World, troop: &str) -> Vec<usize> {
    (0..10).filter(|n| world.nodes[*n].role == Role::Soldier(group(troop))).collect()
}

fn name_of(world: &World, node: usize) -> MemberName {
    let member = world.nodes[node].state.roster().member(&world.nodes[node].state.public());
    member.expect("a member still").name
}

fn remove(world: &mut World, by: usize, whom: usize) {
    let name = name_of(world, whom).to_string();
    world.change(by, Change::Make(Edit::Remove { name }));
}

fn texts(world: &World, node: usize) -> Vec<String> {
    world.nodes[node].shown.iter().map(|row| row.text().to_string()).collect()
}

/// The identity of a node, which is the same in every run.
fn identity(node: usize) -> Identity {
    Identity::from_seed(&[u8::try_from(node).unwrap() + 1; 32])
}

#[test]
fn who_comes_back_after_six_days_of_changes_reads_all_that_it_was_entitled_to_and_nothing_else() {
    play(820..825, |seed| {
        let (roster, identities) = unit();
        let mut world = World::new(seed, &roster, identities, CALM);
        world.tells_rosters = true;
        world.connect_all();
        let (chief, leader) = (of(&world, &Role::Commander), of(&world, &Role::Leader(group("army"))));
        let (army, navy) = (soldiers(&world, "army"), soldiers(&world, "navy"));
        let (away, gone) = (army[0], army[1]);
        world.pass(2_000);
        world.separate(|a, b| a == away || b == away);
        let rest: Vec<usize> = (0..10).filter(|node| *node != away).collect();
        rest.windows(2).for_each(|pair| world.join(pair[0], pair[1]));
        for day in 0..6_u8 {
            world.jump(DAY_MS);
            match day {
                1 => {
                    let key = Identity::from_seed(&[99; 32]).public();
                    let name = "Army99".parse().unwrap();
                    world.change(chief, Change::Make(Edit::Add { name, role: Role::Soldier(group("army")), key }));
                }
                2 => remove(&mut world, leader, gone),
                3 => world.change(leader, Change::Make(Edit::Rekey)),
                4 => remove(&mut world, chief, navy[0]),
                _ => {}
            }
            world.pass(5_000);
            for (author, to, text) in
                [(leader, "army", "army"), (chief, "heads", "heads"), (navy[1], "navy", "navy"), (gone, "army", "gone")]
            {
                world.say(10, author, &group(to), &format!("{text} on day {day}"));
            }
            world.pass(5_000);
        }
        // What the one who was removed said before is the troop's; it says nothing after.
        let due: Vec<String> = (0..6)
            .flat_map(|day| [Some(format!("army on day {day}")), (day < 2).then(|| format!("gone on day {day}"))])
            .flatten()
            .collect();
        let (mut here, mut before) = (texts(&world, leader), texts(&world, gone));
        here.retain(|text| !text.starts_with("heads"));
        assert_eq!(sorted(&here), sorted(&due), "seed {seed}");
        before.retain(|text| text.starts_with("army"));
        assert_eq!(before, ["army on day 0", "army on day 1"], "seed {seed}");

        assert!(texts(&world, away).is_empty());
        world.restart(away, identity(away));
        world.join(away, navy[1]);
        world.pass(120_000);
        assert_eq!(sorted(&texts(&world, away)), sorted(&due), "seed {seed}");
        assert_eq!(world.nodes[away].state.roster().digest(), world.nodes[leader].state.roster().digest());
    });
}

fn sorted(texts: &[String]) -> Vec<String> {
    let mut texts = texts.to_vec();
    texts.sort();
    texts
}

/// A record that somebody writes as if it had never been removed.
fn written_after(roster: &Roster, author: &Identity, at: Timestamp) -> Forged<'static> {
    // The forger keeps its old roster for ever.
    let (roster, author) =
        (Box::leak(Box::new(roster.clone())), Box::leak(Box::new(Identity::from_seed(&author.seed()))));
    Forged { roster, signer: author, author, group: group("army"), time: at, seq: 1, kind: 0, precedence: 0 }
}

#[test]
fn what_a_removed_member_goes_on_sending_is_refused_by_all_in_either_order_and_it_reads_nothing_new() {
    for record_first in [true, false] {
        let (roster, identities) = unit();
        let mut world = World::new(5, &roster, identities, CALM);
        world.tells_rosters = true;
        world.connect_all();
        let (chief, leader) = (of(&world, &Role::Commander), of(&world, &Role::Leader(group("army"))));
        let gone = soldiers(&world, "army")[0];
        let before: Arc<Roster> = Arc::clone(world.nodes[gone].state.roster());
        world.pass(3_000);
        let late = soldiers(&world, "navy")[0];
        if record_first {
            // Has not heard of the removal when the record comes.
            world.separate(|a, b| a == late || b == late);
        }
        remove(&mut world, chief, gone);
        world.pass(3_000);
        let at = Timestamp::from_ms(world.now.0);
        let forged = written_after(&before, &identity(gone), at).message();
        let others: Vec<usize> = (0..10).filter(|node| *node != gone).collect();
        for node in &others {
            world.inject(1, *node, &group("army"), forged.clone());
        }
        world.say(2, leader, &group("army"), "without Member8");
        world.pass(3_000);
        if record_first {
            assert_eq!(world.nodes[late].store.iter().count(), 1, "it could not know better");
            world.join(late, chief);
        }
        world.pass(10_000);
        for node in &others {
            let mine = |stored: muster::engine::store::Stored| {
                stored.frame().header().author == world.nodes[gone].state.public()
            };
            assert!(!world.nodes[*node].store.iter().any(mine), "node {node}, record first: {record_first}");
        }
        // It holds what was written next, and cannot read it.
        let next = world.nodes[leader].store.latest(&group("army"), 1).unwrap();
        let reader = &world.nodes[leader].state;
        assert_eq!(reader.row(&next[0]).unwrap().text().to_string(), "without Member8");
        assert!(world.nodes[gone].state.row(&next[0]).is_err());
        assert!(!texts(&world, gone).contains(&"without Member8".to_owned()));
        let told = world.nodes[gone].notices.iter();
        let told: Vec<_> = told.filter(|notice| matches!(notice, Notice::NoLongerMember { .. })).collect();
        let [Notice::NoLongerMember { by, at: Some(_) }] = told.as_slice() else { panic!("not told: {told:?}") };
        assert_eq!(by[0].as_str(), "Chief");
        let seen = &world.nodes[leader].notices;
        let removed = seen.iter().find(|notice| matches!(notice, Notice::Removed { .. })).expect("the others are told");
        assert!(matches!(removed, Notice::Removed { by, .. } if by[0].as_str() == "Chief"), "{removed:?}");
    }
}
