//! Each member's own screen, laid out for a terminal of 80 columns.

use std::fs;

use super::Tell;
use super::network::ALL_MET;
use super::play;
use super::stage::Stage;
use crate::error::CommandError;

/// The width of a screen's frame.
const WIDTH: usize = 80;

/// Shows a frame for every member, with the lines its process printed since all have met.
pub(super) fn show(stage: &Stage, tell: Tell<'_>) -> Result<(), CommandError> {
    for (part, screen) in stage.screens() {
        let met = screen.iter().position(|line| line == ALL_MET).map_or(0, |position| position + 1);
        show_frame(&part.title(), screen.get(met..).unwrap_or_default(), tell)?;
    }
    Ok(())
}

/// Shows the file that was saved, and where it lies.
pub(super) fn show_export(stage: &Stage, tell: Tell<'_>) -> Result<(), CommandError> {
    let Some(path) = play::export_path(stage) else {
        return Err(CommandError::failed("nobody said where the export went"));
    };
    let text = fs::read_to_string(&path).map_err(|error| {
        CommandError::failed(format!("the export {} cannot be read", path.display())).because(&error)
    })?;
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    show_frame(&path.display().to_string(), &lines, tell)
}

fn show_frame(title: &str, lines: &[String], tell: Tell<'_>) -> Result<(), CommandError> {
    tell("")?;
    tell(&head(title))?;
    for line in lines {
        tell(&format!("│ {line}"))?;
    }
    tell(&format!("└{}", "─".repeat(WIDTH - 1)))
}

fn head(title: &str) -> String {
    let head = format!("┌─ {title} ");
    let rest = WIDTH.saturating_sub(head.chars().count());
    head + &"─".repeat(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_as_wide_as_a_terminal_and_its_lines_are_left_as_they_are() {
        let mut shown = Vec::new();
        let mut tell = |line: &str| {
            shown.push(line.to_owned());
            Ok(())
        };
        show_frame("Army1, leader of army", &["[army] Army1 (me): Hello".to_owned()], &mut tell).ok();
        let [gap, head, line, foot] = shown.as_slice() else { panic!("{shown:?}") };
        assert_eq!((gap.as_str(), line.as_str()), ("", "│ [army] Army1 (me): Hello"));
        assert!(head.starts_with("┌─ Army1, leader of army ──"));
        assert_eq!((head.chars().count(), foot.chars().count()), (WIDTH, WIDTH));
    }
}
