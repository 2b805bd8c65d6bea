//! The store's thread gives way to those that pass messages on.

/// How much the store's thread gives way, as `nice` counts it: where all cores are busy it has a third of another thread's
/// share, so that what is stored holds up nothing that is to be checked and passed on, and is still stored.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Has the thread that calls this give way to the others; where the system does not let it, all is as it was.
pub(super) fn give_way() {
    // To Linux a thread is a process, and none is named by this one (setpriority(2), "C library/kernel differences").
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the store's thread does not give way");
    }
}
