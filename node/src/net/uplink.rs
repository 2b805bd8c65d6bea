//! Whether there is a network at all: told once when it is missing, and when it is there.

use std::time::{Duration, Instant};

use libp2p::Multiaddr;

use super::translate::host;

/// How long interfaces may take to come up at the start, and to change their address in between.
const GRACE: Duration = Duration::from_secs(3);

/// What is known of the device's network.
#[derive(Debug)]
pub(crate) struct Uplink {
    /// Whether the node wants to be heard beyond this device; one that listens on loopback alone does not.
    wanted: bool,
    told: bool,
    /// Since when there has been nothing but loopback.
    alone: Option<Instant>,
}

impl Uplink {
    /// Begins to watch, for a node that was told to listen on these addresses.
    pub(crate) fn new<'a>(mut listen: impl Iterator<Item = &'a Multiaddr>) -> Self {
        Self { wanted: listen.any(|address| !is_loopback(address)), told: false, alone: None }
    }

    /// Looks at where the node can be reached now; returns whether that is beyond this device, if it is news.
    pub(crate) fn look<'a>(
        &mut self,
        mut listening: impl Iterator<Item = &'a Multiaddr>,
        now: Instant,
    ) -> Option<bool> {
        if !self.wanted {
            return None;
        }
        if listening.any(|address| !is_loopback(address)) {
            self.alone = None;
            return std::mem::take(&mut self.told).then_some(true);
        }
        let since = *self.alone.get_or_insert(now);
        if self.told || now.saturating_duration_since(since) < GRACE {
            return None;
        }
        self.told = true;
        Some(false)
    }
}

fn is_loopback(address: &Multiaddr) -> bool {
    host(address).is_some_and(|host| host.is_loopback())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_network_is_told_once_it_has_lasted_and_once_it_is_back() {
        let [anywhere, loopback, lan]: [Multiaddr; 3] =
            ["/ip4/0.0.0.0/tcp/0", "/ip4/127.0.0.1/tcp/4001", "/ip4/10.0.0.1/tcp/4001"]
                .map(|address| address.parse().unwrap());
        let start = Instant::now();
        let mut uplink = Uplink::new([&anywhere].into_iter());
        assert_eq!(uplink.look([&loopback].into_iter(), start), None);
        assert_eq!(uplink.look([].into_iter(), start + GRACE), Some(false));
        assert_eq!(uplink.look([&loopback].into_iter(), start + 2 * GRACE), None);
        assert_eq!(uplink.look([&loopback, &lan].into_iter(), start + 2 * GRACE), Some(true));
        // An interface that comes and goes within a moment is no news.
        assert_eq!(uplink.look([&loopback].into_iter(), start + 3 * GRACE), None);
        assert_eq!(uplink.look([&lan].into_iter(), start + 4 * GRACE), None);
        assert_eq!(uplink.look([&loopback].into_iter(), start + 5 * GRACE), None);
        assert_eq!(uplink.look([&loopback].into_iter(), start + 6 * GRACE), Some(false));
    }

    #[test]
    fn a_node_that_listens_on_loopback_alone_misses_no_network() {
        let loopback: Multiaddr = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
        let start = Instant::now();
        let mut uplink = Uplink::new([&loopback].into_iter());
        assert_eq!(uplink.look([].into_iter(), start), None);
        assert_eq!(uplink.look([].into_iter(), start + 10 * GRACE), None);
    }
}
