//! The roster changes while the unit talks.

use muster::engine::change::Change;
use muster_keys::Identity;
use muster_roles::{Edit, Role};

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
