//! A network of the demo's own, out of which no packet leaves this machine.

use std::io;

/// Why no network namespace of one's own can be had.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// Only Linux has them.
    #[cfg(not(target_os = "linux"))]
    #[error("this system has no network namespaces")]
    Unsupported,
    /// The system does not let this user make one.
    #[cfg(target_os = "linux")]
    #[error("the system allows no network namespace: {0}")]
    Unshare(#[source] nix::Error),
    /// This user could not be made known in the new namespace.
    #[cfg(target_os = "linux")]
    #[error("cannot write {path}: {source}")]
    Map {
        /// The file of the kernel.
        path: &'static str,
        /// What was behind it.
        source: io::Error,
    },
    /// The kernel could not be talked to about the network.
    #[error("no netlink socket: {0}")]
    Netlink(#[source] io::Error),
    /// The kernel would not set the network up.
    #[cfg(target_os = "linux")]
    #[error("the network could not be set up: {0}")]
    SetUp(#[source] rtnetlink::Error),
}

/// Moves this process, and all it starts from now on, into a new network that consists of this machine alone.
///
/// Must be called before the process has a second thread. Where it fails the process may be left with no usable
/// network at all: try it out in a process that is not needed otherwise.
///
/// # Errors
/// [`NamespaceError`] says which step the system refused.
#[cfg(not(target_os = "linux"))]
pub fn enter() -> Result<(), NamespaceError> {
    Err(NamespaceError::Unsupported)
}

#[cfg(target_os = "linux")]
pub use linux::enter;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::net::{IpAddr, Ipv4Addr};

    use nix::sched::{CloneFlags, unshare};
    use nix::unistd::{getgid, getuid};
    use rtnetlink::LinkUnspec;

    use super::NamespaceError;

    /// The index of the loopback interface, the same in every network namespace.
    const LOOPBACK: u32 = 1;

    /// The one address of the new network. Discovery by multicast passes over 127.0.0.1; an address from a private
    /// range (RFC 1918) it takes, and the loopback interface carries its multicast like any other's.
    const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

    /// The whole of [`ADDRESS`]: there is nobody beside it.
    const PREFIX_LEN: u8 = 32;

    /// See the other system's version above.
    pub fn enter() -> Result<(), NamespaceError> {
        // Asked before: inside, both are unknown until they are mapped.
        let (user, group) = (getuid(), getgid());
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET).map_err(NamespaceError::Unshare)?;
        // Mapped to themselves, so that the nodes are this user and nothing more. Without the first of the three
        // the kernel refuses the second to an ordinary user (user_namespaces(7)).
        write("/proc/self/setgroups", "deny")?;
        write("/proc/self/gid_map", &format!("{group} {group} 1"))?;
        write("/proc/self/uid_map", &format!("{user} {user} 1"))?;
        // One thread, this one: the namespace is this thread's, and others of the process must not have another.
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(NamespaceError::Netlink)?;
        runtime.block_on(set_up())
    }

    async fn set_up() -> Result<(), NamespaceError> {
        let (connection, handle, _messages) = rtnetlink::new_connection().map_err(NamespaceError::Netlink)?;
        let connection = tokio::spawn(connection);
        let up = LinkUnspec::new_with_index(LOOPBACK).up().build();
        handle.link().set(up).execute().await.map_err(NamespaceError::SetUp)?;
        handle.address().add(LOOPBACK, ADDRESS, PREFIX_LEN).execute().await.map_err(NamespaceError::SetUp)?;
        connection.abort();
        Ok(())
    }

    fn write(path: &'static str, content: &str) -> Result<(), NamespaceError> {
        fs::write(path, content).map_err(|source| NamespaceError::Map { path, source })
    }
}
