//! Nodes' network sides on loopback, several in one process: who meets whom, who hears what, and who does not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![cfg(feature = "node")]

mod raw;
mod swarm {
    pub(crate) mod node;
    pub(crate) mod proxy;
    pub(crate) mod stranger;
    pub(crate) mod unit;

    mod gossip;
    mod meeting;
    mod strangers;
}
