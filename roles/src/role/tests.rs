#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixture::{brigade, founded, group, key, minutes};

/// The design's table, one line a role: what it may read and post.
///
/// `R` reads and posts, `r` reads only, `-` neither.
const TABLE: [(&str, [(&str, char); 4]); 8] = [
    ("Chief", [("heads", 'R'), ("navy", 'r'), ("airforce", 'r'), ("army", 'r')]),
    ("Navy1", [("heads", 'R'), ("navy", 'R'), ("airforce", '-'), ("army", '-')]),
    ("Airforce1", [("heads", 'R'), ("navy", '-'), ("airforce", 'R'), ("army", '-')]),
    ("Army1", [("heads", 'R'), ("navy", '-'), ("airforce", '-'), ("army", 'R')]),
    ("Navy2", [("heads", '-'), ("navy", 'R'), ("airforce", '-'), ("army", '-')]),
    ("Airforce2", [("heads", '-'), ("navy", '-'), ("airforce", 'R'), ("army", '-')]),
    ("Army3", [("heads", '-'), ("navy", '-'), ("airforce", '-'), ("army", 'R')]),
    ("Truck", [("heads", '-'), ("navy", '-'), ("airforce", '-'), ("army", '-')]),
];

#[test]
fn every_role_reads_and_posts_as_the_table_says() {
    let roster = brigade();
    let standing = roster.at(minutes(1));
    for (who, rights) in TABLE {
        let member = standing.member(&key(who)).unwrap();
        for (id, right) in rights {
            let group = group(id);
            assert_eq!(member.role.may_read(&group), right != '-', "{who} reading {id}");
            assert_eq!(member.role.may_post(&group), right == 'R', "{who} posting to {id}");
            let permit = permit(&standing, &key(who), &group);
            assert_eq!(permit.is_ok(), right == 'R', "permit for {who} in {id}");
            if let Ok(permit) = permit {
                assert_eq!(permit.name.as_str(), who);
                assert_eq!(permit.role, member.role);
            }
        }
    }
}

#[test]
fn the_table_covers_every_group_and_kind_of_role() {
    let roster = brigade();
    let groups: Vec<_> = roster.groups().map(GroupId::as_str).collect();
    for (who, rights) in TABLE {
        assert_eq!(rights.map(|(id, _)| id).as_slice(), groups, "{who}");
    }
    let has = |wanted: fn(&Role) -> bool| {
        let mut roles = TABLE.iter().filter_map(|(who, _)| roster.member(&key(who)));
        roles.any(|member| wanted(&member.role))
    };
    assert!(has(|role| matches!(role, Role::Commander)));
    assert!(has(|role| matches!(role, Role::Leader(_))));
    assert!(has(|role| matches!(role, Role::Soldier(_))));
    assert!(has(|role| matches!(role, Role::Carrier)));
}

#[test]
fn denials_give_the_reason() {
    let roster = brigade();
    let standing = roster.at(minutes(1));
    let ask = |who: &str, id: &str| permit(&standing, &key(who), &group(id)).unwrap_err();
    let army = || group("army");
    assert_eq!(ask("Army3", "heads"), Denial::SoldierToHeads);
    assert_eq!(ask("Chief", "army"), Denial::CommanderToTroop { group: army() });
    let other = |own| Denial::OtherTroop { own: group(own), group: army() };
    assert_eq!(ask("Navy1", "army"), other("navy"));
    assert_eq!(ask("Navy2", "army"), other("navy"));
    assert_eq!(ask("Truck", "army"), Denial::CarrierPosts);
    assert_eq!(ask("Truck", "heads"), Denial::CarrierPosts);
    assert_eq!(ask("Stranger", "army"), Denial::NotAMember);
    assert_eq!(ask("Army3", "marines"), Denial::UnknownGroup { group: group("marines") });
}

/// What each role may do where it stands in [`TABLE`] with each right: text, order, answer, receipt; then the same at
/// flash precedence, but for receipts, which have none.
fn acts(who: &str, right: char) -> [bool; 7] {
    let in_command = matches!(who, "Chief" | "Navy1" | "Airforce1" | "Army1");
    match (right, in_command) {
        ('R', true) => [true, true, true, true, true, true, true],
        ('R', false) => [true, false, true, true, false, false, false],
        ('r', true) => [false, false, true, true, false, false, true],
        _ => [false; 7],
    }
}

#[test]
fn every_role_may_do_in_every_group_what_its_right_to_it_gives_and_nothing_more() {
    let roster = brigade();
    let standing = roster.at(minutes(1));
    let mut asked = 0;
    for (who, rights) in TABLE {
        for (id, right) in rights {
            let [text, order, answer, receipt, flash_text, flash_order, flash_answer] = acts(who, right);
            for act in Act::all() {
                let is_flash = act.precedence() == Precedence::Flash;
                let may = match act {
                    Act::Text(_) => {
                        if is_flash {
                            flash_text
                        } else {
                            text
                        }
                    }
                    Act::Order(_) => {
                        if is_flash {
                            flash_order
                        } else {
                            order
                        }
                    }
                    Act::Answer(_) => {
                        if is_flash {
                            flash_answer
                        } else {
                            answer
                        }
                    }
                    Act::Receipt => receipt,
                };
                let permit = permit_act(&standing, &key(who), &group(id), act);
                assert_eq!(permit.is_ok(), may, "{who} in {id}: {act:?}");
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 8 * 4 * 13, "every role, group, act and precedence");
}

#[test]
fn orders_and_flash_messages_of_soldiers_are_denied_with_the_reason() {
    let roster = brigade();
    let standing = roster.at(minutes(1));
    let ask = |who: &str, id: &str, act| permit_act(&standing, &key(who), &group(id), act).unwrap_err();
    assert_eq!(ask("Army3", "army", Act::Order(Precedence::Routine)), Denial::SoldierOrders);
    assert_eq!(ask("Army3", "army", Act::Order(Precedence::Flash)), Denial::SoldierOrders);
    assert_eq!(ask("Army3", "army", Act::Text(Precedence::Flash)), Denial::SoldierFlash);
    assert_eq!(ask("Army3", "army", Act::Answer(Precedence::Flash)), Denial::SoldierFlash);
    assert_eq!(ask("Army3", "heads", Act::Receipt), Denial::SoldierToHeads);
    assert_eq!(ask("Truck", "army", Act::Receipt), Denial::CarrierPosts);
    let other = Denial::OtherTroop { own: group("navy"), group: group("army") };
    assert_eq!(ask("Navy2", "army", Act::Receipt), other);
    assert_eq!(ask("Navy1", "army", Act::Answer(Precedence::Routine)), other);
    assert_eq!(
        ask("Chief", "army", Act::Order(Precedence::Routine)),
        Denial::CommanderToTroop { group: group("army") }
    );
}

#[test]
fn a_member_not_yet_admitted_is_nobody() {
    let roster = founded();
    let denial = permit(&roster.at(minutes(1)), &key("Army1"), &group("army"));
    assert_eq!(denial, Err(Denial::NotAMember));
}

#[test]
fn home_groups_are_where_each_role_starts() {
    let army = group("army");
    assert_eq!(Role::Commander.home_group(), Some(&GroupId::heads()));
    assert_eq!(Role::Leader(army.clone()).home_group(), Some(&army));
    assert_eq!(Role::Soldier(army.clone()).home_group(), Some(&army));
    assert_eq!(Role::Carrier.home_group(), None);
}
