//! What is sealed in a record: its text, what it is about, and what its author confirms along with it.

use std::fmt;

use serde::Serialize;
use serde_bytes::{ByteArray, Bytes};
use zeroize::Zeroizing;

use muster_roles::Timestamp;

use super::confirmed::Confirmed;
use super::strict::Strict;
use super::wire::{Kind, RecordId};

/// A text is at most this many bytes of UTF-8 after trimming.
pub const MAX_TEXT_LEN: usize = 4096;

/// What a record is about: another record of the same group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A reply to it.
    Reply(RecordId),
    /// A correction of it, which counts where both have one author.
    Correction(RecordId),
    /// The order is carried out, or will be.
    Acknowledged(RecordId),
    /// The order cannot be carried out.
    Cannot(RecordId),
}

impl About {
    /// Returns the other record's id.
    #[must_use]
    pub const fn id(&self) -> RecordId {
        match self {
            Self::Reply(id) | Self::Correction(id) | Self::Acknowledged(id) | Self::Cannot(id) => *id,
        }
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Reply(_) => 0,
            Self::Correction(_) => 1,
            Self::Acknowledged(_) => 2,
            Self::Cannot(_) => 3,
        }
    }

    fn from_code(code: u64, id: RecordId) -> Option<Self> {
        match code {
            0 => Some(Self::Reply(id)),
            1 => Some(Self::Correction(id)),
            2 => Some(Self::Acknowledged(id)),
            3 => Some(Self::Cannot(id)),
            _ => None,
        }
    }
}

/// What is sealed in a record.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// The text; empty in a receipt, and where an answer to an order says no more than that.
    pub text: Zeroizing<String>,
    /// What it is about.
    pub about: Option<About>,
    /// What the author confirms to have received and read.
    pub confirmed: Confirmed,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("len", &self.text.len()).field("about", &self.about).finish_non_exhaustive()
    }
}

/// The fields in wire order: text, what it is about, the runs received, and the time read up to or 0.
#[derive(Serialize)]
struct Fields<'a>(&'a str, Option<(u8, ByteArray<32>)>, &'a Bytes, u64);

/// How many there are, and how many of what it is about.
const FIELDS: u64 = 4;
const ABOUT_FIELDS: u64 = 2;

