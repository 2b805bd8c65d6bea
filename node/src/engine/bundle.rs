//! The bundle: sealed records and roster documents as a file, for a stick that is carried where no network reaches.
//!
//! ```text
//! file = magic(16) unit(16) check(8) item* end
//! item = mark(4) kind(1) length(4) check-of-content(8) check-of-head(8) content
//! end  = an item whose content is how many documents and records there are, 8 bytes each
//! ```
//! Numbers are big-endian, a check is the front of SHA-256. Documents come before records, so that whoever reads a bundle
//! in one pass knows the roster by which it judges. The checks find damage and nothing more: what a bundle holds proves
//! itself by its own signatures. An item's content is checked apart from its head, so that damage to the one leaves the
//! other to go by; after a damaged head, reading goes on at the next mark whose head is sound. A flipped byte thus costs
//! one item at the most.

use std::io::{self, Read, Write};

use muster_roles::{MAX_DOCUMENT_LEN, UnitId};
use sha2::{Digest, Sha256};

use super::wire::MAX_RECORD_LEN;

mod judge;

#[cfg(test)]
mod tests;

pub use self::judge::{Judge, Refused};

/// What every bundle begins with, whatever its version.
const NAME: &[u8; 14] = b"muster bundle ";

/// The version, and a line's end for whoever looks into the file.
const VERSION: &[u8; 2] = b"1\n";

/// Where an item's head begins; a byte above ASCII keeps it out of texts.
const MARK: [u8; 4] = [0xb5, b'i', b't', b'm'];

const CHECK_LEN: usize = 8;

/// Bytes of a file's head.
const FILE_HEAD_LEN: usize = NAME.len() + VERSION.len() + UNIT_LEN + CHECK_LEN;

const UNIT_LEN: usize = 16;

/// Bytes of an item before its content.
const HEAD_LEN: usize = MARK.len() + 1 + 4 + 2 * CHECK_LEN;

/// Bytes of the end's content: two counts.
const END_LEN: usize = 16;

/// Bytes asked of the file at once.
const READ_LEN: usize = 64 * 1024;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A roster document.
    Document,
    /// A sealed record.
    Record,
    /// The end of the bundle.
    End,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Document => b'd',
            Self::Record => b'r',
            Self::End => b'e',
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            b'd' => Some(Self::Document),
            b'r' => Some(Self::Record),
            b'e' => Some(Self::End),
            _ => None,
        }
    }

    /// The most bytes that its content may have, so that no length makes a reader take more memory than that.
    const fn max_len(self) -> usize {
        match self {
            Self::Document => MAX_DOCUMENT_LEN,
            Self::Record => MAX_RECORD_LEN,
            Self::End => END_LEN,
        }
    }
}

/// How many of each there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Roster documents.
    pub documents: u64,
    /// Records.
    pub records: u64,
}

/// Writes a bundle item by item.
#[derive(Debug)]
pub struct BundleWriter<W> {
    out: W,
    counts: Counts,
}

impl<W: Write> BundleWriter<W> {
    /// Begins a bundle of a unit.
    ///
    /// # Errors
    /// What `out` says.
    pub fn new(mut out: W, unit: UnitId) -> io::Result<Self> {
        let head = [&NAME[..], VERSION, unit.as_bytes()].concat();
        out.write_all(&head)?;
        out.write_all(&check(&head))?;
        Ok(Self { out, counts: Counts::default() })
    }

    /// Adds a roster document; all of them come before the first record.
    ///
    /// # Errors
    /// What `out` says.
    pub fn document(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.counts.documents += 1;
        self.item(Kind::Document, bytes)
    }

    /// Adds a record.
    ///
    /// # Errors
    /// What `out` says.
    pub fn record(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.counts.records += 1;
        self.item(Kind::Record, bytes)
    }

    /// Ends the bundle, and says how much is in it.
    ///
    /// # Errors
    /// What `out` says.
    pub fn finish(mut self) -> io::Result<Counts> {
        let counts = [self.counts.documents.to_be_bytes(), self.counts.records.to_be_bytes()].concat();
        self.item(Kind::End, &counts)?;
        self.out.flush()?;
        Ok(self.counts)
    }

    fn item(&mut self, kind: Kind, content: &[u8]) -> io::Result<()> {
        let len = u32::try_from(content.len()).ok().filter(|_| content.len() <= kind.max_len());
        let len = len.ok_or(io::ErrorKind::FileTooLarge)?;
        let mut head = [&MARK[..], &[kind.code()], &len.to_be_bytes(), &check(content)].concat();
        head.extend(check(&head));
        self.out.write_all(&head)?;
        self.out.write_all(content)
    }
}

/// Why a file is not a bundle to be read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It does not begin as a bundle does.
    #[error("not a bundle of muster, or damaged at its very start")]
    NotABundle,
    /// A newer program wrote it.
    #[error("a bundle in a form that this muster does not know, or damaged at its very start")]
    UnknownVersion,
    /// Its first bytes are not what was written.
    #[error("the bundle's head is damaged")]
    DamagedHead,
    /// It could not be read.
    #[error("the bundle cannot be read")]
    Read(#[source] io::Error),
}

/// One thing found in a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A roster document, as it was written; nothing else of it is checked.
    Document(Vec<u8>),
    /// A record, as it was written; nothing else of it is checked.
    Record(Vec<u8>),
    /// An item of this kind whose content is damaged.
    Damaged(Kind),
    /// Bytes that are no items: damaged heads, with what stands behind them.
    Unreadable {
        /// Where they begin in the file.
        at: u64,
        /// How many.
        len: u64,
    },
    /// The end, which says what was written.
    End(Counts),
}

