//! The shortest form and every other one; and that a general decoder, whose result is encoded again, agrees.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, Bytes};

use super::*;

/// Something of every kind there is.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Fields<'a>(u64, #[serde(borrow)] &'a Bytes, &'a str, ByteArray<4>, Option<(u64, ByteArray<2>)>);

/// The long way: decoded generally, and encoded again to see that nothing else has the same meaning.
fn the_long_way(bytes: &[u8]) -> Option<Fields<'_>> {
    let fields: Fields<'_> = serde_cbor::from_slice(bytes).ok()?;
    (serde_cbor::to_vec(&fields).unwrap() == bytes).then_some(fields)
}

fn the_short_way(bytes: &[u8]) -> Result<Fields<'_>, StrictError> {
    let mut strict = Strict::new(bytes);
    strict.list_of(5)?;
    let (number, some, text, four) = (strict.number()?, strict.bytes()?, strict.text()?, strict.array()?);
    let pair = if strict.null() {
        None
    } else {
        strict.list_of(2)?;
        Some((strict.number()?, ByteArray::new(strict.array()?)))
    };
    strict.finish()?;
    Ok(Fields(number, Bytes::new(some), text, ByteArray::new(four), pair))
}

/// Numbers around the places where their form gets longer.
fn a_number() -> impl Strategy<Value = u64> {
    prop_oneof![0..30_u64, 200..300_u64, 65_000..66_000_u64, (1 << 32) - 3..(1_u64 << 32) + 3, any::<u64>()]
}

fn an_encoding() -> impl Strategy<Value = Vec<u8>> {
    let some = proptest::collection::vec(any::<u8>(), 0..300);
    (a_number(), some, "\\PC{0,30}", any::<[u8; 4]>(), proptest::option::of((a_number(), any::<[u8; 2]>()))).prop_map(
        |(number, some, text, four, pair)| {
            let pair = pair.map(|(number, two)| (number, ByteArray::new(two)));
            serde_cbor::to_vec(&Fields(number, Bytes::new(&some), &text, ByteArray::new(four), pair)).unwrap()
        },
    )
}

#[test]
fn a_number_has_one_form_and_every_longer_one_is_refused() {
    let number = |bytes: &[u8]| {
        let mut strict = Strict::new(bytes);
        strict.number().and_then(|number| strict.finish().map(|()| number))
    };
    assert_eq!((number(&[23]), number(&[0x18, 24])), (Ok(23), Ok(24)));
    for longer in [&[0x18, 23][..], &[0x19, 0, 255], &[0x1a, 0, 0, 255, 255], &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255]] {
        assert_eq!(number(longer), Err(StrictError::NotCanonical), "{longer:?}");
    }
    assert_eq!(number(&[0x1b, 255, 255, 255, 255, 255, 255, 255, 255]), Ok(u64::MAX));
    for wrong in [&[][..], &[0x18], &[0x1c], &[0x1f], &[0x20], &[0x40], &[0xf6], &[0, 0]] {
        assert_eq!(number(wrong), Err(StrictError::Malformed), "{wrong:?}");
    }
}

#[test]
fn what_has_no_length_or_one_that_is_not_there_is_refused() {
    assert_eq!(Strict::new(&[0x5f, 0x41, 1, 0xff]).bytes(), Err(StrictError::NotCanonical));
    assert_eq!(Strict::new(&[0x9f, 0xff]).list(), Err(StrictError::NotCanonical));
    assert_eq!(Strict::new(&[0x42, 1]).bytes(), Err(StrictError::Malformed));
    assert_eq!(Strict::new(&[0x5b, 255, 255, 255, 255, 255, 255, 255, 255, 1]).bytes(), Err(StrictError::Malformed));
    assert_eq!(Strict::new(&[0x61, 0xff]).text(), Err(StrictError::Malformed), "no UTF-8");
}

#[test]
fn a_part_is_read_to_its_own_end_and_counts_from_the_start_of_the_whole() {
    let bytes = [0x82, 0x43, 1, 0x41, 7, 9];
    let mut whole = Strict::new(&bytes);
    whole.list_of(2).unwrap();
    let mut part = whole.within(whole.clone().bytes_at().unwrap());
    assert_eq!((part.number(), part.at()), (Ok(1), 3));
    assert_eq!(part.bytes_at(), Ok(4..5));
    assert_eq!((part.finish(), part.number()), (Ok(()), Err(StrictError::Malformed)));
}

proptest! {
    #[test]
    fn what_an_encoder_writes_is_read(bytes in an_encoding()) {
        prop_assert_eq!(the_short_way(&bytes).ok(), the_long_way(&bytes));
        prop_assert!(the_long_way(&bytes).is_some());
    }

    #[test]
    fn the_short_way_refuses_what_the_long_one_does(
        bytes in an_encoding(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = bytes;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            *bytes.get_mut(at).unwrap() = byte;
        }
        prop_assert_eq!(the_short_way(&bytes).ok(), the_long_way(&bytes));
        bytes.truncate(cut.index(bytes.len()));
        prop_assert_eq!(the_short_way(&bytes).ok(), the_long_way(&bytes));
    }

    #[test]
    fn arbitrary_bytes_are_judged_alike(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let bytes = [&[0x85][..], &bytes].concat();
        prop_assert_eq!(the_short_way(&bytes).ok(), the_long_way(&bytes));
    }
}
