#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use muster_keys::{GroupKey, Identity};
use proptest::prelude::*;
use serde::Deserialize;

use sha2::{Digest, Sha256};

use super::*;
use crate::engine::content::{Content, MAX_TEXT_LEN};
use crate::engine::seal;
use crate::engine::verify::{Roots, Unsigned, Verified, VerifyError};

const UNIT: UnitId = UnitId::from_bytes([9; 16]);
const NONCE: [u8; 24] = [3; 24];

fn identity() -> Identity {
    Identity::from_seed(&[1; 32])
}

fn key() -> GroupKey {
    GroupKey::from_bytes([2; 32])
}

fn header() -> Header {
    Header {
        unit: UNIT,
        kind: Kind::Text,
        precedence: Precedence::Routine,
        group: "army".parse().unwrap(),
        author: identity().public(),
        seq: 1,
        time: Timestamp::from_ms(1_800_000_000_000),
        charter_version: 1,
        sheet_version: 300,
        epoch: 70_000,
    }
}

fn record(text: &str) -> Vec<u8> {
    let body = seal::seal(&key(), &header(), &NONCE, &Content::text(text)).unwrap();
    sign(&header(), &body).unwrap().frame().bytes().to_vec()
}

fn sign(header: &Header, body: &[u8]) -> Result<Verified, DecodeError> {
    Verified::sign(&identity(), &[Unsigned::new(header, &NONCE, body)]).map(|mut records| records.remove(0))
}

/// So many records that were signed together.
fn records_together(count: u64) -> Vec<Vec<u8>> {
    let unsigned = (1..=count).map(|seq| Unsigned::new(&Header { seq, ..header() }, &NONCE, &[0; 80]));
    let records = Verified::sign(&identity(), &unsigned.collect::<Vec<_>>()).unwrap();
    records.iter().map(|record| record.frame().bytes().to_vec()).collect()
}

/// Checks a record's signature with nothing remembered.
fn check(frame: Frame) -> Result<Verified, VerifyError> {
    Verified::check(frame, UNIT, &mut Roots::default())
}

/// Reads a record the long way: decoded generally, and encoded again to see that nothing else has the same meaning.
fn the_long_way(bytes: &[u8]) -> Option<Header> {
    #[derive(Serialize, Deserialize)]
    struct Record<'a>(u64, #[serde(borrow)] &'a Bytes, ByteArray<64>, u64, #[serde(borrow)] &'a Bytes);
    #[derive(Serialize, Deserialize)]
    struct Payload<'a>(
        ByteArray<16>,
        u64,
        u64,
        &'a str,
        ByteArray<32>,
        u64,
        u64,
        u64,
        u64,
        u64,
        ByteArray<24>,
        #[serde(borrow)] &'a Bytes,
    );
    let record: Record<'_> = serde_cbor::from_slice(bytes).ok()?;
    let payload: Payload<'_> = serde_cbor::from_slice(record.1).ok()?;
    let is_canonical = encode(&payload) == **record.1 && encode(&record) == bytes;
    if record.0 != RECORD_VERSION || !is_canonical || bytes.len() > MAX_RECORD_LEN {
        return None;
    }
    let steps = record.4.len() / 32;
    if !record.4.len().is_multiple_of(32) || steps > 4 || record.3 >= 1 << steps {
        return None;
    }
    let Payload(unit, kind, precedence, group, author, seq, time, charter, sheet, epoch, _, _) = payload;
    Header::from_fields((unit, kind, precedence, group, author, seq, time, charter, sheet, epoch)).ok()
}

/// Numbers around the places where their form gets longer.
fn a_number() -> impl Strategy<Value = u64> {
    prop_oneof![0..30_u64, 200..300_u64, 65_000..66_000_u64, (1 << 32) - 3..(1_u64 << 32) + 3, any::<u64>()]
}

/// Records of all kinds, signed or not.
fn a_record() -> impl Strategy<Value = Vec<u8>> {
    let numbers = (a_number(), a_number(), a_number(), a_number(), a_number());
    let body = proptest::collection::vec(any::<u8>(), 0..400);
    let path = (0..20_u64, prop_oneof![0..6_usize, Just(0), Just(1)], prop_oneof![9 => Just(0), 1 => Just(1_usize)]);
    (0..5_u64, 0..5_u64, "[a-z]{1,24}", numbers, body, path).prop_map(
        |(kind, precedence, group, numbers, body, path)| {
            let (turns, steps, more) = path;
            let path = Path {
                turns: if turns < 16 { turns & ((1 << steps) - 1) } else { turns },
                siblings: vec![7; 32 * steps + more],
            };
            let (seq, time, charter, sheet, epoch) = numbers;
            let (unit, author) = (ByteArray::new(*UNIT.as_bytes()), ByteArray::new(*identity().public().as_bytes()));
            let (nonce, body) = (ByteArray::new(NONCE), Bytes::new(&body));
            let fields =
                PayloadFields(unit, kind, precedence, &group, author, seq, time, charter, sheet, epoch, nonce, body);
            encode_record(&encode(&fields), &Signature::from_bytes([5; 64]), &path)
        },
    )
}

