#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use proptest::sample::Index;
use serde_cbor::Value;

use super::*;
use crate::document::{
    MAX_MEMBERS_PER_DOCUMENT, MAX_TROOPS, Person, RESERVED_LETTERS, SealedKey, SealedKeyring, TroopDef,
};
use crate::fixture::sign;
use crate::fixture::*;
use crate::roster::Roster;

fn sheet_text() -> SheetText {
    brigade().sheet(&group("army")).unwrap().text().clone()
}

fn charter_text() -> CharterText {
    brigade().charter().text().clone()
}

/// Signs whatever bytes as a document, the way a hostile member could.
fn sign_bytes(domain: &[u8], payload: &[u8], signer: &str) -> Vec<u8> {
    let signature = *identity(signer).sign(&[domain, payload].concat()).as_bytes();
    let signature = WireSignature(WireKey(key(signer)), ByteArray::new(signature));
    wire::to_cbor(&WireEnvelope(FORMAT, payload, vec![signature]))
}

fn sign_sheet_value(value: &Value) -> Result<Signed, DecodeError> {
    Signed::decode(&sign_bytes(SHEET_DOMAIN, &serde_cbor::to_vec(value).unwrap(), "Chief"))
}

fn sheet_value() -> Value {
    serde_cbor::value::to_value(Payload::Sheet(sheet_text())).unwrap()
}

/// The sheet as a map of its fields.
fn fields(value: &mut Value) -> &mut std::collections::BTreeMap<Value, Value> {
    let Value::Map(outer) = value else { panic!("not a map") };
    let Some(Value::Map(fields)) = outer.values_mut().next() else { panic!("not a map of a map") };
    fields
}

fn check_sheet(change: impl FnOnce(&mut SheetText)) -> Result<Signed, DecodeError> {
    let mut text = sheet_text();
    change(&mut text);
    Signed::decode(&sign_bytes(SHEET_DOMAIN, &wire::to_cbor(&Payload::Sheet(text)), "Chief"))
}

fn check_charter(change: impl FnOnce(&mut CharterText)) -> Result<Signed, DecodeError> {
    let mut text = charter_text();
    change(&mut text);
    Signed::decode(&sign_bytes(CHARTER_DOMAIN, &wire::to_cbor(&Payload::Charter(text)), "Chief"))
}

fn invalid(result: Result<Signed, DecodeError>) -> InvalidDocument {
    match result {
        Err(DecodeError::Invalid(invalid)) => invalid,
        Err(other) => panic!("refused for another reason: {other:?}"),
        Ok(_) => panic!("taken"),
    }
}

#[test]
fn documents_come_back_as_they_were_signed() {
    let bytes = sign(Payload::Charter(charter_text()), &["Chief", "Army1"]);
    let Signed::Charter(charter) = Signed::decode(&bytes).unwrap() else { panic!("not a charter") };
    assert_eq!(charter.body.text(), &charter_text());
    assert_eq!(&*charter.bytes, bytes);
    assert_eq!(charter.id, DocumentId::of(&bytes));
    let mut signers = vec![key("Chief"), key("Army1")];
    signers.sort_unstable();
    assert_eq!(charter.signers, signers);

    let bytes = sign(Payload::Sheet(sheet_text()), &["Army1"]);
    let Signed::Sheet(sheet) = Signed::decode(&bytes).unwrap() else { panic!("not a sheet") };
    assert_eq!(sheet.body.text(), &sheet_text());
}

#[test]
fn map_keys_are_in_the_order_of_rfc_8949() {
    for payload in [Payload::Charter(charter_text()), Payload::Sheet(sheet_text())] {
        let bytes = wire::to_cbor(&payload);
        // `Value` keeps maps in the order of their encoded keys.
        let value: Value = serde_cbor::from_slice(&bytes).unwrap();
        assert_eq!(serde_cbor::to_vec(&value).unwrap(), bytes);
    }
}

