//! How often a host may knock: a handshake costs the node as much as who begins it, and a stranger may begin any number.
//!
//! Each host has an allowance that fills again, a larger one where members have come from it, and all hosts from which none
//! has come share another, for whoever has many addresses. What is refused costs no more than the connection's end.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::allowance::{Allowance, Meter};

/// A host from which no member has come. A crowd of members behind one address begins as many at once as a host may have under
/// way; in the long run handshakes with one host take no more than a 500th of a core.
const UNFAMILIAR: Allowance = Allowance { burst: 32, each: Duration::from_millis(250) };

/// All such hosts together: less than a hundredth of a core in the long run.
const ALL_UNFAMILIAR: Allowance = Allowance { burst: 192, each: Duration::from_millis(50) };

/// A host from which members have come: a whole unit behind one address that starts anew, whoever else is there with it.
const FAMILIAR: Allowance = Allowance { burst: 512, each: Duration::from_millis(10) };

/// Hosts whose allowance is remembered. Only those are whose allowance is not full, and those of unfamiliar hosts fill
/// within eight seconds, in which they all together begin fewer handshakes than this.
const MAX_METERED: usize = 512;

/// How many handshakes hosts have begun of late.
#[derive(Debug, Default)]
pub(crate) struct Knocks {
    hosts: BTreeMap<Option<IpAddr>, Meter>,
    unfamiliar: Meter,
}

impl Knocks {
    /// Tells whether a host may begin a handshake now, and counts it; an address that tells no host is one of its own.
    pub(crate) fn take(&mut self, host: Option<IpAddr>, is_familiar: bool, now: Instant) -> bool {
        if self.hosts.len() >= MAX_METERED && !self.hosts.contains_key(&host) {
            self.hosts.retain(|_, meter| !meter.is_full(now));
            if self.hosts.len() >= MAX_METERED && !is_familiar {
                return false;
            }
        }
        let meter = self.hosts.entry(host).or_default();
        if is_familiar {
            return meter.take(FAMILIAR, now);
        }
        let before = *meter;
        if !meter.take(UNFAMILIAR, now) {
            return false;
        }
        // What is refused for the others' sake takes nothing of the host's own.
        let is_taken = self.unfamiliar.take(ALL_UNFAMILIAR, now);
        if !is_taken {
            *meter = before;
        }
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u32) -> Option<IpAddr> {
        Some(IpAddr::from(number.to_be_bytes()))
    }

    fn taken(knocks: &mut Knocks, host: Option<IpAddr>, is_familiar: bool, tries: usize, now: Instant) -> usize {
        (0..tries).filter(|_| knocks.take(host, is_familiar, now)).count()
    }

    #[test]
    fn a_host_without_members_knocks_so_often_and_then_at_its_pace() {
        let (mut knocks, start) = (Knocks::default(), Instant::now());
        assert_eq!(taken(&mut knocks, host(1), false, 1000, start), 32);
        assert_eq!(taken(&mut knocks, host(1), false, 1000, start + Duration::from_secs(1)), 4);
        assert_eq!(
            taken(&mut knocks, host(2), false, 1, start + Duration::from_secs(1)),
            1,
            "another is not concerned"
        );
        assert_eq!(taken(&mut knocks, host(1), false, 1000, start + Duration::from_secs(60)), 32);
    }

    #[test]
    fn whoever_has_many_addresses_knocks_no_oftener_than_all_may_together_and_keeps_no_familiar_host_out() {
        let (mut knocks, start) = (Knocks::default(), Instant::now());
        let at_once: usize = (0..1000).map(|number| taken(&mut knocks, host(number), false, 10, start)).sum();
        assert_eq!(at_once, 192);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..1000).map(|number| taken(&mut knocks, host(number), false, 10, later)).sum::<usize>(), 20);
        assert_eq!(taken(&mut knocks, host(5000), true, 100, later), 100);
    }

    #[test]
    fn a_host_from_which_members_come_may_bring_a_whole_unit_at_once_but_not_without_end() {
        let (mut knocks, start) = (Knocks::default(), Instant::now());
        assert_eq!(taken(&mut knocks, host(1), true, 5000, start), 512);
        assert_eq!(taken(&mut knocks, host(1), true, 5000, start + Duration::from_secs(1)), 100);
    }

    #[test]
    fn hosts_are_remembered_only_while_that_makes_a_difference() {
        let (mut knocks, start) = (Knocks::default(), Instant::now());
        for number in 0..20 * 600 {
            let now = start + Duration::from_millis(50) * number;
            assert!(knocks.take(host(number), false, now), "each its first, at the pace of all");
        }
        assert!(knocks.hosts.len() <= MAX_METERED);
    }
}
