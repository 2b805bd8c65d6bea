//! How an attack is carried out: everything is made ready first, so that its work is not measured, then it begins on a word.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::claim::Claim;
use super::field::{Field, Target};
use super::gauge::{Gauge, forget_peak, open_files};

/// Memory that a node may take on under attack, in MiB: what its queues, windows and caches hold when they are full.
const MAX_GROWTH_MIB: usize = 64;

/// Files that a node may open under attack: strangers' connections and unfinished handshakes, and some for members.
const MAX_FILES: usize = 340;

/// So long passes between two messages of the honest.
const PAUSE: Duration = Duration::from_millis(25);

/// An attack, and who can carry it out.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) by: &'static str,
    /// Makes ready, waits for the word, and goes on until its time is over; returns what it has to say.
    pub(crate) run: fn(Arc<Target>, Word) -> BoxFuture<'static, Vec<Claim>>,
    /// Whether it needs so long at least, to be told from a quiet time.
    pub(crate) at_least: Duration,
}

/// The word to begin.
pub(crate) struct Word {
    ready: oneshot::Sender<()>,
    begin: oneshot::Receiver<Instant>,
}

impl Word {
    /// Says that all is ready; returns when the attack is to end.
    pub(crate) async fn wait(self) -> Instant {
        self.ready.send(()).unwrap();
        self.begin.await.unwrap()
    }
}

/// What an attack has come to.
pub(crate) struct Outcome {
    pub(crate) claims: Vec<Claim>,
    /// How long messages took before it.
    pub(crate) quiet: Vec<Duration>,
    /// How long messages took beside it.
    pub(crate) attacked: Vec<Duration>,
    /// The share of one processor that the node took.
    pub(crate) cpu: f64,
}

impl Outcome {
    /// Everything that is claimed but times.
    pub(crate) fn assert_holds(&self) {
        let broken: Vec<_> = self.claims.iter().filter(|claim| !claim.holds).collect();
        assert!(broken.is_empty(), "{broken:#?}");
        assert!(!self.attacked.is_empty(), "the honest were heard");
    }
}

/// Carries an attack out against a field for so long, while the honest talk; before it they talk for `quiet`.
pub(crate) fn play(field: &mut Field, attack: &Attack, quiet: Duration, length: Duration) -> Outcome {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).on_thread_start(give_way).enable_all().build().unwrap();
    let (ready, is_ready) = oneshot::channel();
    let (tell, begin) = oneshot::channel();
    let strike = runtime.spawn((attack.run)(Arc::clone(&field.target), Word { ready, begin }));
    runtime.block_on(is_ready).expect("the attack gets ready");
    let (quiet, _) = talk(field, &format!("before {}", attack.name), Instant::now() + quiet);
    let pid = field.attacked.id();
    forget_peak(pid);
    let (before, began) = (Gauge::read(pid), Instant::now());
    let end = began + length.max(attack.at_least);
    tell.send(end).expect("the attack waits");
    let (attacked, files) = talk(field, attack.name, end);
    let (after, elapsed) = (Gauge::read(pid), began.elapsed());
    let mut claims = runtime.block_on(strike).expect("the attack comes to its end");
    runtime.shutdown_timeout(Duration::from_secs(1));
    let growth_kib = after.peak_kib.saturating_sub(before.resident_kib);
    claims.push(Claim::at_most("memory taken on, in MiB,", MAX_GROWTH_MIB, (growth_kib / 1024) as usize));
    claims.push(Claim::at_most("open files", MAX_FILES, files));
    let cpu = (after.cpu_ticks - before.cpu_ticks) as f64 / 100.0 / elapsed.as_secs_f64();
    Outcome { claims, quiet, attacked, cpu }
}

/// Has this thread take what processors the others leave: an attacker's work is another device's, and none of the times that
/// are measured.
fn give_way() {
    let thread = std::fs::read_link("/proc/thread-self").unwrap();
    let mut renice = Command::new("renice");
    let status = renice.args(["-n", "19", "-p"]).arg(thread.file_name().unwrap()).stdout(Stdio::null()).status();
    assert!(status.expect("renice can be run").success());
}

/// Has the speaker talk until then, once at least; returns how long each message took, and the most open files.
fn talk(field: &mut Field, about: &str, until: Instant) -> (Vec<Duration>, usize) {
    let (mut took, mut files) = (Vec::new(), 0);
    loop {
        let text = format!("{about} {}", took.len());
        let said = Instant::now();
        field.speaker.say(&text);
        field.attacked.expect(&format!("[army] Army1: {text}"));
        took.push(said.elapsed());
        files = files.max(open_files(field.attacked.id()));
        if Instant::now() >= until {
            return (took, files);
        }
        std::thread::sleep(PAUSE);
    }
}
