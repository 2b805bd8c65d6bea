//! Completing what is typed: a command where the text begins with ':', else a member's name.

/// What the end of a text can be completed to; each further Tab takes the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Completion {
    candidates: Vec<String>,
    chosen: usize,
    /// Characters before the cursor that the chosen one stands in place of.
    replaces: usize,
}

impl Completion {
    /// Finds what the text before the cursor can be completed to; `None` where there is nothing.
    pub(super) fn find(before: &str, is_first_line: bool, commands: &[String], names: &[String]) -> Option<Self> {
        let is_command = is_first_line && before.starts_with(':');
        let word = if is_command { before } else { before.rsplit(char::is_whitespace).next().unwrap_or_default() };
        if word.is_empty() {
            return None;
        }
        let is_meant = |candidate: &str| {
            let mut start = candidate.chars().flat_map(char::to_lowercase);
            word.chars().flat_map(char::to_lowercase).all(|letter| start.next() == Some(letter))
        };
        let list = if is_command { commands } else { names };
        let candidates: Vec<String> = list.iter().filter(|candidate| is_meant(candidate)).cloned().collect();
        let replaces = word.chars().count();
        if candidates.is_empty() { None } else { Some(Self { candidates, chosen: 0, replaces }) }
    }

    /// Goes on to the next candidate, from what stands there now.
    pub(super) fn next(self) -> Self {
        let replaces = self.text().chars().count();
        let chosen = (self.chosen + 1) % self.candidates.len().max(1);
        Self { chosen, replaces, ..self }
    }

    /// How many characters before the cursor go.
    pub(super) fn replaces(&self) -> usize {
        self.replaces
    }

    /// What comes in their place.
    pub(super) fn text(&self) -> &str {
        self.candidates.get(self.chosen).map(String::as_str).unwrap_or_default()
    }

    /// All candidates, the chosen one marked, where there are several.
    pub(super) fn listed(&self) -> Option<String> {
        let mark = |(number, candidate): (usize, &String)| {
            if number == self.chosen { format!("[{candidate}]") } else { candidate.clone() }
        };
        let several = self.candidates.len() > 1;
        several.then(|| self.candidates.iter().enumerate().map(mark).collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn find(before: &str) -> Option<Completion> {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Completion::find(before, true, &list(&[":h", ":help", ":quit"]), &list(&["Army1", "Army2", "Navy1"]))
    }

    #[test]
    fn names_are_completed_anywhere_and_commands_at_the_start() {
        let completion = find("ask na").unwrap();
        assert_eq!((completion.text(), completion.replaces(), completion.listed()), ("Navy1", 2, None));
        assert_eq!(find(":q").unwrap().text(), ":quit");
        assert_eq!(find("say :q"), None);
        assert_eq!(find("ask "), None);
        assert_eq!(find("nobody"), None);
    }

    #[test]
    fn each_further_tab_takes_the_next() {
        let first = find("ar").unwrap();
        assert_eq!((first.text(), first.listed().unwrap().as_str()), ("Army1", "[Army1] Army2"));
        let second = first.next();
        assert_eq!((second.text(), second.replaces()), ("Army2", 5));
        assert_eq!(second.next().text(), "Army1");
    }
}
