//! A terminal, as a program sees one, with a member's chat in it.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a program asks a terminal to know where its cursor is, and what it is told.
const WHERE: (&[u8], &[u8]) = (b"\x1b[6n", b"\x1b[1;1R");

/// The terminal's size.
const SIZE: Winsize = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };

/// A node with a full-screen chat; killed when dropped.
pub(crate) struct Chat {
    child: Child,
    began: Instant,
    /// What is written to the terminal, piece by piece.
    written: Receiver<Vec<u8>>,
    screen: Vec<u8>,
}

impl Chat {
    /// Starts the node of a home; it stays on loopback.
    pub(crate) fn start(home: &Path) -> Self {
        let pty = openpty(Some(&SIZE), None).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.env_clear().env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env("TZ", "UTC");
        command.env("MUSTER_HOME", home).current_dir(home);
        command.args(["start", "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"]);
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        command.stdin(slave()).stdout(slave()).stderr(slave());
        let began = Instant::now();
        let child = command.spawn().unwrap();
        let (pieces, written) = channel();
        let mut master = File::from(pty.master);
        thread::spawn(move || {
            let (asked, answer) = WHERE;
            let mut piece = [0; 16 * 1024];
            // Ends with an error once nobody has the other side any more.
            while let Ok(len @ 1..) = master.read(&mut piece) {
                // It is asked once, at the start, with nothing before it that would fill a piece.
                if piece[..len].windows(asked.len()).any(|part| part == asked) {
                    master.write_all(answer).unwrap();
                }
                if pieces.send(piece[..len].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, began, written, screen: Vec::new() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a text has been written to the terminal; returns how long after the start that was.
    pub(crate) fn wait_for(&mut self, text: &str) -> Duration {
        while !self.screen.windows(text.len()).any(|part| part == text.as_bytes()) {
            let left = (self.began + PATIENCE).saturating_duration_since(Instant::now());
            let piece = self.written.recv_timeout(left).unwrap_or_else(|_| {
                std::io::stderr().write_all(&self.screen).unwrap();
                panic!("waited in vain for {text:?}")
            });
            self.screen.extend(piece);
        }
        self.began.elapsed()
    }

    /// Tells the node to end, and waits until it has.
    pub(crate) fn end(&mut self) {
        kill(Pid::from_raw(i32::try_from(self.id()).unwrap()), Signal::SIGTERM).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "the node does not end"),
            }
            thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "the node ended with {status}");
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        // Either may fail where the process has ended by itself.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
