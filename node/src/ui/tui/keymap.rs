//! The keys of the full-screen chat, as its help lists them.

/// Every key that does more than edit a line, and what it does.
const KEYS: [(&str, &str); 18] = [
    ("Enter", "send"),
    ("Alt-Enter, Ctrl-J", "begin another line"),
    ("Tab", "complete a command or a member's name; again for the next"),
    ("Up, Down", "what you typed before and after"),
    ("PgUp, PgDn, wheel", "scroll; what arrives does not move what you read"),
    ("End, Esc", "back to the newest"),
    ("Ctrl-Home", "the oldest in view"),
    ("/", "search, where nothing is typed yet; n older, N newer"),
    ("F2, Alt-W", "who has it: what a search has found, or your last message"),
    ("Ctrl-N, Ctrl-P", "next and previous group; Alt-Down and Alt-Up too"),
    ("Alt-1 … Alt-9", "the group at that place; so does a click"),
    ("Ctrl-A, Ctrl-E", "to the line's start and end"),
    ("Ctrl-U, Ctrl-K", "delete to the line's start, to its end"),
    ("Ctrl-W, Alt-D", "delete a word back, forward"),
    ("Ctrl-L", "draw the screen anew"),
    ("Ctrl-C", "clear what is typed; twice: leave"),
    ("Shift and mouse", "select text, as in any terminal"),
    ("!!3 @1", "3 unread, 1 calls you; ! priority !! immediate !!! flash"),
];

/// Lists the keys, one a line.
pub(super) fn help() -> impl Iterator<Item = String> {
    KEYS.iter().map(|(keys, what)| format!("{keys:<19}{what}"))
}
