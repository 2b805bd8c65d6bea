//! Twice as much as a mesh can bring: nothing that was acknowledged may be lost, and nothing may grow without bound.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::crowd::{Crowd, due, heard, wait_heard, warm_up};
use crate::figure::{self, figure};
use crate::memory::resident_kib;
use crate::muster_crowd::MusterCrowd;
use crate::trials::NODES;

/// How long too much is said.
const LASTS_S: f64 = 30.0;

/// How long is waited for what was acknowledged; what is not there then counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(120);

/// How often the processes' memory is looked at.
const GLANCE: Duration = Duration::from_millis(250);

/// Has all say twice the highest rate that was reached, and tells what became of it.
pub(crate) fn report(highest: f64) {
    let mut crowd = MusterCrowd::start(NODES, "off");
    warm_up(&mut crowd);
    let rate = 2.0 * highest;
    let lasts_s = if figure::quick() { 2.0 } else { LASTS_S };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, and positive")]
    let each = (rate * lasts_s) as usize / NODES;
    let everyone: Vec<usize> = (0..NODES).collect();
    let (processes, before) = (crowd.processes(), heard(&mut crowd));
    let (over, peak_kib) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let most = processes.iter().map(|process| resident_kib(*process)).max();
                peak_kib.fetch_max(most.unwrap_or(0), Ordering::Relaxed);
                thread::sleep(GLANCE);
            }
        });
        let began = Instant::now();
        let said = crowd.say(&everyone, each, rate);
        let (said_at, ended) = (began.elapsed(), Instant::now());
        let lacking = wait_heard(&mut crowd, &before, &due(&said, NODES), ended + LOST_AFTER);
        let late = ended.elapsed();
        over.store(true, Ordering::Relaxed);
        println!(
            "overload: {rate:.0} texts a second for {:.0} s: {} acknowledged, {} refused",
            said_at.as_secs_f64(),
            said.len(),
            crowd.refused()
        );
        figure("mesh.overload.lost", "muster", lacking as f64, "");
        figure("mesh.overload.late", "muster", late.as_secs_f64(), "s");
    });
    figure("mesh.overload.memory", "muster", peak_kib.into_inner() as f64 / 1024.0, "MiB");
}
