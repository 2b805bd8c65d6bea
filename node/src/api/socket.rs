//! The socket itself: where it lies, who may use it, and how one that a killed node left is replaced.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// The longest path that a socket's address holds, in bytes, on the system that allows least.
const MAX_PATH_LEN: usize = 103;

/// The one user beside the node's own who may use its socket.
const ROOT: u32 = 0;

/// Why a node has no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Something lies there that is no socket.
    #[error("{} is no socket, and is not replaced by one", path.display())]
    NotASocket {
        /// Where.
        path: PathBuf,
    },
    /// The system does not give one.
    #[error("cannot open the control socket {}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A node's socket, open for screens and commands; gone when dropped.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl Listener {
    /// Opens the socket for its owner alone, in place of one that an earlier node left.
    ///
    /// Only who holds the home's lock may call this: then whatever socket lies there is nobody's.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn open(path: &Path) -> Result<Self, SocketError> {
        let failed = |source| SocketError::Io { path: path.to_owned(), source };
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(SocketError::NotASocket { path: path.to_owned() });
            }
            Ok(_) => fs::remove_file(path).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = at(path, |path| UnixListener::bind(path)).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let owner = fs::symlink_metadata(path).map_err(failed)?.uid();
        Ok(Self { listener, path: path.to_owned(), owner })
    }

    /// Waits for the next connection; tells whether who connects may use the node.
    pub(super) async fn accept(&self) -> io::Result<(UnixStream, bool)> {
        let (stream, _) = self.listener.accept().await?;
        let user = stream.peer_cred()?.uid();
        Ok((stream, user == self.owner || user == ROOT))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Where it cannot be removed, the next node replaces it.
        drop(fs::remove_file(&self.path));
    }
}

/// Connects to the node whose socket lies there.
pub(super) async fn connect(path: &Path) -> io::Result<UnixStream> {
    // The address must be made while the folder is open; connecting to a local socket waits for nobody.
    let stream = at(path, |path| std::os::unix::net::UnixStream::connect(path))?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

/// Does something with a socket's path, however long that is.
fn at<T>(path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    if path.as_os_str().len() <= MAX_PATH_LEN {
        return act(path);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return act(path) };
    let folder = File::open(folder)?;
    act(&through(&folder)?.join(name))
}

/// A short name of an open folder.
#[cfg(target_os = "linux")]
fn through(folder: &File) -> io::Result<PathBuf> {
    Ok(PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())))
}

#[cfg(not(target_os = "linux"))]
fn through(folder: &File) -> io::Result<PathBuf> {
    let _open = folder.as_raw_fd();
    Err(io::Error::new(io::ErrorKind::InvalidFilename, format!("its path is longer than {MAX_PATH_LEN} bytes")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_its_owners_alone_and_gone_with_its_node() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = Listener::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let (accepted, connected) = tokio::join!(listener.accept(), connect(&path));
        assert!(connected.is_ok() && accepted.unwrap().1);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_that_a_killed_node_left_is_replaced_and_a_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists() && connect(&path).await.is_err());
        drop(Listener::open(&path).unwrap());
        fs::write(&path, "mine").unwrap();
        assert!(matches!(Listener::open(&path), Err(SocketError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_path_longer_than_an_address_holds_works_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a".repeat(120)).join("b".repeat(120));
        fs::create_dir_all(&deep).unwrap();
        let path = deep.join("control.sock");
        let listener = Listener::open(&path).unwrap();
        let (accepted, connected) = tokio::join!(listener.accept(), connect(&path));
        assert!(connected.is_ok() && accepted.unwrap().1);
    }
}