#[test]
fn a_record_comes_back_as_it_went() {
    let bytes = record("Hello guys");
    let frame = Frame::decode(&bytes).unwrap();
    assert_eq!(frame.header(), &header());
    assert_eq!(&**frame.bytes(), bytes.as_slice());
    assert_eq!(seal::open(&key(), &frame).unwrap().text.as_str(), "Hello guys");
    assert!(check(frame).is_ok());
}

#[test]
fn the_longest_text_fits_a_record() {
    let text = "x".repeat(MAX_TEXT_LEN);
    let frame = Frame::decode(&record(&text)).unwrap();
    assert_eq!(*seal::open(&key(), &frame).unwrap().text, text);
}

#[test]
fn lengths_of_sealed_texts_say_little() {
    let len = |text: &str| record(text).len();
    assert_eq!(len("a"), len(&"a".repeat(57)));
    assert_eq!(len(&"a".repeat(58)), len("a") + 64);
}

#[test]
fn the_smallest_record_is_large_enough_for_the_bound_on_their_number() {
    assert!(record("a").len() * MAX_BATCH_RECORDS > MAX_BATCH_LEN / 2);
}

#[test]
fn a_record_of_another_unit_is_told_apart() {
    let frame = Frame::decode(&record("a")).unwrap();
    let checked = Verified::check(frame, UnitId::from_bytes([8; 16]), &mut Roots::default());
    assert_eq!(checked.unwrap_err(), VerifyError::OtherUnit);
}

#[test]
fn an_id_tells_the_rank_and_else_what_was_signed() {
    let frame = |kind, precedence| {
        let header = Header { kind, precedence, ..header() };
        sign(&header, &[0; 80]).map(|record| record.frame().clone())
    };
    let ranks = Precedence::ALL.map(|precedence| frame(Kind::Text, precedence).unwrap().id().rank());
    assert_eq!(ranks, [Rank::Routine, Rank::Priority, Rank::Immediate, Rank::Flash]);
    assert_eq!(frame(Kind::Receipt, Precedence::Routine).unwrap().id().rank(), Rank::Receipt);
    assert_eq!(frame(Kind::Receipt, Precedence::Priority).unwrap_err(), DecodeError::BadField, "receipts are routine");
    let frame = frame(Kind::Order, Precedence::Routine).unwrap();
    let payload: &Bytes = serde_cbor::from_slice::<(u64, &Bytes, &Bytes, u64, &Bytes)>(frame.bytes()).unwrap().1;
    let digest = Sha256::digest(payload);
    assert_eq!((&frame.id().as_bytes()[1..], frame.id().as_bytes()[0]), (&digest[1..], 1));
}

#[test]
fn each_of_the_records_that_were_signed_together_is_good_by_itself() {
    for count in 1..=16 {
        let records = records_together(count);
        assert!(records.iter().all(|bytes| check(Frame::decode(bytes).unwrap()).is_ok()), "{count} together");
        let alone = records_together(1)[0].len();
        let longest = records.iter().map(Vec::len).max().unwrap();
        assert!(longest <= alone + 4 * 32 + 1, "{longest} bytes, alone {alone}");
    }
}

#[test]
fn what_is_remembered_of_one_record_vouches_for_no_other_signature_author_or_payload() {
    let records = records_together(11);
    let mut roots = Roots::default();
    let frame = |bytes: &[u8]| Frame::decode(bytes);
    assert!(Verified::check(frame(&records[0]).unwrap(), UNIT, &mut roots).is_ok());
    // Every byte of another one of them, that of the list and those of lengths and version too.
    for at in 0..records[10].len() {
        let mut bytes = records[10].clone();
        bytes[at] ^= 1;
        if let Ok(frame) = frame(&bytes) {
            assert!(Verified::check(frame, UNIT, &mut roots).is_err(), "byte {at}");
        }
    }
    assert!(Verified::check(frame(&records[10]).unwrap(), UNIT, &mut roots).is_ok());
}

#[test]
fn trailing_bytes_are_refused() {
    let mut bytes = record("a");
    bytes.push(0);
    assert_eq!(Frame::decode(&bytes).unwrap_err(), DecodeError::Malformed);
}

#[test]
fn an_oversize_record_is_refused_unread() {
    let bytes = vec![0; MAX_RECORD_LEN + 1];
    assert!(matches!(Frame::decode(&bytes), Err(DecodeError::TooLong { .. })));
    assert!(matches!(decode_batch(&vec![0; MAX_BATCH_LEN + 1]), Err(DecodeError::TooLong { .. })));
}

