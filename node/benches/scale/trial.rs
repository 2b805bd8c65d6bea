//! One unit in one kind of weather.

use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use crate::gossip::Topic;
use crate::measure::{Spread, Traffic};
use crate::unit::Unit;
use crate::world::World;

/// What all chance comes from.
pub(crate) const SEED: u64 = 8;

/// Until so many seconds have passed, members meet and their meshes settle.
const SETTLING_S: u64 = 40;

/// In a small unit it is waited longer, until its signs of life come as evenly as they do in the long run. A large one's are
/// still the first then, of which there are a little more.
const SMALL_SETTLING_S: u64 = 300;

/// The most members of a small unit.
const SMALL: usize = 100;

/// Texts that are said, one a second.
const TEXTS: u64 = 60;

/// The same in a unit so large that each takes long to simulate.
const FEW_TEXTS: u64 = 30;

/// The fewest members of such a unit.
const LARGE: usize = 10_000;

/// In so many seconds everything must be everywhere: as long as it takes until everybody has compared with somebody twice.
const PATIENCE_S: u64 = 180;

/// What was found of one unit.
pub(crate) struct Trial {
    pub(crate) members: usize,
    texts: u64,
    pub(crate) lost_per_mille: u32,
    pub(crate) spread: Spread,
    /// What was sent while texts were said.
    pub(crate) traffic: Traffic,
    /// How many peers the mesh of the troop's topic has, on average.
    degree: f64,
    took_s: f64,
}

/// Simulates a unit.
pub(crate) fn run(unit: &Rc<Unit>, lost_per_mille: u32) -> Trial {
    let members = unit.identities.len();
    let began = Instant::now();
    let mut world = World::new(Rc::clone(unit), lost_per_mille, SEED);
    world.pass(if members <= SMALL { SMALL_SETTLING_S } else { SETTLING_S });
    let degrees: usize = world.nodes.iter().map(|node| node.gossip.degree(Topic::Group)).sum();
    world.measure.traffic = Traffic::default();
    let texts = if members >= LARGE { FEW_TEXTS } else { TEXTS };
    for _ in 0..texts {
        world.say(0);
        world.pass(1);
    }
    let traffic = world.measure.traffic;
    for _ in 0..PATIENCE_S {
        if world.measure.missing() == 0 {
            break;
        }
        world.pass(1);
    }
    Trial {
        members,
        texts,
        lost_per_mille,
        spread: world.measure.spread(),
        traffic,
        degree: degrees as f64 / members as f64,
        took_s: began.elapsed().as_secs_f64(),
    }
}

impl Trial {
    /// Bytes that a node sends for each text, with all that goes on beside.
    pub(crate) fn bytes_a_text(&self) -> f64 {
        self.of_a_text(self.traffic.all())
    }

    /// Of these, bytes of gossip messages with texts in them.
    pub(crate) fn bytes_of_texts(&self) -> f64 {
        self.of_a_text(self.traffic.texts)
    }

    fn of_a_text(&self, bytes: u64) -> f64 {
        bytes as f64 / self.texts as f64 / self.members as f64
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spread, traffic, .. } = self;
        let [p50, p99, longest] = [spread.p50_us, spread.p99_us, spread.longest_us].map(|us| us as f64 / 1000.0);
        write!(f, "{} members, {}% lost: ", self.members, f64::from(self.lost_per_mille) / 10.0)?;
        write!(f, "delivered {:.4}%, {} missed, ", 100.0 * spread.delivered, spread.missed)?;
        write!(f, "p50 {p50:.0} ms, p99 {p99:.0} ms, longest {longest:.0} ms, ")?;
        write!(f, "redundancy {:.2}, mesh degree {:.2}, ", spread.redundancy, self.degree)?;
        let parts = [traffic.texts, traffic.presence, traffic.control, traffic.sync].map(|bytes| self.of_a_text(bytes));
        write!(f, "{:.0} bytes a node and text ({parts:.0?} texts, presence, control, sync), ", self.bytes_a_text())?;
        write!(f, "{} brought by sessions; {:.1} s", spread.brought, self.took_s)
    }
}
