//! What the kernel tells of a process's memory and time (proc(5)).

#![allow(dead_code, reason = "each benchmark uses a part of it")]

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