#[test]
fn a_signature_for_one_kind_of_document_never_passes_for_another() {
    let charter = wire::to_cbor(&Payload::Charter(charter_text()));
    let sheet = wire::to_cbor(&Payload::Sheet(sheet_text()));
    assert!(Signed::decode(&sign_bytes(CHARTER_DOMAIN, &charter, "Chief")).is_ok());
    assert!(Signed::decode(&sign_bytes(SHEET_DOMAIN, &sheet, "Chief")).is_ok());
    for (domain, payload) in [(SHEET_DOMAIN, &charter), (CHARTER_DOMAIN, &sheet), (b"", &sheet), (b"", &charter)] {
        let bytes = sign_bytes(domain, payload, "Chief");
        assert!(matches!(Signed::decode(&bytes), Err(DecodeError::BadSignature { .. })));
    }
}

#[test]
fn signers_are_each_checked_in_order_and_once() {
    let payload = wire::to_cbor(&Payload::Sheet(sheet_text()));
    let message = [SHEET_DOMAIN, &payload].concat();
    let mut entries: Vec<_> = ["Chief", "Army1", "Army2"]
        .map(|who| (key(who), *identity(who).sign(&message).as_bytes()))
        .into_iter()
        .collect();
    entries.sort_unstable();
    let decode = |entries: &[(PublicKey, [u8; 64])]| {
        let wire = entries.iter().map(|(key, bytes)| WireSignature(WireKey(*key), ByteArray::new(*bytes)));
        Signed::decode(&wire::to_cbor(&WireEnvelope(FORMAT, &payload, wire.collect())))
    };
    assert!(decode(&entries).is_ok());
    assert!(matches!(decode(&[]), Err(DecodeError::UnderSigned { found: 0 })));
    assert!(matches!(decode(&[entries[0], entries[0]]), Err(DecodeError::SignerOrder)));
    assert!(matches!(decode(&[entries[1], entries[0]]), Err(DecodeError::SignerOrder)));
    let swapped = [(entries[0].0, entries[0].1), (entries[1].0, entries[0].1)];
    assert!(matches!(decode(&swapped), Err(DecodeError::BadSignature { signer }) if signer == entries[1].0));
}

#[test]
fn no_more_signatures_are_read_than_two_authorities_have() {
    let names: Vec<_> = (0..=MAX_SIGNATURES).map(|n| format!("S{n}")).collect();
    let signers: Vec<_> = names.iter().map(String::as_str).collect();
    assert!(Signed::decode(&sign(Payload::Sheet(sheet_text()), &signers[1..])).is_ok());
    let bytes = sign(Payload::Sheet(sheet_text()), &signers);
    assert!(matches!(Signed::decode(&bytes), Err(DecodeError::Malformed(_))));
}

#[test]
fn another_format_is_named() {
    let payload = wire::to_cbor(&Payload::Sheet(sheet_text()));
    let bytes = wire::to_cbor(&WireEnvelope(2, &payload, Vec::new()));
    assert!(matches!(Signed::decode(&bytes), Err(DecodeError::Format { found: 2 })));
}

#[test]
fn a_second_way_of_writing_the_same_is_refused() {
    let good = wire::to_cbor(&Payload::Sheet(sheet_text()));
    let decode = |payload: &[u8]| Signed::decode(&sign_bytes(SHEET_DOMAIN, payload, "Chief"));
    assert!(decode(&good).is_ok());
    assert_eq!(good[..8], *b"\xa1\x65sheet\xa7");

    let trailing = [&good, &[0x00][..]].concat();
    let indefinite_map = [&b"\xbf"[..], &good[1..], b"\xff"].concat();
    let long_map_length = [&b"\xb8\x01"[..], &good[1..]].concat();
    let chunked_key = [&b"\xa1\x7f\x65sheet\xff"[..], &good[7..]].concat();
    let as_array = [&b"\x82"[..], &good[1..]].concat();
    let tagged = [&b"\xc1"[..], &good].concat();
    for bad in [trailing, indefinite_map, long_map_length, chunked_key, as_array, tagged] {
        let result = decode(&bad);
        assert!(matches!(result, Err(DecodeError::Malformed(_) | DecodeError::NotCanonical)));
    }
    let envelope = sign(Payload::Sheet(sheet_text()), &["Chief"]);
    let long_integer = [&envelope[..1], b"\x18\x01", &envelope[2..]].concat();
    assert!(matches!(Signed::decode(&long_integer), Err(DecodeError::NotCanonical)));
    let trailing = [&envelope, &[0xf6][..]].concat();
    assert!(matches!(Signed::decode(&trailing), Err(DecodeError::Malformed(_))));
}

