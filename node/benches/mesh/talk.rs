//! How soon a text is at every reader, at a leisurely rate; the same for every crowd.

use std::collections::HashMap;
use std::time::Instant;

use crate::crowd::{Crowd, Heard, PATIENCE, Said, due, heard, wait_heard};
use crate::figure::{self, figure};

/// Texts a second, over all authors, who take turns.
const A_SECOND: f64 = 20.0;

/// How many there are, and how much they say in all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) nodes: usize,
    pub(crate) texts: usize,
}

/// A handful, all of whom know each other.
pub(crate) fn few() -> Scene {
    if figure::quick() { Scene { nodes: 4, texts: 40 } } else { Scene { nodes: 10, texts: 300 } }
}

/// As many as a machine of two cores can show.
pub(crate) fn many() -> Scene {
    if figure::quick() { Scene { nodes: 8, texts: 40 } } else { Scene { nodes: 50, texts: 200 } }
}

/// All take turns to say something, and every text must be everywhere in the end.
pub(crate) fn talk(crowd: &mut dyn Crowd, scene: Scene) -> Vec<Said> {
    let everyone: Vec<usize> = (0..scene.nodes).collect();
    let before = heard(crowd);
    let said = crowd.say(&everyone, scene.texts / scene.nodes, A_SECOND);
    let lacking = wait_heard(crowd, &before, &due(&said, scene.nodes), Instant::now() + PATIENCE);
    assert_eq!(lacking, 0, "texts that have not come everywhere");
    said
}

/// Tells the times from a text's being said, or published, until it is somewhere, over all texts and readers.
pub(crate) fn tell(what: &str, whose: &str, said: &[Said], heard: &[Vec<Heard>]) {
    let times: HashMap<u64, &Said> = said.iter().map(|said| (said.number, said)).collect();
    let mut took_ms: Vec<f64> = Vec::new();
    for (reader, heard) in heard.iter().enumerate() {
        let others = heard.iter().filter_map(|heard| times.get(&heard.number).map(|said| (said, heard)));
        let others = others.filter(|(said, _)| said.author != reader);
        took_ms.extend(others.map(|(said, heard)| heard.at_us.saturating_sub(said.at_us) as f64 / 1000.0));
    }
    let expected: usize = due(said, heard.len()).iter().sum();
    assert_eq!(took_ms.len(), expected, "{what} of {whose}: times are missing");
    took_ms.sort_by(f64::total_cmp);
    let percentile = |part: usize| took_ms[(took_ms.len() - 1) * part / 100];
    figure(&format!("{what}.p50"), whose, percentile(50), "ms");
    figure(&format!("{what}.p99"), whose, percentile(99), "ms");
}