#[test]
fn an_unknown_version_is_refused() {
    let mut bytes = record("a");
    assert_eq!(bytes[1], 3, "the version stands first");
    bytes[1] = 2;
    assert_eq!(Frame::decode(&bytes).unwrap_err(), DecodeError::UnknownVersion, "what older programs wrote");
    bytes[1] = 4;
    assert_eq!(Frame::decode(&bytes).unwrap_err(), DecodeError::UnknownVersion);
}

#[test]
fn another_encoding_of_the_same_record_is_refused() {
    let bytes = record("a");
    // The version as a two-byte integer, and the outer array with no length given.
    let wide = [&bytes[..1], &[0x18, 3], &bytes[2..]].concat();
    let endless = [&[0x9f], &bytes[1..], &[0xff]].concat();
    assert_eq!(Frame::decode(&wide).unwrap_err(), DecodeError::NotCanonical);
    assert_eq!(Frame::decode(&endless).unwrap_err(), DecodeError::NotCanonical);
}

#[test]
fn a_length_that_promises_more_than_there_is_costs_nothing() {
    let huge = [0x85, 3, 0x5b, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(Frame::decode(&huge).unwrap_err(), DecodeError::Malformed);
    let many = [0x9b, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(decode_batch(&many).unwrap_err(), DecodeError::Malformed);
}

#[test]
fn an_empty_list_and_an_overlong_one_are_refused() {
    assert_eq!(decode_batch(&encode_batch(&[])).unwrap_err(), DecodeError::Count(0));
    let many: Vec<Arc<[u8]>> = vec![vec![1].into(); MAX_BATCH_RECORDS + 1];
    assert_eq!(decode_batch(&encode_batch(&many)).unwrap_err(), DecodeError::Count(MAX_BATCH_RECORDS + 1));
}

#[test]
fn a_list_comes_back_as_it_went() {
    let records: Vec<Arc<[u8]>> = ["a", "b", "c"].into_iter().map(|text| record(text).into()).collect();
    let frames = decode_batch(&encode_batch(&records)).unwrap();
    assert_eq!(frames.iter().map(|frame| frame.bytes().clone()).collect::<Vec<_>>(), records);
}

#[test]
fn what_a_body_is_bound_to_is_the_same_encoded_and_taken_from_the_record() {
    let frame = Frame::decode(&record("a")).unwrap();
    assert_eq!(frame.associated_data(), frame.header().associated_data());
}

proptest! {
    #[test]
    fn a_record_is_read_as_the_long_way_reads_it(bytes in a_record()) {
        let read = Frame::decode(&bytes).ok().map(|frame| {
            assert_eq!(frame.associated_data(), frame.header().associated_data());
            frame.header().clone()
        });
        prop_assert_eq!(read, the_long_way(&bytes));
    }

    #[test]
    fn what_the_long_way_refuses_is_refused(
        record in a_record(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        added in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
    ) {
        let mut bytes = record;
        for (at, byte) in changes {
            // The heads are in front, and most of a record is content.
            let at = at.index(bytes.len().min(120));
            bytes[at] = byte;
        }
        for (at, byte) in added {
            bytes.insert(at.index(bytes.len()), byte);
        }
        prop_assert_eq!(Frame::decode(&bytes).ok().map(|frame| frame.header().clone()), the_long_way(&bytes));
    }

    #[test]
    fn a_list_is_taken_apart_as_the_long_way_does(
        records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..30), 1..4),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let records: Vec<Arc<[u8]>> = records.into_iter().map(Arc::from).collect();
        let mut bytes = encode_batch(&records);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let long_way = serde_cbor::from_slice::<Vec<&Bytes>>(&bytes).ok().filter(|records| {
            encode(records) == bytes && (1..=MAX_BATCH_RECORDS).contains(&records.len())
        });
        let long_way = long_way.map(|records| records.into_iter().map(|record| &**record).collect::<Vec<_>>());
        prop_assert_eq!(split_batch(&bytes).ok(), long_way);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        drop(Frame::decode(&bytes));
        drop(decode_batch(&bytes));
    }

    #[test]
    fn a_changed_byte_is_always_noticed(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut bytes = record("Hello guys, how are you doing?");
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let noticed = match Frame::decode(&bytes) {
            Err(_) => true,
            Ok(frame) => check(frame).is_err(),
        };
        prop_assert!(noticed);
    }

    #[test]
    fn any_text_comes_back(text in "\\PC{1,400}") {
        let frame = Frame::decode(&record(&text)).unwrap();
        let opened = seal::open(&key(), &frame).unwrap();
        prop_assert_eq!(opened.text.as_str(), text);
    }

    #[test]
    fn a_body_under_another_header_does_not_open(seq in 2_u64..) {
        let body = seal::seal(&key(), &header(), &NONCE, &Content::text("a")).unwrap();
        let moved = Header { seq, ..header() };
        let record = sign(&moved, &body).unwrap();
        prop_assert!(seal::open(&key(), record.frame()).is_err());
    }
}
