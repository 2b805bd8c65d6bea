//! Who speaks for the unit, and how that passes on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::tests::{accept, copy};
use super::*;
use crate::fixture::*;

#[test]
fn a_charter_is_taken_only_from_the_authority() {
    let mut roster = brigade();
    for signer in ["Army1", "Army2", "Truck", "Stranger"] {
        let forged = forge_charter(&roster, &[signer], |_| {});
        assert!(matches!(accept(&mut roster, &forged), Err(Refusal::Decode(DecodeError::UnderSigned { found: 1 }))));
        let forged = forge_charter(&roster, &[signer], |text| text.authority = authority(&[signer], 1));
        assert!(matches!(accept(&mut roster, &forged), Err(Refusal::NotYetJudgeable)), "{signer}");
    }
    assert_eq!(roster.charter().authority(), &authority(&["Chief"], 1));
}

#[test]
fn a_threshold_counts_different_keys_of_the_authority() {
    let mut roster = founded();
    let council = forge_charter(&roster, &["Chief", "B", "C"], |text| {
        text.authority = authority(&["Chief", "B", "C"], 2);
    });
    accept(&mut roster, &council).unwrap();
    for signers in [&["B"][..], &["B", "Stranger"], &["Stranger", "Army1"]] {
        let forged = forge_charter(&roster, signers, |_| {});
        assert!(accept(&mut roster, &forged).is_err(), "{signers:?}");
    }
    for signers in [&["B", "C"][..], &["Chief", "C", "Stranger"]] {
        let signed = forge_charter(&roster, signers, |_| {});
        assert_eq!(accept(&mut roster, &signed).unwrap(), Accepted::New, "{signers:?}");
    }
}

#[test]
fn a_change_of_authority_needs_the_old_and_the_new_one() {
    let roster = founded();
    let handover = |signers: &[&str]| {
        let document = forge_charter(&roster, signers, |text| text.authority = authority(&["Heir"], 1));
        accept(&mut roster.clone(), &document)
    };
    assert!(matches!(handover(&["Chief"]), Err(Refusal::Decode(DecodeError::UnderSigned { .. }))));
    assert!(matches!(handover(&["Heir"]), Err(Refusal::NotYetJudgeable)));
    assert_eq!(handover(&["Chief", "Heir"]).unwrap(), Accepted::New);
}

/// Two changes of authority, and a charter by the last: Chief, Heir, Third.
fn successions(roster: &Roster) -> [Vec<u8>; 3] {
    let mut roster = roster.clone();
    let mut next = |signers: &[&str], heir: &str, minute: u64| {
        let document = forge_charter(&roster, signers, |text| {
            text.authority = authority(&[heir], 1);
            text.issued = minutes(minute);
            new_epoch(&mut text.keyring, minutes(minute));
        });
        roster.accept(&document, minutes(60)).unwrap();
        document
    };
    [next(&["Chief", "Heir"], "Heir", 1), next(&["Heir", "Third"], "Third", 2), next(&["Third"], "Third", 3)]
}

#[test]
fn a_node_that_was_away_walks_the_chain_in_any_order() {
    let roster = founded();
    let documents = successions(&roster);
    let mut digests = BTreeSet::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut node = roster.clone();
        for at in order {
            drop(accept(&mut node, &documents[at]));
        }
        assert_eq!(node.charter().version(), 5, "{order:?}");
        assert_eq!(node.charter().authority(), &authority(&["Third"], 1));
        digests.insert(node.digest());
    }
    assert_eq!(digests.len(), 1);
}

#[test]
fn the_chain_is_kept_for_ever() {
    let mut roster = founded();
    let documents = successions(&roster);
    take(&mut roster, &documents, minutes(60));
    let later = T0.plus_ms(400 * DAY_MS);
    roster.prune(later);
    let versions: Vec<_> = roster.timeline.chain.iter().map(|charter| charter.body.version()).collect();
    assert_eq!(versions, [1, 3, 4]);
    let mut away = founded();
    for (_, bytes) in roster.documents() {
        away.accept(bytes, later).unwrap();
    }
    assert_eq!(away.digest(), roster.digest());
}

