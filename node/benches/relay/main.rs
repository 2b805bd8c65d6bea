//! The same load through a server in the middle, Mosquitto and NATS, beside which Muster's mesh is set.
//!
//! The server is a process of this machine on loopback, ended at the end; the clients are threads of this one. Mosquitto
//! confirms every message to its author, and every reader to Mosquitto (QoS 1); NATS confirms nothing. Neither stores,
//! checks or encrypts anything. A server that is not installed is left out.
//!
//! `cargo bench -p muster --bench relay`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "what a benchmark prints is its result")]
#![allow(clippy::cast_precision_loss, reason = "figures are for people")]

#[path = "../mesh/crowd.rs"]
mod crowd;
#[path = "../figure/mod.rs"]
mod figure;
mod mqtt;
mod nats;
mod relay_crowd;
mod server;
#[path = "../mesh/talk.rs"]
mod talk;
#[path = "../mesh/trials.rs"]
mod trials;

use mqtt::Mqtt;
use nats::Nats;
use relay_crowd::{Protocol, RelayCrowd};
use server::Server;

fn main() {
    // Under a test runner there is nothing to see: all of this runs for minutes.
    if std::env::args().any(|arg| arg == "--bench") {
        report::<Mqtt>();
        report::<Nats>();
    }
}

fn report<P: Protocol>() {
    let Some(server) = Server::start(P::SERVER, P::arguments) else {
        println!("{} is not installed", P::SERVER);
        return;
    };
    for (name, scene) in [("10", talk::few()), ("50", talk::many())] {
        let mut crowd = RelayCrowd::<P>::join(&server, scene.nodes);
        crowd::warm_up(&mut crowd);
        crowd.times();
        let said = talk::talk(&mut crowd, scene);
        let heard = crowd.times();
        for step in ["verified", "shown"] {
            talk::tell(&format!("mesh.{name}.{step}"), P::NAME, &said, &heard);
        }
    }
    trials::report_rates(&mut RelayCrowd::<P>::join(&server, trials::NODES), P::NAME, false);
}