impl Content {
    /// Makes a plain text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self { text: Zeroizing::new(text.to_owned()), about: None, confirmed: Confirmed::default() }
    }

    /// Tells whether a record of this kind may hold this.
    #[must_use]
    pub fn fits(&self, kind: Kind) -> bool {
        let len = self.text.len();
        len <= MAX_TEXT_LEN
            && match kind {
                Kind::Text => len > 0 && matches!(self.about, None | Some(About::Reply(_) | About::Correction(_))),
                Kind::Order => len > 0 && self.about.is_none(),
                Kind::Answer => matches!(self.about, Some(About::Acknowledged(_) | About::Cannot(_))),
                Kind::Receipt => len == 0 && self.about.is_none() && !self.confirmed.is_empty(),
            }
    }

    /// Returns it as it is sealed.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let about = self.about.map(|about| (about.code(), ByteArray::new(*about.id().as_bytes())));
        let runs = self.confirmed.encode_runs();
        let read = self.confirmed.read.map_or(0, Timestamp::to_u64);
        let fields = Fields(&self.text, about, Bytes::new(&runs), read);
        // Text, integers and bytes: nothing in them can fail to encode, and a buffer takes all that is written.
        Zeroizing::new(serde_cbor::to_vec(&fields).unwrap_or_default())
    }

    /// Reads what was sealed in a record of this kind; `None` for anything but its one encoding.
    pub(crate) fn decode(bytes: &[u8], kind: Kind) -> Option<Self> {
        let mut fields = Strict::new(bytes);
        fields.list_of(FIELDS).ok()?;
        let text = fields.text().ok()?;
        let about = if fields.null() {
            None
        } else {
            fields.list_of(ABOUT_FIELDS).ok()?;
            let (code, id) = (fields.number().ok()?, fields.array().ok()?);
            Some(About::from_code(code, RecordId::from_bytes(id))?)
        };
        let (runs, read) = (fields.bytes().ok()?, fields.number().ok()?);
        fields.finish().ok()?;
        let read = (read > 0).then(|| Timestamp::from_u64(read));
        let confirmed = Confirmed { read, ..Confirmed::decode_runs(runs)? };
        let content = Self { text: Zeroizing::new(text.to_owned()), about, confirmed };
        content.fits(kind).then_some(content)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: RecordId = RecordId::from_bytes([7; 32]);

    fn with(text: &str, about: Option<About>) -> Content {
        Content { about, ..Content::text(text) }
    }

    #[test]
    fn what_is_sealed_comes_back() {
        let reply = with("on our way", Some(About::Reply(ID)));
        assert_eq!(Content::decode(&reply.encode(), Kind::Text), Some(reply));
        let cannot = with("", Some(About::Cannot(ID)));
        assert_eq!(Content::decode(&cannot.encode(), Kind::Answer), Some(cannot));
    }

    #[test]
    fn a_kind_holds_what_belongs_to_it_and_nothing_else() {
        let (ack, reply) = (Some(About::Acknowledged(ID)), Some(About::Reply(ID)));
        let read = Confirmed { read: Some(Timestamp::from_ms(5)), ..Confirmed::default() };
        let receipt = Content { confirmed: read, ..Content::text("") };
        for (content, kinds) in [
            (with("text", None), &[Kind::Text, Kind::Order][..]),
            (with("text", reply), &[Kind::Text]),
            (with("text", ack), &[Kind::Answer]),
            (with("", ack), &[Kind::Answer]),
            (with("", None), &[]),
            (with(&"x".repeat(MAX_TEXT_LEN + 1), None), &[]),
            (receipt, &[Kind::Receipt]),
        ] {
            for kind in [Kind::Text, Kind::Order, Kind::Answer, Kind::Receipt] {
                assert_eq!(Content::decode(&content.encode(), kind).is_some(), kinds.contains(&kind), "{kind:?}");
            }
        }
    }

    #[test]
    fn another_encoding_of_the_same_is_refused() {
        let bytes = Content::text("a").encode();
        let endless = [&[0x9f], bytes.get(1..).unwrap(), &[0xff]].concat();
        assert_eq!(Content::decode(&endless, Kind::Text), None);
        assert_eq!(Content::decode(&[&bytes[..], &[0]].concat(), Kind::Text), None);
    }

    /// Reads it the long way: decoded generally, and encoded again to see that nothing else has the same meaning.
    fn the_long_way(bytes: &[u8], kind: Kind) -> Option<Content> {
        #[derive(serde::Deserialize)]
        struct Read<'a>(&'a str, Option<(u8, ByteArray<32>)>, #[serde(borrow)] &'a Bytes, u64);
        let Read(text, about, runs, read) = serde_cbor::from_slice(bytes).ok()?;
        let about = match about {
            Some((code, id)) => Some(About::from_code(code.into(), RecordId::from_bytes(id.into_array()))?),
            None => None,
        };
        let read = (read > 0).then(|| Timestamp::from_u64(read));
        let confirmed = Confirmed { read, ..Confirmed::decode_runs(runs)? };
        let content = Content { text: Zeroizing::new(text.to_owned()), about, confirmed };
        (content.fits(kind) && *content.encode() == bytes).then_some(content)
    }

    const KINDS: [Kind; 4] = [Kind::Text, Kind::Order, Kind::Answer, Kind::Receipt];

    proptest! {
        #[test]
        fn it_is_read_as_the_long_way_reads_it(
            text in "\\PC{0,40}",
            about in proptest::option::of((0..5_u8, any::<[u8; 32]>())),
            runs in prop_oneof![Just(vec![]), Just(vec![0x21, 0, 0, 1, 1]), proptest::collection::vec(any::<u8>(), 0..8)],
            read in prop_oneof![Just(0), any::<u64>()],
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        ) {
            let about = about.map(|(code, id)| (code, ByteArray::new(id)));
            let mut bytes = serde_cbor::to_vec(&Fields(&text, about, Bytes::new(&runs), read)).unwrap();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                *bytes.get_mut(at).unwrap() = byte;
            }
            for kind in KINDS {
                prop_assert_eq!(Content::decode(&bytes, kind), the_long_way(&bytes, kind));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(Content::decode(&bytes, Kind::Text));
            drop(Content::decode(&bytes, Kind::Receipt));
        }
    }
}
