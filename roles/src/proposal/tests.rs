#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;
use crate::edit::{Edit, NewAuthority, propose};
use crate::fixture::*;
use crate::name::GroupId;
use crate::role::Role;

/// A change of authority as the chief has signed it: two charters and three sheets.
fn proposed() -> Proposal {
    let new = NewAuthority { keys: ["Chief", "Army1", "Navy1"].map(key).to_vec(), threshold: 2, commander: None };
    propose(&brigade(), &identity("Chief"), &Edit::Authority(new), minutes(1)).unwrap()
}

fn change(signer: &str, edit: &Edit) -> Proposal {
    propose(&brigade(), &identity(signer), edit, minutes(1)).unwrap()
}

fn of_documents(documents: &[&[u8]]) -> Result<Proposal, ProposalError> {
    let documents = documents.iter().copied().map(Bytes::new).collect();
    Proposal::decode(&wire::to_cbor(&WireProposal(MAGIC, FORMAT, documents)))
}

#[test]
fn a_file_gives_the_proposal_back() {
    let proposal = proposed();
    let again = Proposal::decode(&proposal.encode()).unwrap();
    assert_eq!(again.encode(), proposal.encode());
    assert_eq!(again.signers(), [key("Chief")]);
    assert_eq!(again.unit(), brigade().unit());
    assert_eq!(again.documents().count(), 5);
}

#[test]
fn a_damaged_file_is_refused_wherever_the_damage_is() {
    let good = change("Chief", &Edit::Remove { name: "Army2".into() }).encode();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x01;
        assert!(Proposal::decode(&bad).is_err(), "byte {at}");
        assert!(Proposal::decode(&good[..at]).is_err(), "length {at}");
    }
    assert!(Proposal::decode(&[good.as_slice(), &[0]].concat()).is_err());
    let beyond = vec![0; MAX_PROPOSAL_LEN + 1];
    assert!(matches!(Proposal::decode(&beyond), Err(ProposalError::TooLong { .. })));
}

#[test]
fn documents_that_are_not_one_change_are_refused() {
    let proposal = proposed();
    let own: Vec<_> = proposal.documents().collect();
    let foreign = forge_charter(&founded(), &["Other"], |text| {
        text.authority = authority(&["Other"], 1);
        text.unit = text.authority.unit();
    });
    let third = forge_charter(&brigade(), &["Chief"], |text| text.version = 40);
    let cases: [&[&[u8]]; 7] = [
        &[],
        &[own[1], own[0]],
        &[own[0], own[0]],
        &[own[2], own[2]],
        &[own[2], own[0]],
        &[own[0], &foreign],
        &[own[0], own[1], &third],
    ];
    for case in cases {
        assert!(matches!(of_documents(case), Err(ProposalError::NotOneChange)), "{}", case.len());
    }
    assert!(of_documents(&own).is_ok());
    let many = vec![own[2]; MAX_DOCUMENTS + 1];
    assert!(matches!(of_documents(&many), Err(ProposalError::Malformed(_))));
    assert!(matches!(of_documents(&[own[0], &[1, 2, 3]]), Err(ProposalError::Document { position: 2, .. })));
}

#[test]
fn only_the_authority_s_keys_sign_and_once() {
    let roster = brigade();
    let mut proposal = proposed();
    let mut sign = |who: &str| proposal.sign(&roster, &identity(who), minutes(2));
    for stranger in ["Army2", "Airforce1", "Truck", "Stranger"] {
        assert!(matches!(sign(stranger), Err(ProposalError::NotASigner)), "{stranger}");
    }
    assert!(matches!(sign("Chief"), Err(ProposalError::SignedAlready)));
    sign("Navy1").unwrap();
    assert!(matches!(sign("Navy1"), Err(ProposalError::SignedAlready)));
}

