//! A disk in memory that can lose its power and run out of room.
//!
//! What has been written is read back at once, and is safe only once it has been synced. When the power goes, every
//! sector that was written since is, each by itself, still the old one or already the new one, as the seed has it; and
//! the file is as long as it was or as it had become.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

use fastrand::Rng;
use redb::StorageBackend;

/// What a disk writes whole or not at all, in bytes.
const SECTOR_LEN: usize = 512;

/// What is on the disk, and who may use it.
#[derive(Debug, Default)]
struct Image {
    /// What outlasts the power.
    safe: Vec<u8>,
    /// What is read.
    seen: Vec<u8>,
    /// Sectors that have been written since the last sync.
    unsynced: BTreeSet<usize>,
    /// Grows whenever the power goes: who opened the disk before has nothing to say any more.
    run: u64,
    /// Nothing more fits.
    full: bool,
    /// The power goes instead of so many more syncs.
    syncs_left: Option<u64>,
}

impl Image {
    fn touch(&mut self, offset: usize, len: usize) {
        self.unsynced.extend(offset / SECTOR_LEN..(offset + len).div_ceil(SECTOR_LEN));
    }
}

/// A disk.
#[derive(Clone, Debug, Default)]
pub struct Platter(Arc<Mutex<Image>>);

impl Platter {
    /// A disk that holds what another one has safely.
    pub fn copy_of(other: &Self) -> Self {
        let safe = other.image().safe.clone();
        Self(Arc::new(Mutex::new(Image { seen: safe.clone(), safe, ..Image::default() })))
    }

    /// What a database reads and writes it through, until the power goes.
    pub fn head(&self) -> Head {
        Head { platter: self.clone(), run: self.image().run }
    }

    /// The power goes: part of what has not been synced is lost.
    pub fn crash(&self, rng: &mut Rng) {
        let mut image = self.image();
        let image = &mut *image;
        let len = if rng.bool() { image.safe.len() } else { image.seen.len() };
        let mut left = image.safe.clone();
        left.resize(len, 0);
        for sector in std::mem::take(&mut image.unsynced) {
            let (from, to) = (sector * SECTOR_LEN, ((sector + 1) * SECTOR_LEN).min(image.seen.len()));
            let to = to.min(len);
            if rng.bool() && from < to {
                left[from..to].copy_from_slice(&image.seen[from..to]);
            }
        }
        (image.safe, image.seen) = (left.clone(), left);
        image.run += 1;
        (image.full, image.syncs_left) = (false, None);
    }

    /// From now on nothing more can be written, or again.
    pub fn fill(&self, full: bool) {
        self.image().full = full;
    }

    /// There is room again, and the power stays.
    pub fn mend(&self) {
        let mut image = self.image();
        (image.full, image.syncs_left) = (false, None);
    }

    pub fn is_full(&self) -> bool {
        self.image().full
    }

    /// The power is going to go in the middle of a commit: at the sync after so many more.
    pub fn cut_at_sync(&self, more: u64) {
        self.image().syncs_left = Some(more);
    }

    /// Tells whether the power has gone by itself since the last crash.
    pub fn is_cut(&self) -> bool {
        self.image().syncs_left == Some(0)
    }

    fn image(&self) -> MutexGuard<'_, Image> {
        self.0.lock().expect("nobody panics with it")
    }
}

/// One opening of a disk.
#[derive(Debug)]
pub struct Head {
    platter: Platter,
    run: u64,
}

impl Head {
    fn image(&self) -> io::Result<MutexGuard<'_, Image>> {
        let image = self.platter.image();
        if image.run != self.run || image.syncs_left == Some(0) {
            return Err(io::Error::new(ErrorKind::NotConnected, "the power has gone"));
        }
        Ok(image)
    }
}

impl StorageBackend for Head {
    fn len(&self) -> io::Result<u64> {
        Ok(self.image()?.seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let image = self.image()?;
        let from = usize::try_from(offset).expect("a small disk");
        let found = image.seen.get(from..from + out.len()).ok_or(ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut image = self.image()?;
        let (len, was) = (usize::try_from(len).expect("a small disk"), image.seen.len());
        if image.full && len > was {
            return Err(ErrorKind::StorageFull.into());
        }
        image.seen.resize(len, 0);
        // What was cut off does not come back when the file grows again.
        image.touch(was, len.saturating_sub(was));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut image = self.image()?;
        let image = &mut *image;
        if let Some(left) = &mut image.syncs_left {
            *left -= 1;
            if *left == 0 {
                return Err(io::Error::new(ErrorKind::NotConnected, "the power goes"));
            }
        }
        image.safe.resize(image.seen.len(), 0);
        for sector in std::mem::take(&mut image.unsynced) {
            let (from, to) = (sector * SECTOR_LEN, ((sector + 1) * SECTOR_LEN).min(image.seen.len()));
            if from < to {
                image.safe[from..to].copy_from_slice(&image.seen[from..to]);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut image = self.image()?;
        if image.full {
            return Err(ErrorKind::StorageFull.into());
        }
        let from = usize::try_from(offset).expect("a small disk");
        let to = from + data.len();
        if image.seen.len() < to {
            image.seen.resize(to, 0);
        }
        image.seen[from..to].copy_from_slice(data);
        image.touch(from, data.len());
        Ok(())
    }
}
