//! What a node takes that is connected and has nothing to do.

use std::thread;
use std::time::Duration;

use crate::bare::Signing;
use crate::bare_crowd::BareCrowd;
use crate::crowd::warm_up;
use crate::figure::{self, figure};
use crate::muster_crowd::MusterCrowd;

/// Nodes: each has ten peers.
const NODES: usize = 11;

/// How long nothing is said before it is looked.
const IDLE: Duration = Duration::from_secs(10);

/// Measures a node of either mesh.
pub(crate) fn report() {
    let nodes = if figure::quick() { 3 } else { NODES };
    let mut crowd = MusterCrowd::start(nodes, "off");
    warm_up(&mut crowd);
    tell("muster", crowd.processes());
    drop(crowd);
    let mut crowd = BareCrowd::start(nodes, nodes - 1, Signing::Anonymous);
    warm_up(&mut crowd);
    tell("bare", crowd.processes());
}

fn tell(whose: &str, processes: Vec<u32>) {
    thread::sleep(if figure::quick() { Duration::ZERO } else { IDLE });
    let mut resident: Vec<u64> = processes.into_iter().map(resident_kib).collect();
    resident.sort_unstable();
    figure("mesh.memory", whose, resident[resident.len() / 2] as f64 / 1024.0, "MiB");
}

/// Returns a process's resident memory.
pub(crate) fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    resident.trim().trim_end_matches(" kB").parse().unwrap()
}
