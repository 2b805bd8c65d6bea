//! As much of the NATS client protocol as takes part: <https://docs.nats.io/reference/reference-protocols/nats-protocol>.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use crate::relay_crowd::Protocol;

/// NATS, which stores and confirms nothing.
pub(crate) struct Nats;

impl Protocol for Nats {
    const SERVER: &'static str = "nats-server";

    const NAME: &'static str = "nats";

    fn arguments(_: &Path, address: SocketAddr) -> Vec<String> {
        ["-a", &address.ip().to_string(), "-p", &address.port().to_string()].map(str::to_owned).into()
    }

    fn join(stream: &mut BufReader<TcpStream>, _: usize) {
        let connect = b"CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\nSUB army 1\r\nPING\r\n";
        stream.get_mut().write_all(connect).unwrap();
        let mut line = String::new();
        while line != "PONG\r\n" {
            line.clear();
            assert!(stream.read_line(&mut line).unwrap() > 0, "nats-server has hung up");
        }
    }

    fn say(text: &[u8], _: usize) -> Vec<u8> {
        [format!("PUB army {}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
    }

    fn hear(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "PING\r\n" {
                stream.get_mut().write_all(b"PONG\r\n").ok()?;
            } else if let Some(message) = line.strip_prefix("MSG ") {
                let len: usize = message.trim_end().rsplit(' ').next()?.parse().ok()?;
                let mut text = vec![0; len + 2];
                stream.read_exact(&mut text).ok()?;
                text.truncate(len);
                return Some(text);
            }
        }
    }
}