#[test]
fn fields_can_be_neither_added_nor_left_out_nor_of_another_type() {
    assert!(sign_sheet_value(&sheet_value()).is_ok());
    let mut added = sheet_value();
    fields(&mut added).insert(Value::Text("note".into()), Value::Integer(1));
    assert!(matches!(sign_sheet_value(&added), Err(DecodeError::Malformed(_))));
    let names: Vec<_> = fields(&mut sheet_value()).keys().cloned().collect();
    assert_eq!(names.len(), 7);
    for name in names {
        let mut without = sheet_value();
        fields(&mut without).remove(&name);
        assert!(sign_sheet_value(&without).is_err(), "without {name:?}");
        for other in [Value::Null, Value::Integer(-1), Value::Float(1.0), Value::Bool(true), Value::Text("x y".into())]
        {
            let mut changed = sheet_value();
            fields(&mut changed).insert(name.clone(), other);
            assert!(sign_sheet_value(&changed).is_err(), "another {name:?}");
        }
    }
}

#[test]
fn claimed_lengths_are_not_believed() {
    for major in [0x40, 0x60, 0x80, 0xa0, 0x5f & 0xe0] {
        for length in [u64::MAX, 1 << 60, 1 << 32, 1 << 20] {
            let claim = [&[major | 0x1b][..], &length.to_be_bytes()].concat();
            assert!(Signed::decode(&claim).is_err());
            assert!(Roster::decode(&claim, T0).is_err());
            for (start, at) in [(&b"\x83\x01"[..], "payload"), (b"\x83\x01\x41\x00", "signatures")] {
                assert!(Signed::decode(&[start, &claim].concat()).is_err(), "{at}");
            }
            assert!(Roster::decode(&[b"\x82\x01", &claim[..]].concat(), T0).is_err());
            let inside = [b"\xa1\x65sheet\xa6\x64unit", &claim[..]].concat();
            assert!(Signed::decode(&sign_bytes(SHEET_DOMAIN, &inside, "Chief")).is_err());
        }
    }
    let nested = [b"\x81".repeat(100_000), b"\x00".to_vec()].concat();
    assert!(Signed::decode(&nested).is_err());
    let nested = sign_bytes(SHEET_DOMAIN, &nested, "Chief");
    assert!(Signed::decode(&nested).is_err());
}

#[test]
fn a_document_has_at_most_a_mebibyte() {
    let bytes = vec![0x83; MAX_DOCUMENT_LEN + 1];
    assert!(matches!(Signed::decode(&bytes), Err(DecodeError::TooLong { found }) if found == bytes.len()));
    assert!(matches!(Signed::decode(&bytes[1..]), Err(DecodeError::Malformed(_))));
}

#[test]
fn the_largest_sheet_fits_and_one_soldier_more_does_not() {
    let longest = |n: usize| Person { name: name(&format!("{n:032}")), key: key(&n.to_string()) };
    let sealed = |person: &Person| SealedKey { to: *person.key.as_bytes(), sealed: [0xff; muster_keys::SEALED_LEN] };
    let full = |soldiers: usize| {
        let mut text = sheet_text();
        text.soldiers = (0..soldiers).map(longest).collect();
        text.keyring.sealed = text.soldiers.iter().take(MAX_MEMBERS_PER_DOCUMENT).map(sealed).collect();
        text.keyring.sealed.sort_unstable_by_key(|entry| entry.to);
        text
    };
    let text = full(MAX_MEMBERS_PER_DOCUMENT);
    let bytes = sign(Payload::Sheet(text), &["Chief"]);
    assert!(bytes.len() < MAX_DOCUMENT_LEN / 2, "{}", bytes.len());
    assert!(Signed::decode(&bytes).is_ok());

    let text = full(MAX_MEMBERS_PER_DOCUMENT + 1);
    let result = signed_by_chief(Payload::Sheet(text.clone()));
    assert_eq!(result.unwrap_err(), InvalidDocument::TooManyMembers { found: 2_001 });
    let bytes = sign_bytes(SHEET_DOMAIN, &wire::to_cbor(&Payload::Sheet(text)), "Chief");
    assert!(matches!(Signed::decode(&bytes), Err(DecodeError::Malformed(_))));
}

