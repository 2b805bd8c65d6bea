//! What the nodes' clocks show.

use muster::engine::io::Input;
use muster::engine::time::UnixMillis;

use super::World;

impl World {
    /// What a node's clock shows.
    pub(super) fn wall(&self, node: usize) -> UnixMillis {
        UnixMillis(self.now.0.saturating_add_signed(self.nodes[node].skew_ms))
    }

    /// A node learns what another's clock shows, as exactly as a round trip lets it.
    pub(super) fn compare_clocks(&mut self, node: usize, other: usize) {
        let error_ms = self.rng.u64(0..=self.weather.max_delay_ms / 2);
        let (theirs, ours) = (self.wall(other), UnixMillis(self.wall(node).0 + error_ms));
        self.feed(node, Input::Clock { member: self.key(other), theirs, ours });
    }
}
