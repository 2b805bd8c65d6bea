#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

const UNIT: UnitId = UnitId::from_bytes([7; 16]);

fn bundle(documents: &[Vec<u8>], records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = BundleWriter::new(&mut bytes, UNIT).unwrap();
    documents.iter().for_each(|document| writer.document(document).unwrap());
    records.iter().for_each(|record| writer.record(record).unwrap());
    let counts = writer.finish().unwrap();
    assert_eq!((counts.documents, counts.records), (documents.len() as u64, records.len() as u64));
    bytes
}

/// Everything in a file that has a head.
fn found(bytes: &[u8]) -> Vec<Found> {
    BundleReader::new(bytes).unwrap().map(Result::unwrap).collect()
}

/// Whole items alone.
fn items(found: &[Found]) -> Vec<Found> {
    found.iter().filter(|found| matches!(found, Found::Document(_) | Found::Record(_))).cloned().collect()
}

fn sample() -> Vec<u8> {
    bundle(&[vec![1; 900], vec![2; 40]], &[vec![3; 300], vec![], vec![4; 8192], b"\xb5itm\xb5itmr".to_vec()])
}

/// A reader that gives a byte at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = out.len().min(1);
        self.0.read(&mut out[..len])
    }
}

#[test]
fn what_was_written_is_found_in_its_order() {
    let bytes = bundle(&[vec![1; 900]], &[vec![2; 300], vec![3; 8192]]);
    let counts = Counts { documents: 1, records: 2 };
    let expected =
        [Found::Document(vec![1; 900]), Found::Record(vec![2; 300]), Found::Record(vec![3; 8192]), Found::End(counts)];
    assert_eq!(found(&bytes), expected);
    assert_eq!(BundleReader::new(&bytes[..]).unwrap().unit(), UNIT);
    let trickled: Vec<Found> = BundleReader::new(Trickle(&bytes)).unwrap().map(Result::unwrap).collect();
    assert_eq!(trickled, expected);
}

#[test]
fn a_flipped_byte_anywhere_behind_the_head_costs_one_item_at_the_most_and_is_told() {
    let whole = sample();
    let all = found(&whole);
    for at in FILE_HEAD_LEN..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        let left = found(&bytes);
        let told = left.iter().filter(|found| matches!(found, Found::Damaged(_) | Found::Unreadable { .. })).count();
        let intact: Vec<&Found> = all.iter().filter(|found| left.contains(found)).collect();
        assert_eq!((told, intact.len(), left.len()), (1, all.len() - 1, all.len()), "byte {at}");
    }
}

#[test]
fn a_flipped_byte_in_the_head_is_an_error() {
    for at in 0..FILE_HEAD_LEN {
        let mut bytes = sample();
        bytes[at] ^= 0x20;
        assert!(BundleReader::new(&bytes[..]).is_err(), "byte {at}");
    }
}

#[test]
fn a_file_that_is_cut_off_gives_what_is_whole_and_no_end() {
    let whole = sample();
    let all = items(&found(&whole));
    for len in FILE_HEAD_LEN..whole.len() {
        let left = found(&whole[..len]);
        assert!(all.starts_with(&left), "cut at {len}: whole items only, and no end");
    }
    for len in 0..FILE_HEAD_LEN {
        assert!(BundleReader::new(&whole[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn what_stands_behind_the_end_is_told() {
    let mut bytes = sample();
    let len = bytes.len() as u64;
    bytes.extend([0; 100]);
    assert_eq!(found(&bytes).last(), Some(&Found::Unreadable { at: len, len: 100 }));
}

#[test]
fn an_item_over_its_bound_is_neither_written_nor_read() {
    let mut writer = BundleWriter::new(Vec::new(), UNIT).unwrap();
    assert!(writer.record(&vec![0; MAX_RECORD_LEN + 1]).is_err());
    assert!(writer.record(&vec![0; MAX_RECORD_LEN]).is_ok());
    let long = vec![0; MAX_RECORD_LEN + 1];
    let len = u32::try_from(long.len()).unwrap();
    let mut head = [&MARK[..], b"r", &len.to_be_bytes(), &check(&long)].concat();
    head.extend(check(&head));
    assert!(Head::read(&head).is_none());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        drop(BundleReader::new(&bytes[..]));
        let behind_a_head = [&sample()[..FILE_HEAD_LEN], &bytes].concat();
        prop_assert!(items(&found(&behind_a_head)).is_empty());
    }

    #[test]
    fn damage_never_makes_an_item(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = sample();
        let all = items(&found(&bytes));
        for (at, to) in damage {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Ok(reader) = BundleReader::new(&bytes[..]) {
            let left: Vec<Found> = reader.map(Result::unwrap).collect();
            let mut rest = all.iter();
            prop_assert!(items(&left).iter().all(|item| rest.any(|other| other == item)), "in order, and nothing new");
        }
    }

    #[test]
    fn any_items_come_back_as_they_went(
        documents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..5),
        records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..5),
    ) {
        let expected: Vec<Found> =
            documents.iter().cloned().map(Found::Document).chain(records.iter().cloned().map(Found::Record)).collect();
        let found = found(&bundle(&documents, &records));
        prop_assert_eq!(items(&found), expected);
        prop_assert!(matches!(found.last(), Some(Found::End(_))));
    }
}
