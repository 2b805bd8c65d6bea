//! How soon a text is at every reader: Muster beside bare gossipsub.

use crate::bare::Signing;
use crate::bare_crowd::BareCrowd;
use crate::crowd::{Heard, Said, warm_up};
use crate::muster_crowd::MusterCrowd;
use crate::talk::{Scene, few, many, talk, tell};

/// What the nodes write down: when a record has been checked, and nothing else.
const LOG: &str = "off,muster::verified=trace";

/// Ten nodes, all connected.
pub(crate) fn report_few() {
    let scene = few();
    let links = report_muster("10", scene);
    report_bare("10", scene, links, Signing::Anonymous);
    report_bare("10", scene, links, Signing::Signed);
}

/// Fifty nodes, each connected to some.
pub(crate) fn report_many() {
    let scene = many();
    let links = report_muster("50", scene);
    report_bare("50", scene, links, Signing::Anonymous);
}

/// Measures Muster; returns how many links a node has, for the others to have as many.
fn report_muster(name: &str, scene: Scene) -> usize {
    let mut crowd = MusterCrowd::start(scene.nodes, LOG);
    warm_up(&mut crowd);
    let links = crowd.links();
    let mean_links = links.iter().sum::<usize>().div_ceil(links.len());
    let listened = crowd.listen();
    let said = talk(&mut crowd, scene);
    let shown: Vec<Vec<Heard>> = listened.iter().map(|heard| heard.lock().unwrap().clone()).collect();
    let verified = crowd.verified();
    let published = published(&said, &verified);
    println!("{} nodes of Muster, {mean_links} links each", scene.nodes);
    tell(&format!("mesh.{name}.verified"), "muster", &published, &verified);
    tell(&format!("mesh.{name}.shown"), "muster", &published, &shown);
    tell(&format!("mesh.{name}.asked"), "muster", &said, &shown);
    mean_links
}

/// When what was said was published: its author writes its record down as all others do, but before it gives it to them.
fn published(said: &[Said], verified: &[Vec<Heard>]) -> Vec<Said> {
    let made = |said: &Said| {
        let of_author = verified[said.author].iter().find(|heard| heard.number == said.number);
        Said { at_us: of_author.unwrap().at_us, ..*said }
    };
    said.iter().map(made).collect()
}

fn report_bare(name: &str, scene: Scene, links: usize, signing: Signing) {
    let mut crowd = BareCrowd::start(scene.nodes, links, signing);
    warm_up(&mut crowd);
    crowd.times();
    let said = talk(&mut crowd, scene);
    let heard = crowd.times();
    println!("{} nodes of gossipsub, {}", scene.nodes, signing.name());
    tell(&format!("mesh.{name}.verified"), signing.name(), &said, &heard);
    if signing == Signing::Anonymous {
        tell(&format!("mesh.{name}.shown"), signing.name(), &said, &heard);
    }
}