#[test]
fn a_charter_has_at_most_as_many_carriers() {
    let text = |n: usize| CharterText { carriers: (0..n).map(|n| person(&n.to_string())).collect(), ..charter_text() };
    assert!(signed_by_chief(Payload::Charter(text(MAX_MEMBERS_PER_DOCUMENT))).is_ok());
    let result = signed_by_chief(Payload::Charter(text(MAX_MEMBERS_PER_DOCUMENT + 1)));
    assert_eq!(result.unwrap_err(), InvalidDocument::TooManyMembers { found: 2_001 });
}

fn signed_by_chief(payload: Payload) -> Result<Vec<u8>, InvalidDocument> {
    super::sign(payload, &[&identity("Chief")])
}

#[test]
fn versions_and_epochs_count_from_one() {
    assert_eq!(invalid(check_sheet(|text| text.version = 0)), InvalidDocument::Version);
    assert_eq!(invalid(check_charter(|text| text.version = 0)), InvalidDocument::Version);
    assert_eq!(invalid(check_sheet(|text| text.keyring.epoch = 0)), InvalidDocument::Keyring);
    assert_eq!(invalid(check_charter(|text| text.keyring.epoch = 0)), InvalidDocument::Keyring);
}

#[test]
fn a_sheet_knows_of_no_removal_to_come() {
    assert_eq!(invalid(check_sheet(|text| text.removal = text.version + 1)), InvalidDocument::Removal);
    assert!(check_sheet(|text| text.removal = text.version).is_ok());
}

#[test]
fn an_epoch_cannot_begin_after_its_document() {
    let later = |ring: &mut SealedKeyring, issued: Timestamp| ring.since = issued.next();
    assert_eq!(invalid(check_sheet(|text| later(&mut text.keyring, text.issued))), InvalidDocument::Keyring);
    assert_eq!(invalid(check_charter(|text| later(&mut text.keyring, text.issued))), InvalidDocument::Keyring);
}

#[test]
fn sealed_keys_are_in_order_and_once() {
    assert_eq!(invalid(check_sheet(|text| text.keyring.sealed.reverse())), InvalidDocument::Keyring);
    let twice = check_sheet(|text| text.keyring.sealed.insert(0, text.keyring.sealed[0].clone()));
    assert_eq!(invalid(twice), InvalidDocument::Keyring);
}

#[test]
fn an_authority_must_be_in_order_and_within_reach() {
    for threshold in [0, 2, u32::MAX] {
        let result = check_charter(|text| text.authority = authority(&["Chief"], threshold));
        assert_eq!(invalid(result), InvalidDocument::Authority);
    }
    let mut keys = [key("Chief"), key("Army1")];
    keys.sort_unstable();
    for keys in [vec![], vec![keys[0], keys[0]], vec![keys[1], keys[0]]] {
        let result = check_charter(|text| text.authority = crate::Authority::of(keys, 1));
        assert_eq!(invalid(result), InvalidDocument::Authority);
    }
    let many = |n: u32| (0..n).map(|n| key(&n.to_string())).chain([key("Chief")]).collect::<Vec<_>>();
    let check = |mut keys: Vec<PublicKey>| {
        keys.sort_unstable();
        check_charter(|text| text.authority = crate::Authority::of(keys, 1))
    };
    assert!(check(many(15)).is_ok());
    assert!(matches!(check(many(16)), Err(DecodeError::Malformed(_))));
}

