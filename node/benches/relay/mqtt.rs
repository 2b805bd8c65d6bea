//! As much of MQTT 3.1.1 as takes part: <https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html>.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use crate::relay_crowd::Protocol;

/// First bytes of packets: their types, and what flags these have here.
const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH_QOS_1: u8 = 0x32;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;

/// What stands in the flags of a message that is delivered once more.
const DUP: u8 = 0x08;

/// The topic of all that is said.
const TOPIC: &[u8] = b"army";

/// Mosquitto, with every message confirmed on either side (QoS 1).
pub(crate) struct Mqtt;

impl Protocol for Mqtt {
    const SERVER: &'static str = "mosquitto";

    const NAME: &'static str = "mosquitto";

    fn arguments(folder: &Path, address: SocketAddr) -> Vec<String> {
        let file = folder.join("mosquitto.conf");
        // Bounds that would lose messages at a high rate are taken away, and the system's own delays.
        let settings = format!(
            "listener {} {}\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\nmax_queued_messages 0\n\
             max_inflight_messages 0\n",
            address.port(),
            address.ip()
        );
        std::fs::write(&file, settings).unwrap();
        vec!["-c".to_owned(), file.to_str().unwrap().to_owned()]
    }

    fn join(stream: &mut BufReader<TcpStream>, client: usize) {
        // Protocol level 4, a clean session, no keep-alive.
        let connect = [&string(b"MQTT")[..], &[4, 2, 0, 0], &string(format!("client-{client}").as_bytes())].concat();
        stream.get_mut().write_all(&packet(CONNECT, &connect)).unwrap();
        assert_eq!(read_packet(stream).map(|(first, _)| first), Some(CONNACK));
        let subscribe = [&[0, 1][..], &string(TOPIC), &[1]].concat();
        stream.get_mut().write_all(&packet(SUBSCRIBE, &subscribe)).unwrap();
        assert_eq!(read_packet(stream).map(|(first, _)| first), Some(SUBACK));
    }

    fn say(text: &[u8], nth: usize) -> Vec<u8> {
        // A packet's number is never 0.
        let number = u16::try_from(nth % usize::from(u16::MAX)).unwrap() + 1;
        packet(PUBLISH_QOS_1, &[&string(TOPIC)[..], &number.to_be_bytes(), text].concat())
    }

    fn hear(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
        loop {
            let (first, body) = read_packet(stream)?;
            if first & !DUP == PUBLISH_QOS_1 {
                let (number, text) = body.get(2 + TOPIC.len()..)?.split_at_checked(2)?;
                stream.get_mut().write_all(&packet(PUBACK, number)).ok()?;
                return Some(text.to_vec());
            }
        }
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut len = body.len();
    while len >= 128 {
        bytes.push(u8::try_from(len % 128).unwrap() | 128);
        len /= 128;
    }
    bytes.push(u8::try_from(len).unwrap());
    bytes.extend(body);
    bytes
}

fn read_packet(stream: &mut BufReader<TcpStream>) -> Option<(u8, Vec<u8>)> {
    let [mut byte, mut first] = [[0]; 2];
    stream.read_exact(&mut first).ok()?;
    let (mut len, mut shift) = (0, 0);
    loop {
        stream.read_exact(&mut byte).ok()?;
        len |= usize::from(byte[0] & 127) << shift;
        shift += 7;
        if byte[0] < 128 {
            break;
        }
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body).ok()?;
    Some((first[0], body))
}
