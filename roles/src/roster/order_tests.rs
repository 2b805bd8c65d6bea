//! Whatever documents come in whatever order, the roster says the same.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::fixture::{self, *};
use crate::role::{Denial, Permit, permit};
use crate::signed::Payload;

/// Everybody who signs or is listed; whoever has no office here is a stranger.
const PEOPLE: [&str; 8] = ["Chief", "B", "C", "L1", "L2", "S1", "S2", "S3"];

/// The minute at which the documents arrive.
const NOW: u64 = 60;

/// What a document is made of; a recipe prints better than the bytes when a case fails.
#[derive(Clone, Debug)]
enum Recipe {
    Charter {
        version: u64,
        since: u64,
        issued: u64,
        authority: (Vec<&'static str>, u32),
        signers: BTreeSet<&'static str>,
        leader: Option<&'static str>,
        carrier: &'static str,
    },
    Sheet {
        troop: &'static str,
        version: u64,
        removal: u64,
        since: u64,
        issued: u64,
        signer: &'static str,
        soldiers: Vec<&'static str>,
    },
    Founding(usize),
    Damaged(usize),
    Foreign(u64),
    Future(u64),
}

impl Recipe {
    fn cook(&self) -> Vec<u8> {
        match self.clone() {
            Self::Charter { version, since, issued, authority: (keys, threshold), signers, leader, carrier } => {
                let mut text = founded().charter().text().clone();
                text.version = version;
                text.issued = minutes(since.max(issued));
                new_epoch(&mut text.keyring, minutes(since));
                text.authority = authority(&keys, threshold);
                text.leaders = leader.map(|name| fixture::leader(name, "army")).into_iter().collect();
                text.carriers = vec![person(carrier)];
                sign(Payload::Charter(text), &signers.into_iter().collect::<Vec<_>>())
            }
            Self::Sheet { troop, version, removal, since, issued, signer, soldiers } => {
                let mut text = founded().sheet(&group(troop)).unwrap().text().clone();
                text.version = version;
                text.removal = removal.min(version);
                text.issued = minutes(since.max(issued));
                new_epoch(&mut text.keyring, minutes(since));
                text.soldiers = soldiers.into_iter().map(person).collect();
                sign(Payload::Sheet(text), &[signer])
            }
            Self::Founding(at) => founding()[at].clone(),
            Self::Damaged(at) => {
                let mut bytes = founding()[0].clone();
                let at = at % bytes.len();
                bytes[at] ^= 1;
                bytes
            }
            Self::Foreign(version) => forge_charter(&founded(), &["Other"], |text| {
                text.authority = authority(&["Other"], 1);
                text.unit = text.authority.unit();
                text.version = version;
            }),
            Self::Future(version) => forge_charter(&founded(), &["Chief"], |text| {
                text.version = version;
                text.issued = minutes(NOW + 6);
            }),
        }
    }
}

prop_compose! {
    /// A charter by all the keys of its authority and some others, so that many are accepted but not all.
    fn a_charter()(
        version in 1..7_u64,
        (since, issued) in (0..50_u64, 0..50_u64),
        authority in select(vec![
            (vec!["Chief"], 1), (vec!["Chief"], 1), (vec!["Chief"], 1),
            (vec!["B"], 1), (vec!["Chief", "B"], 2), (vec!["Chief", "B"], 1), (vec!["C"], 1),
        ]),
        others in subsequence(PEOPLE.as_slice(), 0..3),
        leader in select(vec![None, Some("L1"), Some("L2")]),
        carrier in select(vec!["S1", "Truck"]),
    ) -> Recipe {
        let signers = authority.0.iter().copied().chain(others).collect();
        Recipe::Charter { version, since, issued, authority, signers, leader, carrier }
    }
}

prop_compose! {
    fn a_sheet()(
        troop in select(vec!["army", "army", "navy"]),
        version in 1..6_u64,
        removal in select(vec![0, 0, 2, 4]),
        (since, issued) in (0..50_u64, 0..50_u64),
        signer in select(vec!["Chief", "Chief", "B", "L1", "L1", "L2", "S1"]),
        soldiers in subsequence(&["S1", "S2", "S3", "L2"][..], 0..4),
    ) -> Recipe {
        Recipe::Sheet { troop, version, removal, since, issued, signer, soldiers }
    }
}

/// Something that is never accepted.
fn junk() -> impl Strategy<Value = Recipe> {
    prop_oneof![
        any::<usize>().prop_map(Recipe::Damaged),
        (1..5_u64).prop_map(Recipe::Foreign),
        (2..9_u64).prop_map(Recipe::Future),
    ]
}

/// The founding documents and up to twenty other documents, in two orders, the second with repetitions.
fn two_orders() -> impl Strategy<Value = (Vec<Recipe>, Vec<Recipe>)> {
    let one = prop_oneof![4 => a_charter(), 5 => a_sheet(), 1 => junk()];
    prop::collection::vec(one, 0..20).prop_flat_map(|others| {
        let recipes: Vec<_> = (1..founding().len()).map(Recipe::Founding).chain(others).collect();
        let twice: Vec<_> = recipes.iter().chain(recipes.iter().step_by(3)).cloned().collect();
        (Just(recipes).prop_shuffle(), Just(twice).prop_shuffle())
    })
}

fn roster_after(recipes: &[Recipe]) -> Roster {
    let mut roster = roster_of(&founding()[..1], T0);
    for recipe in recipes {
        drop(roster.accept(&recipe.cook(), minutes(NOW)));
    }
    roster
}

/// Who was who and who might post where, at one instant.
type Saying = (Vec<Member>, Vec<Result<Permit, Denial>>);

/// All that a roster says, now and at every instant at which it may change its mind.
fn sayings(roster: &Roster) -> Vec<Saying> {
    let instants = (0..NOW).map(|minute| roster.at(minutes(minute)));
    let (keys, groups) = (PEOPLE.map(key), [GroupId::heads(), group("navy"), group("army")]);
    let say = |standing: Standing<'_>| {
        let verdicts = keys.iter().flat_map(|key| groups.iter().map(move |group| permit(&standing, key, group)));
        (standing.members(), verdicts.collect())
    };
    instants.chain([roster.current()]).map(say).collect()
}

