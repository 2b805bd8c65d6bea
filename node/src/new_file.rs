//! A file that is there whole or not at all, for its owner alone.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Why a file was not made.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Something of that name is there.
    #[error("{} exists already and is not overwritten", path.display())]
    Exists {
        /// The name.
        path: PathBuf,
    },
    /// Something is there that is no file, and must not be replaced by one.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The name.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// Its name.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FileError {
    /// Returns what the member can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "give another name with -o FILE, or replace it with --force",
            Self::NotAFile { .. } => "give another name with -o FILE",
            Self::Write { .. } => "give a file in a folder of your own with -o FILE",
        }
    }

    /// What went wrong with a file; its name may have been taken since it was last seen free.
    pub(crate) fn at(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            _ => Self::Write { path, source },
        }
    }
}

/// A file being written beside the place where it will be; gone when dropped before it is kept.
pub(crate) struct NewFile {
    target: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
    overwrite: bool,
}

impl NewFile {
    /// Begins a file that is going to be at `target`, once it is seen that it may be.
    pub(crate) fn create(target: &Path, overwrite: bool) -> Result<Self, FileError> {
        check_target(target, overwrite)?;
        Self::beside(target, overwrite).map_err(|error| FileError::at(target, error))
    }

    fn beside(target: &Path, overwrite: bool) -> io::Result<Self> {
        let random: [u8; 8] = muster_keys::random_bytes().map_err(io::Error::other)?;
        let mut name = OsString::from(".");
        name.push(target.file_name().ok_or(io::ErrorKind::InvalidFilename)?);
        name.push(format!(".{:016x}", u64::from_le_bytes(random)));
        let temporary = target.with_file_name(name);
        let file = BufWriter::new(create_private(&temporary)?);
        Ok(Self { target: target.to_owned(), temporary, file, overwrite })
    }

    /// Gives the file its name once it is on the disk.
    pub(crate) fn keep(self) -> Result<(), FileError> {
        let target = self.target.clone();
        self.into_place().map_err(|error| FileError::at(&target, error))
    }

    fn into_place(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        if self.overwrite {
            fs::rename(&self.temporary, &self.target)?;
        } else {
            // Taking the name first makes sure that nothing is replaced, and unlike a hard link works on every memory card.
            create_private(&self.target)?;
            if let Err(error) = fs::rename(&self.temporary, &self.target) {
                fs::remove_file(&self.target)?;
                return Err(error);
            }
        }
        sync_folder(&self.target)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // It is not there any more when the file was kept; where it cannot be removed there is nobody left to tell.
        drop(fs::remove_file(&self.temporary));
    }
}

/// Sees that a new file may be put at `path`.
fn check_target(path: &Path, overwrite: bool) -> Result<(), FileError> {
    match fs::symlink_metadata(path) {
        // A device, a pipe or a link would be replaced by a file.
        Ok(found) if !found.is_file() => Err(FileError::NotAFile { path: path.to_owned() }),
        Ok(_) if !overwrite => Err(FileError::Exists { path: path.to_owned() }),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::at(path, error)),
        _ => Ok(()),
    }
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Waits until the folder's list of names is on the disk too.
fn sync_folder(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    // Only unix lets a folder be opened like a file; elsewhere the name is the file system's care.
    if cfg!(unix) {
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}
