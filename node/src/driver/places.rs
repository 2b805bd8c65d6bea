//! Where members can be reached, kept from one run to the next.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use crate::net::Place;

/// At least so long passes between two writes: addresses change as members come and go, and an old one still helps.
const WRITE_INTERVAL: Duration = Duration::from_secs(30);

/// Keeps the places, durably and whole.
pub type KeepPlaces = Box<dyn FnMut(&[Place]) -> io::Result<()> + Send>;

/// The newest places, and whether they are on disk.
pub(super) struct Places {
    keep: KeepPlaces,
    unsaved: Option<Vec<Place>>,
    saved: Option<Instant>,
}

impl Places {
    pub(super) fn new(keep: KeepPlaces) -> Self {
        Self { keep, unsaved: None, saved: None }
    }

    /// Takes in the places as they are now.
    pub(super) fn changed(&mut self, places: Vec<Place>) {
        self.unsaved = Some(places);
    }

    /// Writes them if there are new ones and the last time is long enough ago.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.saved.is_none_or(|saved| now.saturating_duration_since(saved) >= WRITE_INTERVAL) {
            self.save(now);
        }
    }

    /// Writes them if there are new ones.
    pub(super) fn save(&mut self, now: Instant) {
        let Some(places) = self.unsaved.take() else { return };
        self.saved = Some(now);
        if let Err(error) = (self.keep)(&places) {
            // A node that starts anew searches a little longer.
            tracing::warn!(%error, "where members can be reached could not be kept");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn places_are_written_at_once_then_now_and_then_and_at_the_end() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&written);
        let mut places = Places::new(Box::new(move |places| {
            log.lock().unwrap().push(places.len());
            Ok(())
        }));
        let place = Place { member: muster_keys::Identity::from_seed(&[1; 32]).public(), addresses: Vec::new() };
        let start = Instant::now();
        places.tick(start);
        for second in 0..60 {
            let count = usize::try_from(second).unwrap();
            places.changed(vec![place.clone(); count]);
            places.tick(start + Duration::from_secs(second));
        }
        places.save(start + Duration::from_secs(60));
        places.save(start + Duration::from_secs(61));
        assert_eq!(*written.lock().unwrap(), [0, 30, 59]);
    }
}
