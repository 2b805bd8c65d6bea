//! What a process uses, read from the system.

use std::fs;

/// What a process uses at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauge {
    /// Memory, at most since [`forget_peak`], in KiB.
    pub(crate) peak_kib: u64,
    /// Memory now, in KiB.
    pub(crate) resident_kib: u64,
    /// Processor time so far, in hundredths of a second.
    pub(crate) cpu_ticks: u64,
}

impl Gauge {
    /// Reads it.
    pub(crate) fn read(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // The name in brackets may hold anything; what follows it does not.
        let after: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |nth: usize| after[nth].parse::<u64>().unwrap();
        Self { peak_kib: field("VmHWM:"), resident_kib: field("VmRSS:"), cpu_ticks: ticks(11) + ticks(12) }
    }
}

/// Returns how many files a process has open, connections among them.
pub(crate) fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Has the system count the peak of a process's memory anew.
pub(crate) fn forget_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
}