#[test]
fn what_a_former_authority_signs_has_no_standing() {
    let mut roster = founded();
    let late = forge_charter(&roster, &["Chief"], |text| {
        text.version = 50;
        text.issued = minutes(5);
    });
    let [handover, ..] = successions(&roster);
    accept(&mut roster, &late).unwrap();
    assert_eq!(roster.charter().version(), 50);
    assert_eq!(accept(&mut roster, &handover).unwrap(), Accepted::New);
    assert_eq!(roster.charter().version(), 3);
    let mut other = founded();
    accept(&mut other, &handover).unwrap();
    assert!(matches!(accept(&mut other, &late), Err(Refusal::NotYetJudgeable)));
    assert_eq!(other.digest(), roster.digest());
}

#[test]
fn a_stolen_former_authority_cannot_rewrite_a_settled_chain() {
    let mut roster = founded();
    let coup = forge_charter(&roster, &["Chief", "Thief"], |text| {
        text.authority = authority(&["Thief"], 1);
        text.issued = T0;
    });
    let documents = successions(&roster);
    take(&mut roster, &documents, minutes(60));
    let settled = T0.plus_ms(8 * DAY_MS);
    assert!(matches!(roster.accept(&coup, settled), Err(Refusal::Superseded)));
    roster.prune(settled);
    assert_eq!(roster.charter().authority(), &authority(&["Third"], 1));
    assert_eq!(copy(&roster).charter().authority(), &authority(&["Third"], 1));
}

#[test]
fn of_charters_with_one_version_the_one_with_the_lower_hash_is_in_force() {
    let roster = founded();
    let forge = |n: u32| forge_charter(&roster, &["Chief"], |text| text.name = format!("Unit {n}").parse().unwrap());
    let rivals: Vec<_> = (0..6).map(forge).collect();
    let tie = |bytes: &Vec<u8>| match Signed::decode(bytes) {
        Ok(Signed::Charter(charter)) => charter.tie,
        _ => panic!("not a charter"),
    };
    let lowest = DocumentId::of(rivals.iter().min_by_key(|rival| tie(rival)).unwrap());
    for turn in 0..rivals.len() {
        let mut node = roster.clone();
        for rival in rivals.iter().cycle().skip(turn).take(rivals.len()) {
            drop(accept(&mut node, rival));
        }
        assert!(node.in_force(lowest));
    }
}

#[test]
fn an_added_signature_does_not_choose_between_charters_of_one_version() {
    let roster = founded();
    let mut winners = BTreeSet::new();
    for extra in ["X1", "X2", "X3", "X4", "X5", "X6", "X7", "X8"] {
        let mut node = roster.clone();
        let forge =
            |name: &str, signers: &[&str]| forge_charter(&roster, signers, |text| text.name = name.parse().unwrap());
        drop(accept(&mut node, &forge("A", &["Chief"])));
        drop(accept(&mut node, &forge("B", &["Chief", extra])));
        winners.insert(node.unit_name().to_owned());
    }
    assert_eq!(winners.len(), 1);
}

#[test]
fn a_change_of_authority_goes_before_another_charter_of_its_version() {
    let roster = founded();
    let [handover, ..] = successions(&roster);
    for n in 0..8 {
        for heir in ["Chief", "Heir"] {
            let rival = forge_charter(&roster, &[heir], |text| {
                text.name = format!("Rival {n}").parse().unwrap();
                text.authority = authority(&[heir], 1);
            });
            for pair in [[&handover, &rival], [&rival, &handover]] {
                let mut node = roster.clone();
                for document in pair {
                    drop(accept(&mut node, document));
                }
                assert!(node.in_force(DocumentId::of(&handover)), "{heir}");
            }
        }
    }
}

#[test]
fn what_a_former_authority_signed_while_it_reigned_is_superseded_and_no_more() {
    let mut roster = founded();
    let version = |version: u64| forge_charter(&founded(), &["Chief"], |text| text.version = version);
    accept(&mut roster, &version(3)).unwrap();
    let documents = successions(&roster);
    take(&mut roster, &documents, minutes(60));
    assert!(matches!(accept(&mut roster, &version(2)), Err(Refusal::Superseded)));
    assert!(matches!(accept(&mut roster, &version(9)), Err(Refusal::NotYetJudgeable)));
}