#[test]
fn troops_have_groups_and_letters_of_their_own() {
    let with =
        |troop: &str, letter: char| check_charter(|text| text.groups.push(TroopDef { id: group(troop), letter }));
    assert!(with("marines", 'm').is_ok());
    assert_eq!(invalid(with("navy", 'm')), InvalidDocument::Troop(group("navy")));
    assert_eq!(invalid(with("heads", 'm')), InvalidDocument::Troop(group("heads")));
    for letter in ['n', 'h', 't', 'd', 'M', '1', 'é', ' '] {
        let expected = InvalidDocument::Letter { troop: group("marines"), letter };
        assert_eq!(invalid(with("marines", letter)), expected);
    }
    assert_eq!(invalid(check_sheet(|text| text.group = group("heads"))), InvalidDocument::Troop(group("heads")));
}

#[test]
fn every_letter_can_have_a_troop_and_no_more() {
    let free = ('a'..='z').filter(|letter| !RESERVED_LETTERS.contains(letter));
    let mut all: Vec<_> = free.map(|letter| TroopDef { id: group(&format!("t{letter}")), letter }).collect();
    assert_eq!(all.len(), MAX_TROOPS);
    let check = |groups: &[TroopDef]| {
        check_charter(|text| {
            text.leaders.clear();
            text.groups = groups.to_vec();
        })
    };
    assert!(check(&all).is_ok());
    assert!(check(&[]).is_ok());
    all.push(TroopDef { id: group("more"), letter: 'm' });
    assert!(matches!(check(&all), Err(DecodeError::Malformed(_))));
}

#[test]
fn people_have_names_and_keys_of_their_own() {
    let twin = |name_of: &str, key_of: &str| Person { name: name(name_of), key: key(key_of) };
    let soldier = |person: Person| check_sheet(|text| text.soldiers.push(person));
    let carrier = |person: Person| check_charter(|text| text.carriers.push(person));
    assert_eq!(invalid(soldier(twin("aRMY2", "New"))), InvalidDocument::NameTwice(name("aRMY2")));
    assert_eq!(invalid(soldier(twin("New", "Army2"))), InvalidDocument::KeyTwice(key("Army2")));
    for taken in ["Chief", "Army1", "Truck"] {
        let lower = taken.to_lowercase();
        assert_eq!(invalid(carrier(twin(&lower, "New"))), InvalidDocument::NameTwice(name(&lower)));
        assert_eq!(invalid(carrier(twin("New", taken))), InvalidDocument::KeyTwice(key(taken)));
    }
}

#[test]
fn a_troop_has_one_leader_and_a_leader_a_troop() {
    let add = |troop: &str| check_charter(|text| text.leaders.push(leader("New", troop)));
    assert_eq!(invalid(add("army")), InvalidDocument::SecondLeader(group("army")));
    assert_eq!(invalid(add("marines")), InvalidDocument::LeaderOfNoTroop(group("marines")));
}

#[test]
fn a_weak_key_is_refused_wherever_it_stands() {
    // The identity point, which verifies forgeries, in the place of the first soldier's key.
    let mut value = sheet_value();
    let soldiers = fields(&mut value).get_mut(&Value::Text("soldiers".into()));
    let Some(Value::Array(soldiers)) = soldiers else { panic!("no soldiers") };
    let mut weak = vec![0; 32];
    weak[0] = 1;
    soldiers[0] = Value::Array(vec![Value::Text("Weak".into()), Value::Bytes(weak)]);
    assert!(matches!(sign_sheet_value(&value), Err(DecodeError::Malformed(_))));
}

