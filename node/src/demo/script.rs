//! What is played: the original's conversation, and the chain of command around it.

/// One step of the play.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// What follows, in the narrator's words.
    Scene(&'static str),
    /// A member types a message; all who may read the group see it.
    Says { who: &'static str, group: &'static str, text: &'static str },
    /// A member types something else than an accepted message, and is answered with a line that starts like this.
    Types { who: &'static str, line: &'static str, answer: &'static str },
}

use Step::{Says, Scene, Types};

/// Who saves its group's week in the play.
pub(super) const EXPORTER: &str = "Army3";

/// How the answer to a saved export starts; after it come a count, ` to ` and the path.
pub(super) const SAVED: &str = "-- saved ";

/// The play.
pub(super) const PLAY: [Step; 29] = [
    Scene("The army talks."),
    Says { who: "Army1", group: "army", text: "Hello guys, how are you doing?" },
    Says { who: "Army2", group: "army", text: "I am fine, what about you?" },
    Says { who: "Army3", group: "army", text: "I am also fine." },
    Scene("So do the navy and the air force; no troop hears another."),
    Says { who: "Navy1", group: "navy", text: "We sail at six. Ready?" },
    Says { who: "Navy2", group: "navy", text: "The engines are warm." },
    Says { who: "Navy3", group: "navy", text: "The deck is clear." },
    Says { who: "Air1", group: "airforce", text: "How is the weather?" },
    Says { who: "Air2", group: "airforce", text: "Clear until noon." },
    Says { who: "Air3", group: "airforce", text: "And the runway is free." },
    Scene("The chief asks the heads; each leader toggles there with :t and answers."),
    Says { who: "Chief", group: "heads", text: "Leaders, report." },
    Types { who: "Army1", line: ":t", answer: "-- heads is open" },
    Says { who: "Army1", group: "heads", text: "The army is ready." },
    Types { who: "Navy1", line: ":t", answer: "-- heads is open" },
    Says { who: "Navy1", group: "heads", text: "The navy sails at six." },
    Types { who: "Air1", line: ":t", answer: "-- heads is open" },
    Says { who: "Air1", group: "heads", text: "The air force has until noon." },
    Scene("The chief opens army with :r. It reads there, and may not post: its line is refused."),
    Types { who: "Chief", line: ":r", answer: "-- army is open" },
    Types { who: "Chief", line: "Army, march at dawn!", answer: "-- refused: " },
    Scene("So the order goes the way it should, through the heads."),
    Types { who: "Chief", line: ":h", answer: "-- heads is open" },
    Says { who: "Chief", group: "heads", text: "Army1, your troop marches at dawn." },
    Types { who: "Army1", line: ":t", answer: "-- army is open" },
    Says { who: "Army1", group: "army", text: "We march at dawn." },
    Scene("Army3 saves the last week of its group with :d."),
    Types { who: EXPORTER, line: ":d", answer: SAVED },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::cast::CAST;

    #[test]
    fn everybody_speaks_and_only_where_it_reads() {
        for part in &CAST {
            let spoken_in = PLAY.iter().filter_map(|step| match step {
                Says { who, group, .. } if *who == part.name => Some(*group),
                _ => None,
            });
            let groups: Vec<&str> = spoken_in.collect();
            assert!(!groups.is_empty() && groups.iter().all(|group| part.reads(group)), "{}: {groups:?}", part.name);
        }
    }
}
