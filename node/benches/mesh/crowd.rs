//! What is asked of either mesh, and how messages are told apart in both.

use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

/// Bytes of every text.
const TEXT_LEN: usize = 200;

/// Digits of the number that every text begins with.
const NUMBER_LEN: usize = 8;

/// How long a mesh may take to be complete, or a last message to be everywhere.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often a mesh is asked how far it has come: soon enough for a figure, and little to do.
const GLANCE: Duration = Duration::from_millis(5);

/// A mesh of running nodes, ended when dropped.
pub(crate) trait Crowd {
    /// Has each of these nodes say that many texts, at so many a second in all; returns when each was said.
    fn say(&mut self, authors: &[usize], texts: usize, a_second: f64) -> Vec<Said>;

    /// Returns how many texts of others a node has; Muster's are stored and shown.
    fn heard(&mut self, node: usize) -> usize;

    /// Returns how many nodes there are.
    fn nodes(&self) -> usize;
}

/// One text that was said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) number: u64,
    pub(crate) author: usize,
    pub(crate) at_us: u64,
}

/// When a text was somewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) number: u64,
    pub(crate) at_us: u64,
}

/// Returns a text that begins with its number.
pub(crate) fn text(number: u64) -> String {
    let mut text = format!("{number:0NUMBER_LEN$} ");
    while text.len() < TEXT_LEN {
        text.push(char::from(b'a' + u8::try_from(text.len() % 26).unwrap()));
    }
    text
}

/// Returns the number that a text begins with.
pub(crate) fn number_of(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text.get(..NUMBER_LEN)?).ok()?.parse().ok()
}

/// The system's clock, which all processes here share, in microseconds.
pub(crate) fn now_us() -> u64 {
    u64::try_from(UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap()
}

/// Returns how many texts of others each node has.
pub(crate) fn heard(crowd: &mut dyn Crowd) -> Vec<usize> {
    (0..crowd.nodes()).map(|node| crowd.heard(node)).collect()
}

/// Waits until every node has heard so many more texts than before; returns how many are lacking at the deadline.
///
/// One is asked after the other, the next when the one before has all: on the processors of the mesh, questions are a load of
/// their own.
pub(crate) fn wait_heard(crowd: &mut dyn Crowd, before: &[usize], more: &[usize], deadline: Instant) -> usize {
    let due = |node: usize| before[node] + more[node];
    let mut lacking = 0;
    for node in 0..crowd.nodes() {
        let mut lacks = due(node).saturating_sub(crowd.heard(node));
        while lacks > 0 && Instant::now() < deadline {
            thread::sleep(GLANCE);
            lacks = due(node).saturating_sub(crowd.heard(node));
        }
        lacking += lacks;
    }
    lacking
}

/// Returns how many of these texts each of so many nodes is to hear: all but its own.
pub(crate) fn due(said: &[Said], nodes: usize) -> Vec<usize> {
    (0..nodes).map(|node| said.iter().filter(|said| said.author != node).count()).collect()
}

/// Has every node say one text, again and again until all hear all at once: the mesh is complete.
pub(crate) fn warm_up(crowd: &mut dyn Crowd) {
    let nodes = crowd.nodes();
    let everyone: Vec<usize> = (0..nodes).collect();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = heard(crowd);
        let said = crowd.say(&everyone, 1, nodes as f64);
        if wait_heard(crowd, &before, &due(&said, nodes), Instant::now() + Duration::from_secs(2)) == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "the mesh does not hold together");
    }
}

/// Where a due moment lies that many texts into a stream of so many a second.
pub(crate) fn moment(start: Instant, nth: usize, a_second: f64) -> Instant {
    start + Duration::from_secs_f64(nth as f64 / a_second)
}