/// Changes a byte, removes some, adds some or repeats some.
fn mutate(bytes: &[u8], at: Index, to: Index, byte: u8, kind: u8) -> Vec<u8> {
    let (at, to) = (at.index(bytes.len()), to.index(bytes.len()));
    let (from, to) = (at.min(to), at.max(to));
    let mut changed = bytes.to_vec();
    match kind % 5 {
        0 => changed[at] = byte,
        1 => drop(changed.drain(from..to)),
        2 => changed.insert(at, byte),
        3 => changed.extend_from_slice(&bytes[from..to]),
        _ => changed.truncate(at),
    }
    changed
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        prop_assert!(Signed::decode(&bytes).is_err());
        prop_assert!(Roster::decode(&bytes, T0).is_err());
        for domain in [CHARTER_DOMAIN, SHEET_DOMAIN] {
            prop_assert!(Signed::decode(&sign_bytes(domain, &bytes, "Chief")).is_err());
        }
    }

    #[test]
    fn a_changed_document_is_refused(at: Index, to: Index, byte: u8, kind: u8) {
        let brigade = brigade();
        let file = brigade.encode();
        let changed = mutate(&file, at, to, byte, kind);
        prop_assert!(changed == file || Roster::decode(&changed, T0).is_err());
        for (_, bytes) in brigade.documents() {
            let changed = mutate(bytes, at, to, byte, kind);
            prop_assert!(changed == bytes || Signed::decode(&changed).is_err());
        }
    }

    #[test]
    fn a_changed_and_signed_payload_is_read_as_written_or_refused(
        changes in prop::collection::vec((any::<Index>(), any::<Index>(), any::<u8>(), any::<u8>()), 1..4),
    ) {
        let payloads = [
            (CHARTER_DOMAIN, wire::to_cbor(&Payload::Charter(charter_text()))),
            (SHEET_DOMAIN, wire::to_cbor(&Payload::Sheet(sheet_text()))),
        ];
        for (domain, mut payload) in payloads {
            for &(at, to, byte, kind) in &changes {
                payload = mutate(&payload, at, to, byte, kind);
                payload.push(0);
                payload.pop();
                if payload.is_empty() {
                    break;
                }
            }
            let bytes = sign_bytes(domain, &payload, "Chief");
            let again = match Signed::decode(&bytes) {
                Ok(Signed::Charter(charter)) => wire::to_cbor(&Payload::Charter(charter.body.text().clone())),
                Ok(Signed::Sheet(sheet)) => wire::to_cbor(&Payload::Sheet(sheet.body.text().clone())),
                Err(_) => continue,
            };
            prop_assert_eq!(again, payload);
        }
    }

    #[test]
    fn any_sheet_roundtrips(
        version in 1..u64::MAX,
        epoch in 1..u64::MAX,
        issued: u64,
        back: u64,
        people in prop::collection::btree_map("[A-Z][a-z0-9._-]{0,31}", any::<u64>(), 0..20),
    ) {
        let mut text = sheet_text();
        text.version = version;
        text.issued = Timestamp::from_u64(issued);
        text.keyring.epoch = epoch;
        text.keyring.since = Timestamp::from_u64(issued.saturating_sub(back));
        text.soldiers = people.into_keys().map(|name| person(&name)).collect();
        let bytes = sign(Payload::Sheet(text.clone()), &["Army1"]);
        let Ok(Signed::Sheet(sheet)) = Signed::decode(&bytes) else { panic!("not read as a sheet") };
        prop_assert_eq!(sheet.body.text(), &text);
    }

    #[test]
    fn any_charter_roundtrips(
        name in "[^\\p{C}\\p{Z}]{1,64}",
        version in 1..u64::MAX,
        (keys, threshold) in (1..16_u32).prop_flat_map(|keys| (Just(keys), 1..=keys)),
        carriers in 0..20_u32,
    ) {
        let mut text = charter_text();
        text.name = name.parse().unwrap();
        text.version = version;
        let names: Vec<_> = (0..keys).map(|n| format!("K{n}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        text.authority = authority(&names, threshold);
        text.carriers = (0..carriers).map(|n| person(&format!("C{n}"))).collect();
        let bytes = sign(Payload::Charter(text.clone()), &names);
        let Ok(Signed::Charter(charter)) = Signed::decode(&bytes) else { panic!("not read as a charter") };
        prop_assert_eq!(charter.body.text(), &text);
    }
}
