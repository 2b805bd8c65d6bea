//! Threads that give way to those that pass messages on.

/// How much such a thread gives way, as `nice` counts it: where all cores are busy it has a third of another thread's share,
/// so that it holds up nothing that is to be passed on, and still gets on.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Has the thread that calls this give way to the others from now on, which it cannot take back; where the system does not let
/// it, all is as it was.
pub(crate) fn give_way() {
    // To Linux a thread is a process, and none is named by this one (setpriority(2), "C library/kernel differences").
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread does not give way");
    }
}