#[test]
fn a_proposal_is_signed_on_the_roster_it_was_made_for_and_no_other() {
    let now = minutes(2);
    let roster = brigade();
    let proposal = proposed();
    proposal.check(&roster, now).unwrap();

    let mut moved_on = roster.clone();
    add(&mut moved_on, "Army1", "Army4", Role::Soldier(group("army")), minutes(1));
    let error = proposal.check(&moved_on, now).unwrap_err();
    assert!(matches!(&error, ProposalError::Outdated { group: g, has: 5 } if *g == group("army")), "{error}");
    assert!(error.hint().unwrap().contains("anew"));

    assert!(matches!(proposal.check(&founded(), now), Err(ProposalError::Ahead { .. })));
    assert!(matches!(proposal.check(&roster, minutes(1).plus_ms(8 * DAY_MS)), Err(ProposalError::TooOld)));
    assert!(matches!(
        proposal.check(&roster, T0.minus_ms(10 * 60_000)),
        Err(ProposalError::FromTheFuture { ahead_ms: 660_000 })
    ));

    let mut done = roster.clone();
    let mut signed = proposal.clone();
    signed.sign(&roster, &identity("Army1"), now).unwrap();
    take(&mut done, &signed.into_documents(), now);
    assert!(matches!(proposal.check(&done, now), Err(ProposalError::InForce)));
}

#[test]
fn a_proposal_of_another_unit_is_not_signed() {
    let troops = troops();
    let documents = crate::found(&"Other".parse().unwrap(), &name("Chief"), &identity("Other"), &troops, T0).unwrap();
    let other = roster_of(&documents, T0);
    let proposal = propose(&other, &identity("Other"), &Edit::Rekey, minutes(1)).unwrap();
    assert!(matches!(proposal.check(&brigade(), minutes(1)), Err(ProposalError::OtherUnit { .. })));
}

#[test]
fn what_would_change_is_told_in_plain_words() {
    let roster = brigade();
    let new =
        NewAuthority { keys: ["Army1", "Navy1"].map(key).to_vec(), threshold: 2, commander: Some(person("Navy1")) };
    let holders = |names: [&str; 2]| {
        let mut names = names.map(|name| (key(name), name));
        names.sort_unstable();
        names.map(|(_, name)| name).join(", ")
    };
    let shown = change("Chief", &Edit::Authority(new)).changes(&roster).to_string();
    let expected = format!(
        "authority  2 of {}, until now 1 of Chief\n\
         goes       Chief, commander\n\
         becomes    Navy1, leader of navy: Navy1, commander\n\
         new keys   heads, navy, airforce, army",
        holders(["Army1", "Navy1"])
    );
    assert_eq!(shown, expected);

    let add = Edit::Add { name: name("Army4"), role: Role::Soldier(group("army")), key: key("Army4") };
    let shown = change("Chief", &add).changes(&roster).to_string();
    assert_eq!(shown, format!("comes      Army4, soldier of army, {}", key("Army4")));
    let shown = change("Chief", &Edit::Remove { name: "Army2".into() }).changes(&roster).to_string();
    assert_eq!(shown, "goes       Army2, soldier of army\nnew keys   army");
    assert_eq!(change("Chief", &Edit::Rekey).changes(&roster).to_string(), "new keys   heads, navy, airforce, army");
}

#[test]
fn what_a_rightful_change_would_not_do_is_pointed_out() {
    let roster = brigade();
    let of = |document: Vec<u8>| of_documents(&[&document]).unwrap().changes(&roster).faults;
    let army = group("army");
    let kept = of(forge_sheet(&roster, "army", &["Chief"], |text| {
        text.soldiers.retain(|soldier| soldier.name.as_str() != "Army2");
    }));
    assert!(kept.contains(&Fault::NoNewEpoch { group: army.clone() }), "{kept:?}");
    assert!(kept.contains(&Fault::Leaked { group: army, keys: 1 }), "{kept:?}");
    let unread = of(forge_sheet(&roster, "army", &["Chief"], |text| text.soldiers.push(person("Army4"))));
    assert!(matches!(&unread[..], [Fault::Unread { member, .. }] if member.name == name("Army4")), "{unread:?}");
    let spied = of(forge_charter(&roster, &["Chief"], |text| {
        let mut entry = text.keyring.sealed[0].clone();
        entry.to = *key("Spy").as_bytes();
        text.keyring.sealed.push(entry);
        text.keyring.sealed.sort_unstable_by_key(|entry| entry.to);
    }));
    assert_eq!(spied, [Fault::Leaked { group: GroupId::heads(), keys: 1 }]);
    let rightful = proposed().changes(&roster);
    assert_eq!(rightful.faults, []);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Proposal::decode(&bytes).is_err());
    }

    #[test]
    fn a_file_with_bytes_changed_is_refused(changes in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..6)) {
        let good = proposed().encode();
        let mut bad = good.clone();
        for (at, flip) in changes {
            bad[at.index(good.len())] ^= flip;
        }
        prop_assert!(bad == good || Proposal::decode(&bad).is_err());
    }
}
