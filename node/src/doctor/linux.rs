//! What Linux tells everybody of its network interfaces, containers, firewalls and disks.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use super::facts::{Firewall, FirewallKind, Interface};

/// The most interfaces that are looked at: a host of many containers has hundreds, and the first tell enough.
const MAX_INTERFACES: usize = 256;

/// The longest of the kernel's small files that is read.
const MAX_FILE_LEN: u64 = 256 * 1024;

/// The network interfaces, by name.
pub(super) fn interfaces() -> Option<Vec<Interface>> {
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    // An interface is listed once by itself, and once for each of its addresses.
    for entry in getifaddrs().ok()? {
        if found.len() >= MAX_INTERFACES && !found.contains_key(&entry.interface_name) {
            continue;
        }
        let interface = found.entry(entry.interface_name.clone()).or_insert_with(|| Interface {
            bridge: Path::new("/sys/class/net").join(&entry.interface_name).join("bridge").exists(),
            up: entry.flags.contains(InterfaceFlags::IFF_UP),
            running: entry.flags.contains(InterfaceFlags::IFF_RUNNING),
            loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
            multicast: entry.flags.contains(InterfaceFlags::IFF_MULTICAST),
            name: entry.interface_name,
            addresses: Vec::new(),
        });
        let address = entry.address.and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        });
        interface.addresses.extend(address);
    }
    Some(found.into_values().collect())
}

/// The kind of container that this process is in, by the marks that the kinds leave.
pub(super) fn container() -> Option<&'static str> {
    if Path::new("/.dockerenv").exists() {
        return Some("Docker");
    }
    if Path::new("/run/.containerenv").exists() {
        return Some("Podman");
    }
    let cgroup = read("/proc/1/cgroup");
    let kinds = [("kubepods", "Kubernetes"), ("docker", "Docker"), ("lxc", "LXC"), ("containerd", "containerd")];
    kinds.into_iter().find(|(mark, _)| cgroup.contains(mark)).map(|(_, kind)| kind)
}

/// What can be told of packet filters without being root.
pub(super) fn firewall() -> Firewall {
    let is_on = |line: &str| line.trim().eq_ignore_ascii_case("enabled=yes");
    let active = if read("/etc/ufw/ufw.conf").lines().any(is_on) {
        Some(FirewallKind::Ufw)
    } else if Path::new("/run/firewalld.pid").exists() || Path::new("/run/firewalld").exists() {
        Some(FirewallKind::Firewalld)
    } else {
        None
    };
    let modules = read("/proc/modules");
    let is_filter = |line: &str| {
        let mut fields = line.split(' ');
        let name = fields.next();
        // One that nobody uses has no rules.
        let used = fields.nth(1).is_some_and(|count| count != "0");
        used && name.is_some_and(|name| matches!(name, "nf_tables" | "ip_tables" | "iptable_filter"))
    };
    Firewall { active, filter_loaded: modules.lines().any(is_filter) }
}

/// Bytes left to an ordinary user on the file system of a folder.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let found = nix::sys::statvfs::statvfs(folder).ok()?;
    found.blocks_available().checked_mul(found.fragment_size())
}

/// Whether a file is this user's own, or this user is root.
pub(super) fn is_own(path: &Path) -> bool {
    let me = nix::unistd::geteuid();
    let owner = fs::metadata(path).map(|found| std::os::unix::fs::MetadataExt::uid(&found));
    me.is_root() || owner.is_ok_and(|owner| owner == me.as_raw())
}

/// A small file's text, or as good as none.
fn read(path: &str) -> String {
    use std::io::Read;

    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_FILE_LEN).read_to_string(&mut text));
    if read.is_ok() { text } else { String::new() }
}
