#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use muster_keys::Identity;
use muster_roles::{GroupId, Role, Timestamp, TroopDef, add_member, found};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;

const NOON: Timestamp = Timestamp::from_ms(1_800_000_000_000);

fn identity(seed: u8) -> Identity {
    Identity::from_seed(&[seed; 32])
}

/// A unit before and after its only soldier was added.
fn unit(chief: u8, soldier: &PublicKey) -> (Roster, Roster) {
    let chief = identity(chief);
    let troops: Vec<TroopDef> = vec!["army:r".parse().unwrap()];
    let documents = found(&"1st Brigade".parse().unwrap(), &"Chief".parse().unwrap(), &chief, &troops, NOON).unwrap();
    let before = Roster::from_documents(documents.iter().map(Vec::as_slice), NOON).unwrap();
    let army: GroupId = "army".parse().unwrap();
    let name = "Army1".parse().unwrap();
    let added = add_member(&before, &chief, name, Role::Soldier(army), *soldier, NOON).unwrap();
    let mut after = before.clone();
    for document in &added {
        after.accept(document, NOON).unwrap();
    }
    (before, after)
}

fn hello_of(roster: &Roster) -> Hello {
    Hello {
        unit: roster.unit(),
        incarnation: 7,
        roster_version: roster.version(),
        roster_digest: roster.digest(),
        clock_ms: 1,
        listen: Vec::new(),
        peers: Vec::new(),
    }
}

fn any_address() -> impl Strategy<Value = Address> {
    vec(any::<u8>(), 1..=MAX_ADDRESS_LEN)
}

fn any_hello() -> impl Strategy<Value = Hello> {
    let key = any::<[u8; 32]>().prop_map(|seed| Identity::from_seed(&seed).public());
    let peers = vec((key, vec(any_address(), 0..=MAX_PEER_ADDRESSES)), 0..4);
    let listen = vec(any_address(), 0..=MAX_LISTEN);
    (any::<[u8; 16]>(), any::<[u64; 3]>(), any::<[u8; 32]>(), listen, peers).prop_map(
        |(unit, [incarnation, roster_version, clock_ms], roster_digest, listen, peers)| Hello {
            unit: UnitId::from_bytes(unit),
            incarnation,
            roster_version,
            roster_digest,
            clock_ms,
            listen,
            peers,
        },
    )
}

fn any_request() -> impl Strategy<Value = Request> {
    let have = btree_set(any::<[u8; 16]>().prop_map(DocumentId::from_bytes), 0..40);
    let documents = vec(vec(any::<u8>(), 0..300), 0..4);
    let name = "[A-Za-z0-9][A-Za-z0-9._-]{0,31}".prop_map(|name| name.parse().unwrap());
    prop_oneof![
        any_hello().prop_map(Request::Hello),
        have.prop_map(|have| Request::Fetch { have }),
        (any_hello(), documents).prop_map(|(hello, documents)| Request::News { hello, documents }),
        (name, any::<[u8; 32]>())
            .prop_map(|(name, bytes)| Request::Join { name, commitment: Commitment::from_bytes(bytes) }),
        any::<[u8; 32]>().prop_map(|nonce| Request::Reveal { nonce: JoinNonce::from_bytes(nonce) }),
    ]
}

fn any_response() -> impl Strategy<Value = Response> {
    let documents = vec(vec(any::<u8>(), 0..300), 0..10);
    prop_oneof![
        (any_hello(), any::<bool>()).prop_map(|(hello, admitted)| Response::Hello { hello, admitted }),
        documents.prop_map(Response::Documents),
        (any::<[u8; 16]>(), any::<[u8; 32]>()).prop_map(|(unit, nonce)| {
            let (unit, nonce) = (UnitId::from_bytes(unit), JoinNonce::from_bytes(nonce));
            Response::Waiting { unit, nonce }
        }),
        Just(Response::Refused),
    ]
}

