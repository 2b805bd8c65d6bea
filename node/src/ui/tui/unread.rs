//! What has not been read of a group: how much, how urgent the most urgent of it is, and how much calls one by name.

use muster_roles::Precedence;

/// Messages of others that have not been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) count: u64,
    /// Those that call this member by name, as far as they are known here.
    pub(super) calls: u64,
    /// How urgent the most urgent one is, as far as they are known here.
    pub(super) urgency: Precedence,
}

impl Unread {
    /// One more has come.
    pub(super) fn add(&mut self, calls_me: bool, urgency: Precedence) {
        self.count = self.count.saturating_add(1);
        self.calls += u64::from(calls_me);
        self.urgency = self.urgency.max(urgency);
    }

    /// In few cells: `!!3 @1` is three, one of them immediate, and one that calls this member; nothing where all is read.
    pub(super) fn short(&self) -> String {
        if self.count == 0 {
            return String::new();
        }
        let calls = if self.calls > 0 { format!(" @{}", many(self.calls)) } else { String::new() };
        format!("{}{}{calls}", marks(self.urgency), many(self.count))
    }
}

/// How urgent something is, where there is no room for a word.
fn marks(urgency: Precedence) -> &'static str {
    match urgency {
        Precedence::Routine => "",
        Precedence::Priority => "!",
        Precedence::Immediate => "!!",
        Precedence::Flash => "!!!",
    }
}

/// A count in three cells.
pub(super) fn many(count: u64) -> String {
    if count > 99 { "99+".to_owned() } else { count.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unread_is_told_in_few_cells() {
        let mut unread = Unread::default();
        assert_eq!(unread.short(), "");
        unread.add(false, Precedence::Routine);
        assert_eq!(unread.short(), "1");
        unread.add(true, Precedence::Immediate);
        unread.add(false, Precedence::Priority);
        assert_eq!(unread.short(), "!!3 @1");
        (0..200).for_each(|_| unread.add(true, Precedence::Flash));
        assert_eq!(unread.short(), "!!!99+ @99+");
    }
}
