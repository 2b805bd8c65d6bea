//! Rosters given as files that are refused: each with its message, its exit code, and the file untouched.

use std::fs;

use muster_keys::{Identity, KeyFile};
use serde_bytes::ByteBuf;
use serde_cbor::Value;

use crate::ground::Ground;

const ROSTER: &str = "chief/roster.cbor";

/// A document as it is kept: format, payload, and who signed it how.
type Envelope = (u64, ByteBuf, Vec<(ByteBuf, ByteBuf)>);

fn documents(ground: &Ground, home: &str) -> Vec<ByteBuf> {
    let file = fs::read(ground.path(home).join("roster.cbor")).unwrap();
    let (format, documents): (u64, Vec<ByteBuf>) = serde_cbor::from_slice(&file).unwrap();
    assert_eq!(format, 1);
    documents
}

fn write(ground: &Ground, documents: &[ByteBuf]) {
    fs::write(ground.path(ROSTER), serde_cbor::to_vec(&(1, documents)).unwrap()).unwrap();
}

/// Replaces the roster's first document, the charter, by what `change` makes of it.
fn change_charter(ground: &Ground, change: impl FnOnce(&mut Envelope)) {
    let mut documents = documents(ground, "chief");
    let mut envelope: Envelope = serde_cbor::from_slice(&documents[0]).unwrap();
    change(&mut envelope);
    documents[0] = ByteBuf::from(serde_cbor::to_vec(&envelope).unwrap());
    write(ground, &documents);
}

fn role_key(ground: &Ground, home: &str) -> Identity {
    match muster_keys::load(&ground.path(home).join("role.key")).unwrap() {
        KeyFile::Open { identity, .. } => identity,
        KeyFile::Locked(_) => panic!("{home} is locked"),
    }
}

fn signature(signer: &Identity, payload: &[u8]) -> (ByteBuf, ByteBuf) {
    let signature = signer.sign(&[b"muster charter 1", payload].concat());
    (ByteBuf::from(signer.public().as_bytes()), ByteBuf::from(signature.as_bytes()))
}

/// The reasons that every command gives for refusing the roster, which none of them may change.
#[track_caller]
fn reasons(ground: &Ground) -> String {
    let before = fs::read(ground.path(ROSTER)).unwrap();
    let complaints = ["roster show", "member list", "rekey", "member add Truck --role carrier --out truck"]
        .map(|words| ground.muster(&format!("--home chief {words}")).refused(3));
    assert!(complaints.iter().all(|complaint| *complaint == complaints[0]), "{complaints:#?}");
    assert_eq!(fs::read(ground.path(ROSTER)).unwrap(), before, "the file is untouched");
    assert!(!ground.path("truck").exists());
    complaints[0]
        .strip_prefix("error: chief/roster.cbor is refused\n")
        .and_then(|rest| {
            rest.strip_suffix(
                "hint: move it aside and put the roster.cbor of another member of the unit in its place\n",
            )
        })
        .unwrap_or_else(|| panic!("{}", complaints[0]))
        .to_owned()
}

#[test]
fn an_unsigned_roster() {
    let ground = Ground::with_unit();
    change_charter(&ground, |(_, _, signatures)| signatures.clear());
    assert_eq!(
        reasons(&ground),
        "  because: document 1 of the roster is refused\n  because: 0 signatures are too few\n"
    );
}

#[test]
fn an_under_signed_roster() {
    let ground = Ground::with_unit();
    let chief = role_key(&ground, "chief");
    let other = Identity::from_seed(&[7; 32]);
    change_charter(&ground, |(_, payload, signatures)| {
        let mut said: Value = serde_cbor::from_slice(payload).unwrap();
        let authority = entry(entry(&mut said, "charter"), "authority");
        let mut keys = [*chief.public().as_bytes(), *other.public().as_bytes()];
        keys.sort_unstable();
        *entry(authority, "keys") = Value::Array(keys.map(|key| Value::Bytes(key.to_vec())).to_vec());
        *entry(authority, "threshold") = Value::Integer(2);
        *payload = ByteBuf::from(serde_cbor::to_vec(&said).unwrap());
        *signatures = vec![signature(&chief, payload)];
    });
    assert_eq!(
        reasons(&ground),
        "  because: document 1 of the roster is refused\n  because: 1 signatures are too few\n"
    );
}