proptest! {
    #[test]
    fn requests_come_back_as_they_went(request in any_request()) {
        prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
    }

    #[test]
    fn responses_come_back_as_they_went(response in any_response()) {
        prop_assert_eq!(Response::decode(&response.encode()), Ok(response));
    }

    #[test]
    fn arbitrary_bytes_are_refused_and_harm_nobody(bytes in vec(any::<u8>(), 0..600)) {
        // Whatever is taken is said in its one encoding.
        if let Ok(request) = Request::decode(&bytes) {
            prop_assert_eq!(request.encode(), bytes.clone());
        }
        if let Ok(response) = Response::decode(&bytes) {
            prop_assert_eq!(response.encode(), bytes);
        }
    }

    #[test]
    fn a_changed_message_is_refused_or_another_one(
        request in any_request(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        let mut bytes = request.encode();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        prop_assert_ne!(Request::decode(&bytes), Ok(request));
    }

    #[test]
    fn nothing_may_follow_a_message(request in any_request(), more in vec(any::<u8>(), 1..5)) {
        let bytes = [request.encode(), more].concat();
        prop_assert!(Request::decode(&bytes).is_err());
    }
}

#[test]
fn the_fullest_hello_and_fetch_fit_a_request() {
    let key = identity(1).public();
    let hello = Hello {
        unit: UnitId::from_bytes([0xff; 16]),
        incarnation: u64::MAX,
        roster_version: u64::MAX,
        roster_digest: [0xff; 32],
        clock_ms: u64::MAX,
        listen: vec![vec![0xff; MAX_ADDRESS_LEN]; MAX_LISTEN],
        peers: vec![(key, vec![vec![0xff; MAX_ADDRESS_LEN]; MAX_PEER_ADDRESSES]); MAX_PEERS],
    };
    let hello = Request::Hello(hello);
    assert_eq!(Request::decode(&hello.encode()), Ok(hello));
    let ids = (0..MAX_HAVE).map(|n| DocumentId::from_bytes((n as u128).to_be_bytes()));
    let fetch = Request::Fetch { have: ids.collect() };
    assert_eq!(Request::decode(&fetch.encode()), Ok(fetch));
}

#[test]
fn too_much_of_anything_is_refused() {
    let (_, roster) = unit(1, &identity(2).public());
    let hello = hello_of(&roster);
    let key = identity(3).public();
    let too_much = [
        Hello { listen: vec![vec![1]; MAX_LISTEN + 1], ..hello.clone() },
        Hello { listen: vec![vec![1; MAX_ADDRESS_LEN + 1]], ..hello.clone() },
        Hello { listen: vec![Vec::new()], ..hello.clone() },
        Hello { peers: vec![(key, Vec::new()); MAX_PEERS + 1], ..hello.clone() },
        Hello { peers: vec![(key, vec![vec![1]; MAX_PEER_ADDRESSES + 1])], ..hello },
    ];
    for hello in too_much {
        assert_eq!(Request::decode(&Request::Hello(hello).encode()), Err(DecodeError::BadField));
    }
    let ids = (0..=MAX_HAVE).map(|n| DocumentId::from_bytes((n as u128).to_be_bytes()));
    let fetch = Request::Fetch { have: ids.collect() };
    assert_eq!(Request::decode(&fetch.encode()), Err(DecodeError::BadField));
    let documents = Response::Documents(vec![Vec::new(); MAX_DOCUMENTS + 1]);
    assert_eq!(Response::decode(&documents.encode()), Err(DecodeError::BadField));
    let long = vec![0; MAX_REQUEST_LEN + 1];
    let error = DecodeError::TooLong { len: MAX_REQUEST_LEN + 1, max: MAX_REQUEST_LEN };
    assert_eq!(Request::decode(&long), Err(error));
}

#[test]
fn a_peer_key_that_is_none_is_refused() {
    let (_, roster) = unit(1, &identity(2).public());
    let key = identity(3).public();
    let bytes = Request::Hello(Hello { peers: vec![(key, Vec::new())], ..hello_of(&roster) }).encode();
    let at = bytes.windows(32).position(|window| window == key.as_bytes()).unwrap();
    let mut weak = bytes.clone();
    // The neutral element of the curve: under it anybody can sign.
    weak[at..at + 32].fill(0);
    weak[at] = 1;
    assert!(Request::decode(&bytes).is_ok());
    assert_eq!(Request::decode(&weak), Err(DecodeError::BadField));
}

#[test]
fn documents_known_must_be_named_once_and_in_order() {
    let [one, two] = [[1; 16], [2; 16]];
    let fetch = |ids: &[[u8; 16]]| message(KIND_FETCH, &ids.iter().map(|id| ByteArray::new(*id)).collect::<Vec<_>>());
    assert!(Request::decode(&fetch(&[one, two])).is_ok());
    assert_eq!(Request::decode(&fetch(&[two, one])), Err(DecodeError::NotCanonical));
    assert_eq!(Request::decode(&fetch(&[one, one])), Err(DecodeError::NotCanonical));
}

#[test]
fn an_unknown_kind_is_named() {
    assert_eq!(Request::decode(&message(9, &Vec::<u64>::new())), Err(DecodeError::UnknownKind(9)));
    assert_eq!(Response::decode(&message(9, &Vec::<u64>::new())), Err(DecodeError::UnknownKind(9)));
}

#[test]
fn whom_the_roster_lists_is_admitted_and_whoever_has_another_is_fetched_from() {
    let soldier = identity(2).public();
    let (before, after) = unit(1, &soldier);
    let judge_as = |ours: &Roster, theirs: &Roster| judge(ours, &soldier, &hello_of(theirs));
    assert_eq!(judge_as(&after, &after), Judgement::SameUnit { admit: true, fetch: false });
    assert_eq!(judge_as(&after, &before), Judgement::SameUnit { admit: true, fetch: true });
    assert_eq!(judge_as(&before, &after), Judgement::SameUnit { admit: false, fetch: true });
    assert_eq!(judge_as(&before, &before), Judgement::SameUnit { admit: false, fetch: false });
    let (other, _) = unit(9, &soldier);
    assert_eq!(judge_as(&after, &other), Judgement::OtherUnit);
}

#[test]
fn documents_go_to_members_only_and_bring_them_up_to_date() {
    let soldier = identity(2).public();
    let (before, after) = unit(1, &soldier);
    let Request::Fetch { have } = fetch(&before) else { panic!("not a fetch") };
    assert_eq!(answer_fetch(&before, &soldier, &have), Response::Refused);
    let Response::Documents(documents) = answer_fetch(&after, &soldier, &have) else { panic!("refused") };
    assert_eq!(documents.len(), 1);
    let mut roster = before;
    for document in &documents {
        roster.accept(document, NOON).unwrap();
    }
    assert_eq!(roster.digest(), after.digest());
    let Response::Documents(everything) = answer_fetch(&after, &soldier, &BTreeSet::new()) else { panic!("refused") };
    assert_eq!(everything.len(), after.documents().count());
}

#[test]
fn a_hello_tells_of_as_many_peers_as_keep_it_small() {
    let (before, _) = unit(1, &identity(2).public());
    let peer = |seed: u8| (identity(seed).public(), vec![vec![seed; 8], vec![seed; 10]]);
    let mut hello = hello_of(&before);
    let told = hello.tell_of((1..=32).map(peer));
    assert!((4..32).contains(&told), "{told}");
    assert_eq!(hello.peers.len(), told);
    assert!(Request::Hello(hello.clone()).encode().len() <= MAX_HELLO_LEN);
    // The answer, which says one thing more, too.
    assert!(Response::Hello { hello, admitted: true }.encode().len() <= MAX_HELLO_LEN + 2);
}

#[test]
fn news_are_what_is_new_and_little() {
    let (before, after) = unit(1, &identity(2).public());
    let news = news(&before, &after).unwrap();
    assert_eq!(news.len(), 1);
    let mut roster = before;
    roster.accept(&news[0], NOON).unwrap();
    assert_eq!(roster.digest(), after.digest());
    assert_eq!(super::news(&after, &after), None);
}
