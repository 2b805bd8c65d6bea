//! A server that is started for the measurement and ended after it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::crowd::PATIENCE;

/// A running server on loopback.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Holds its settings, and is removed with it.
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts a program, with the arguments for an address; `arguments` may write settings into the folder it is given.
    pub(crate) fn start(program: &str, arguments: fn(&Path, SocketAddr) -> Vec<String>) -> Option<Self> {
        let program = find(program)?;
        // Free now; should somebody else take it meanwhile, the server says so and ends.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.args(arguments(folder.path(), address)).current_dir(folder.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Self { child, address, _folder: folder };
        server.wait_until_there();
        Some(server)
    }

    fn wait_until_there(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).is_err() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "the server does not start: {ended:?}");
            thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either may fail where the process has ended by itself.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Looks where programs are, and where Debian puts servers.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
