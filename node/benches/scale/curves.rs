//! The curves: a few panels against the number of members, as plain SVG.

use std::fmt::Write;

use crate::trial::{SEED, Trial};

/// The size of a panel's plot, and what is left around it for its words.
const PLOT: (f64, f64) = (300.0, 190.0);
const AROUND: (f64, f64) = (80.0, 80.0);

/// Where the first panel's plot begins, below the picture's title.
const FIRST: (f64, f64) = (60.0, 80.0);

/// One colour for each kind of weather.
const COLOURS: [&str; 3] = ["#1b6ca8", "#c0392b", "#7d8a2e"];

/// One curve: what it is of a trial, and how it is drawn.
struct Curve {
    name: &'static str,
    dashes: &'static str,
    of: fn(&Trial) -> f64,
}

/// One panel; its scale ends at `most`, or further where that is exceeded.
struct Panel {
    title: &'static str,
    most: f64,
    curves: &'static [Curve],
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "from saying to checked, ms",
        most: 300.0,
        curves: &[
            Curve { name: "p50", dashes: "", of: |trial| trial.spread.p50_us as f64 / 1000.0 },
            Curve { name: "p99", dashes: "6 3", of: |trial| trial.spread.p99_us as f64 / 1000.0 },
        ],
    },
    Panel {
        title: "copies of a text at a node beyond the first",
        most: 4.0,
        curves: &[Curve { name: "", dashes: "", of: |trial| trial.spread.redundancy }],
    },
    Panel {
        title: "bytes that a node sends for each text",
        most: 8_000.0,
        curves: &[
            Curve { name: "all", dashes: "", of: Trial::bytes_a_text },
            Curve { name: "texts alone", dashes: "6 3", of: Trial::bytes_of_texts },
        ],
    },
    Panel {
        title: "delivered, %",
        most: 100.0,
        curves: &[Curve { name: "", dashes: "", of: |trial| 100.0 * trial.spread.delivered }],
    },
];

/// Draws what was found of units in different kinds of weather.
pub(crate) fn draw(trials: &[Trial]) -> String {
    let members = |trial: Option<&Trial>| trial.map_or(0, |trial| trial.members);
    let (least, most) = (members(trials.first()), members(trials.last()));
    let (width, height) = (2.0 * (PLOT.0 + AROUND.0) + 20.0, FIRST.1 + 2.0 * (PLOT.1 + AROUND.1));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"20\" y=\"24\" font-size=\"14\">Units of {least} to {most} members, simulated: ways of 10 to 50 ms, one text of 200 bytes a second (seed {SEED})</text>\n"
    );
    let mut losses: Vec<u32> = trials.iter().map(|trial| trial.lost_per_mille).collect();
    losses.sort_unstable();
    losses.dedup();
    for (nth, (lost, colour)) in losses.iter().zip(COLOURS).enumerate() {
        let x = 20.0 + 170.0 * nth as f64;
        let of = f64::from(*lost) / 10.0;
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" y1=\"40\" x2=\"{}\" y2=\"40\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{}\" y=\"44\">{of}% of gossip lost</text>",
            x + 24.0,
            x + 30.0
        );
    }
    for (nth, panel) in PANELS.iter().enumerate() {
        let at = (FIRST.0 + (nth % 2) as f64 * (PLOT.0 + AROUND.0), FIRST.1 + (nth / 2) as f64 * (PLOT.1 + AROUND.1));
        draw_panel(&mut svg, panel, at, trials, &losses);
    }
    svg + "</svg>\n"
}

fn draw_panel(svg: &mut String, panel: &Panel, (left, top): (f64, f64), trials: &[Trial], losses: &[u32]) {
    let highest = panel.curves.iter().flat_map(|curve| trials.iter().map(curve.of)).fold(panel.most, f64::max);
    let (first, last) = trials.iter().fold((f64::MAX, 1.0_f64), |(first, last), trial| {
        let members = (trial.members as f64).log10();
        (first.min(members), last.max(members))
    });
    let x = |members: usize| left + PLOT.0 * ((members as f64).log10() - first) / (last - first).max(1.0);
    let y = |value: f64| top + PLOT.1 * (1.0 - value / highest);
    let (right, bottom) = (left + PLOT.0, top + PLOT.1);
    let _ = writeln!(svg, "<text x=\"{left}\" y=\"{}\" font-size=\"12\">{}</text>", top - 8.0, panel.title);
    for quarter in 0..=4 {
        let value = highest * f64::from(quarter) / 4.0;
        let (line, shown) = (y(value), if highest < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") });
        let _ = writeln!(
            svg,
            "<line x1=\"{left}\" y1=\"{line:.1}\" x2=\"{right}\" y2=\"{line:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{shown}</text>",
            left - 6.0,
            line + 4.0
        );
    }
    let mut sizes: Vec<usize> = trials.iter().map(|trial| trial.members).collect();
    sizes.dedup();
    for members in sizes {
        let at = x(members);
        let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{members}</text>", bottom + 16.0);
    }
    let _ = writeln!(svg, "<text x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\">members</text>", bottom + 32.0);
    for (lost, colour) in losses.iter().zip(COLOURS) {
        for curve in panel.curves {
            let points = trials.iter().filter(|trial| trial.lost_per_mille == *lost);
            let points: Vec<(f64, f64)> = points.map(|trial| (x(trial.members), y((curve.of)(trial)))).collect();
            let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{}\"/>",
                line.join(" "),
                curve.dashes
            );
            if let (Some((at, height)), true) = (points.last(), *lost == losses[0]) {
                let _ = writeln!(
                    svg,
                    "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                    at - 4.0,
                    height + 14.0,
                    curve.name
                );
            }
        }
    }
}
