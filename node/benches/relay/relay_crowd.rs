//! Clients of one server, each of which hears what all others say.

use std::collections::HashSet;
use std::io::{BufReader, Write};
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crate::crowd::{Crowd, Heard, Said, moment, now_us, number_of, text};
use crate::server::Server;

/// What a client and a server say to each other.
pub(crate) trait Protocol: 'static {
    /// The program that serves.
    const SERVER: &'static str;

    /// The name among the figures.
    const NAME: &'static str;

    /// Returns the program's arguments; what it has to read goes into the folder.
    fn arguments(folder: &Path, address: SocketAddr) -> Vec<String>;

    /// Introduces a client, and subscribes it to what is said.
    fn join(stream: &mut BufReader<TcpStream>, client: usize);

    /// Encodes a text to be said; `nth` counts a client's texts.
    fn say(text: &[u8], nth: usize) -> Vec<u8>;

    /// Waits for the next text, answering whatever is to be answered; `None` at the end.
    fn hear(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>>;
}

/// Clients that are connected.
pub(crate) struct RelayCrowd<P> {
    clients: Vec<Client>,
    said: u64,
    protocol: PhantomData<P>,
}

struct Client {
    stream: TcpStream,
    spoken: usize,
    ear: Arc<Mutex<Ear>>,
}

/// What a client has heard; its own texts may come back to it, and do not count.
#[derive(Default)]
struct Ear {
    own: HashSet<u64>,
    count: usize,
    times: Vec<Heard>,
}

impl<P: Protocol> RelayCrowd<P> {
    /// Connects so many clients.
    pub(crate) fn join(server: &Server, clients: usize) -> Self {
        let clients = (0..clients).map(|nth| Client::join::<P>(server.address, nth)).collect();
        Self { clients, said: 0, protocol: PhantomData }
    }

    /// Returns when each client has heard each text since it was last asked.
    pub(crate) fn times(&mut self) -> Vec<Vec<Heard>> {
        self.clients.iter().map(|client| std::mem::take(&mut client.ear.lock().unwrap().times)).collect()
    }
}

impl Client {
    fn join<P: Protocol>(address: SocketAddr, nth: usize) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut reading = BufReader::new(stream.try_clone().unwrap());
        P::join(&mut reading, nth);
        let ear: Arc<Mutex<Ear>> = Arc::default();
        let hearing = ear.clone();
        thread::spawn(move || {
            while let Some(text) = P::hear(&mut reading) {
                let at_us = now_us();
                let mut ear = hearing.lock().unwrap();
                if let Some(number) = number_of(&text)
                    && !ear.own.contains(&number)
                {
                    ear.count += 1;
                    ear.times.push(Heard { number, at_us });
                }
            }
        });
        Self { stream, spoken: 0, ear }
    }
}

impl<P: Protocol> Crowd for RelayCrowd<P> {
    fn say(&mut self, authors: &[usize], texts: usize, a_second: f64) -> Vec<Said> {
        let start = Instant::now();
        let mut all = Vec::new();
        for nth in 0..texts * authors.len() {
            let author = authors[nth % authors.len()];
            thread::sleep(moment(start, nth, a_second).saturating_duration_since(Instant::now()));
            let number = self.said;
            self.said += 1;
            let client = &mut self.clients[author];
            client.ear.lock().unwrap().own.insert(number);
            let bytes = P::say(text(number).as_bytes(), client.spoken);
            client.spoken += 1;
            all.push(Said { number, author, at_us: now_us() });
            client.stream.write_all(&bytes).unwrap();
        }
        all
    }

    fn heard(&mut self, node: usize) -> usize {
        self.clients[node].ear.lock().unwrap().count
    }

    fn nodes(&self) -> usize {
        self.clients.len()
    }
}

impl<P> Drop for RelayCrowd<P> {
    fn drop(&mut self) {
        for client in &self.clients {
            // The thread that reads ends with the connection.
            drop(client.stream.shutdown(std::net::Shutdown::Both));
        }
    }
}