proptest! {
    #[test]
    fn the_order_of_documents_makes_no_difference((one, other) in two_orders()) {
        let (one, other) = (roster_after(&one), roster_after(&other));
        prop_assert_eq!(one.digest(), other.digest());
        prop_assert_eq!(sayings(&one), sayings(&other));
        prop_assert_eq!(one.version(), other.version());
    }

    #[test]
    fn whatever_founding_charter_a_node_begins_with(
        (one, other) in two_orders(),
        name in "[A-Z]{1,8}",
    ) {
        let late = forge_charter(&founded(), &["Chief"], |text| {
            text.name = name.parse().unwrap();
            text.version = 3;
        });
        let mut one = roster_after(&one);
        drop(one.accept(&late, minutes(NOW)));
        let mut begun = roster_of(&[late], T0.plus_ms(1));
        for recipe in [Recipe::Founding(0)].iter().chain(&other) {
            drop(begun.accept(&recipe.cook(), minutes(NOW)));
        }
        prop_assert_eq!(begun.digest(), one.digest());
        prop_assert_eq!(sayings(&begun), sayings(&one));
    }

    #[test]
    fn a_stored_roster_says_the_same_when_read_again((documents, _) in two_orders(), days in 0..9_u64) {
        let now = minutes(NOW).plus_ms(days * DAY_MS);
        let mut roster = roster_after(&documents);
        roster.prune(now);
        let again = Roster::decode(&roster.encode(), now).unwrap();
        prop_assert_eq!(again.digest(), roster.digest());
        prop_assert_eq!(sayings(&again), sayings(&roster));
        prop_assert_eq!(again.encode(), roster.encode());
    }

    #[test]
    fn whoever_gets_what_it_misses_in_the_order_given_says_the_same((documents, _) in two_orders()) {
        let roster = roster_after(&documents);
        let mut node = founded();
        let have = node.documents().map(|(id, _)| id).collect();
        for document in roster.missing_from(&have) {
            prop_assert!(node.accept(document, minutes(NOW)).is_ok());
        }
        prop_assert_eq!(node.digest(), roster.digest());
        prop_assert_eq!(sayings(&node), sayings(&roster));
    }

    #[test]
    fn what_is_in_force_was_signed_by_whom_the_charter_names((documents, _) in two_orders()) {
        let roster = roster_after(&documents);
        for moment in roster.timeline.moments() {
            let charter = &moment.charter.body;
            prop_assert!(charter.authority().satisfied_by(&moment.charter.signers));
            for sheet in &moment.sheets {
                let leader = charter.leader_of(sheet.body.group()).map(|leader| leader.key);
                let by_leader = leader.is_some_and(|leader| sheet.signers.contains(&leader));
                prop_assert!(by_leader || charter.authority().satisfied_by(&sheet.signers));
                prop_assert!(sheet.body.keyring().since() <= moment.from);
            }
            let people = Standing(moment).members();
            let names: BTreeSet<_> = people.iter().map(|member| member.name.as_str().to_lowercase()).collect();
            let keys: BTreeSet<_> = people.iter().map(|member| member.key).collect();
            prop_assert_eq!((names.len(), keys.len()), (people.len(), people.len()));
        }
    }
}