/// The value of a map's key.
fn entry<'a>(map: &'a mut Value, key: &str) -> &'a mut Value {
    match map {
        Value::Map(entries) => entries.get_mut(&Value::Text(key.to_owned())).unwrap(),
        other => panic!("{key} of {other:?}"),
    }
}

#[test]
fn a_roster_signed_by_somebody_else() {
    let ground = Ground::with_unit();
    let mole = Identity::from_seed(&[7; 32]);
    change_charter(&ground, |(_, payload, signatures)| *signatures = vec![signature(&mole, payload)]);
    assert_eq!(
        reasons(&ground),
        "  because: document 1 of the roster is refused\n  because: 1 signatures are too few\n"
    );
}

#[test]
fn a_roster_whose_words_were_changed_under_the_signature() {
    let ground = Ground::with_unit();
    let chief = role_key(&ground, "chief").public();
    change_charter(&ground, |(_, payload, _)| {
        let at = payload.windows(7).position(|text| text == b"Brigade").unwrap();
        payload[at..at + 7].copy_from_slice(b"Bandits");
    });
    assert_eq!(
        reasons(&ground),
        format!("  because: document 1 of the roster is refused\n  because: signature of {chief} does not fit\n")
    );
}

#[test]
fn a_document_of_another_unit_among_the_units_own() {
    let ground = Ground::with_unit();
    ground.muster("--home other unit create --name Other --chief Chief").done();
    let mut mixed = documents(&ground, "chief");
    mixed.extend(documents(&ground, "other"));
    write(&ground, &mixed);
    let reasons = reasons(&ground);
    assert!(reasons.contains("because: document of another unit ("), "{reasons}");
}

#[test]
fn a_whole_roster_of_another_unit_knows_nothing_of_this_key() {
    let ground = Ground::with_unit();
    ground.muster("--home other unit create --name Other --chief Chief").done();
    fs::copy(ground.path("other/roster.cbor"), ground.path(ROSTER)).unwrap();
    let complaint = ground.muster("--home chief rekey").refused(1);
    assert!(complaint.starts_with("error: chief/role.key is not the key of a member of Other\nhint: "), "{complaint}");
}

#[test]
fn a_truncated_roster() {
    let ground = Ground::with_unit();
    let whole = fs::read(ground.path(ROSTER)).unwrap();
    for length in [0, 1, 3, whole.len() / 2, whole.len() - 1] {
        fs::write(ground.path(ROSTER), &whole[..length]).unwrap();
        let reasons = reasons(&ground);
        assert!(reasons.starts_with("  because: roster is damaged\n"), "{length}: {reasons}");
    }
}

#[test]
fn a_roster_with_something_after_its_end() {
    let ground = Ground::with_unit();
    let mut bytes = fs::read(ground.path(ROSTER)).unwrap();
    bytes.push(0);
    fs::write(ground.path(ROSTER), bytes).unwrap();
    assert!(reasons(&ground).starts_with("  because: roster is damaged\n"));
}

#[test]
fn a_roster_that_is_something_else() {
    let ground = Ground::with_unit();
    for content in ["hello", "[1, []]"] {
        fs::write(ground.path(ROSTER), content).unwrap();
        assert!(reasons(&ground).starts_with("  because: roster is damaged\n"));
    }
}

#[test]
fn a_roster_with_no_documents() {
    let ground = Ground::with_unit();
    write(&ground, &[]);
    assert_eq!(reasons(&ground), "  because: no charter signed by the unit's first authority\n");
}

#[test]
fn a_roster_beyond_all_bounds() {
    let ground = Ground::with_unit();
    fs::File::create(ground.path(ROSTER)).unwrap().set_len(65 * 1024 * 1024).unwrap();
    let complaint = ground.muster("--home chief roster show").refused(3);
    assert!(complaint.contains("because: longer than 67108864 bytes"), "{complaint}");
}

#[test]
fn no_roster_at_all() {
    let ground = Ground::new();
    let complaint = ground.muster("--home nowhere roster show").refused(1);
    assert!(
        complaint.starts_with("error: no unit in nowhere\nhint: found one with `muster unit create "),
        "{complaint}"
    );
    assert!(!ground.path("nowhere").exists());
}
