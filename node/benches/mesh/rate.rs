//! How many texts a second reach every reader without loss: Muster beside bare gossipsub.

use crate::bare::Signing;
use crate::bare_crowd::BareCrowd;
use crate::muster_crowd::MusterCrowd;
use crate::trials::{NODES, report_rates};

/// Measures all meshes, one after the other; returns the highest rate of Muster's at which all talked.
pub(crate) fn report() -> f64 {
    let ten = report_rates(&mut MusterCrowd::start(NODES, "off"), "muster", true);
    for signing in [Signing::Anonymous, Signing::Signed] {
        report_rates(&mut BareCrowd::start(NODES, NODES - 1, signing), signing.name(), false);
    }
    ten
}
