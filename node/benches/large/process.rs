//! What the kernel tells of a process's memory and time (proc(5)).

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::thread;
use std::time::{Duration, Instant};

/// How long a process that is still busy is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that has used no more ticks than this in so long is at rest.
const REST: (u64, Duration) = (2, Duration::from_secs(1));

/// Returns the most memory that a process has had resident so far; nothing once it has ended.
pub(crate) fn peak_kib(process: u32) -> Option<u64> {
    of_status(process, "VmHWM:")
}

/// Returns how much memory of a process is resident.
pub(crate) fn resident_kib(process: u32) -> Option<u64> {
    of_status(process, "VmRSS:")
}

fn of_status(process: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Returns the kernel's ticks of processor time that a process has used so far, 100 of them a second.
pub(crate) fn ticks(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // After the name, which may hold anything, in brackets; user and system time are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    fields.get(11..13)?.iter().map(|field| field.parse::<u64>().ok()).sum()
}

/// Returns the seconds of processor time that a process has used so far.
pub(crate) fn cpu_s(process: u32) -> Option<f64> {
    /// The kernel's clock ticks a second, as it tells them to programs (proc(5)): 100 on every Linux.
    const TICKS_PER_S: f64 = 100.0;
    ticks(process).map(|ticks| ticks as f64 / TICKS_PER_S)
}

/// Waits until a process has nothing more to do, such as a node that has read all it wants to of its store; returns when that
/// was.
pub(crate) fn wait_for_rest(process: u32) -> Duration {
    let (few, span) = REST;
    let (began, mut last) = (Instant::now(), (Instant::now(), 0));
    while last.0.elapsed() < span {
        assert!(began.elapsed() < PATIENCE, "the process is still busy");
        let used = ticks(process).unwrap();
        if used > last.1 + few {
            last = (Instant::now(), used);
        }
        thread::sleep(span / 20);
    }
    last.0 - began
}