/// Reads a bundle item by item; what stands in memory is one item and what was read ahead of it.
///
/// It gives what it finds until the file ends. A bundle that is whole ends with [`Found::End`].
#[derive(Debug)]
pub struct BundleReader<R> {
    file: R,
    unit: UnitId,
    /// What has been read and not been given yet begins at `start` in it.
    buffer: Vec<u8>,
    start: usize,
    /// Where `start` is in the file.
    position: u64,
}

impl<R: Read> BundleReader<R> {
    /// Reads a bundle's head.
    ///
    /// # Errors
    /// [`BundleError`], where the file is none or the head is damaged.
    pub fn new(file: R) -> Result<Self, BundleError> {
        let unit = UnitId::from_bytes([0; UNIT_LEN]);
        let mut reader = Self { file, unit, buffer: Vec::new(), start: 0, position: 0 };
        reader.fill(FILE_HEAD_LEN).map_err(BundleError::Read)?;
        reader.unit = unit_of(reader.ahead())?;
        reader.pass(FILE_HEAD_LEN);
        Ok(reader)
    }

    /// Returns the unit whose bundle it says it is.
    #[must_use]
    pub fn unit(&self) -> UnitId {
        self.unit
    }

    /// Finds what comes next; nothing where the file ends, be it in the middle of an item.
    fn find(&mut self) -> io::Result<Option<Found>> {
        let at = self.position;
        loop {
            self.fill(HEAD_LEN)?;
            if self.ahead().len() < HEAD_LEN {
                let rest = self.ahead().len();
                let skipped = self.position - at;
                self.pass(rest);
                // What is too short for a head is the file's end, unless it is the end of something unreadable.
                return Ok((skipped > 0).then_some(Found::Unreadable { at, len: self.position - at }));
            }
            match Head::read(self.ahead()) {
                Some(head) if self.position == at => return self.take(&head),
                Some(_) => return Ok(Some(Found::Unreadable { at, len: self.position - at })),
                None => self.pass(1),
            }
        }
    }

    /// Takes the item of this head, which is next.
    fn take(&mut self, head: &Head) -> io::Result<Option<Found>> {
        let item_len = HEAD_LEN + head.len;
        self.fill(item_len)?;
        let Some(content) = self.ahead().get(HEAD_LEN..item_len).map(<[u8]>::to_vec) else {
            self.pass(self.ahead().len());
            return Ok(None);
        };
        self.pass(item_len);
        Ok(Some(head.found(content)))
    }

    fn ahead(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn pass(&mut self, len: usize) {
        self.start += len;
        self.position += len as u64;
    }

    /// Reads until so much is ahead, or the file ends.
    fn fill(&mut self, len: usize) -> io::Result<()> {
        if self.ahead().len() >= len {
            return Ok(());
        }
        self.buffer.drain(..self.start.min(self.buffer.len()));
        self.start = 0;
        while self.buffer.len() < len {
            let wanted = READ_LEN.max(len - self.buffer.len()) as u64;
            if self.file.by_ref().take(wanted).read_to_end(&mut self.buffer)? == 0 {
                break;
            }
        }
        Ok(())
    }
}

impl<R: Read> Iterator for BundleReader<R> {
    type Item = io::Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        self.find().transpose()
    }
}

/// An item's head that is sound.
struct Head {
    kind: Kind,
    len: usize,
    check: [u8; CHECK_LEN],
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MARK)?;
        let (code, rest) = rest.split_first()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (content_check, rest) = rest.split_first_chunk()?;
        let (head_check, _) = rest.split_first_chunk()?;
        let checked = bytes.get(..HEAD_LEN - CHECK_LEN)?;
        if check(checked) != *head_check {
            return None;
        }
        let kind = Kind::from_code(*code)?;
        let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
        (len <= kind.max_len()).then_some(Self { kind, len, check: *content_check })
    }

    fn found(&self, content: Vec<u8>) -> Found {
        if check(&content) != self.check {
            return Found::Damaged(self.kind);
        }
        match self.kind {
            Kind::Document => Found::Document(content),
            Kind::Record => Found::Record(content),
            Kind::End => counts(&content).map_or(Found::Damaged(Kind::End), Found::End),
        }
    }
}

fn counts(content: &[u8]) -> Option<Counts> {
    let (documents, records) = content.split_first_chunk()?;
    let records = records.try_into().ok()?;
    Some(Counts { documents: u64::from_be_bytes(*documents), records: u64::from_be_bytes(records) })
}

/// Reads the unit from a file's first bytes.
fn unit_of(bytes: &[u8]) -> Result<UnitId, BundleError> {
    let rest = bytes.strip_prefix(NAME).ok_or(BundleError::NotABundle)?;
    let rest = rest.strip_prefix(VERSION).ok_or(BundleError::UnknownVersion)?;
    let (unit, rest) = rest.split_first_chunk::<UNIT_LEN>().ok_or(BundleError::DamagedHead)?;
    let checked = bytes.get(..FILE_HEAD_LEN - CHECK_LEN).ok_or(BundleError::DamagedHead)?;
    if rest.first_chunk() != Some(&check(checked)) {
        return Err(BundleError::DamagedHead);
    }
    Ok(UnitId::from_bytes(*unit))
}

/// The front of SHA-256, to find damage by.
fn check(bytes: &[u8]) -> [u8; CHECK_LEN] {
    let mut check = [0; CHECK_LEN];
    check.iter_mut().zip(Sha256::digest(bytes)).for_each(|(to, from)| *to = from);
    check
}
