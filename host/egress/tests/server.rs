//! A server that does what a test says, and a resolver that answers what a test says.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use egress::{Allow, Client, HeaderMap, LongBody, Method, Request, Resolve, Resolved, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A server on this machine. It stops with the runtime of the test.
pub struct Server {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Answers every request with these bytes, and then closes or keeps the connection.
    pub async fn answering(answer: impl Into<Vec<u8>>, closes: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = Self {
            address: listener.local_addr().expect("an address"),
            received: Arc::default(),
            connections: Arc::default(),
        };
        let answer: Arc<[u8]> = answer.into().into();
        let (received, connections) = (server.received.clone(), server.connections.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (received, answer) = (received.clone(), answer.clone());
                tokio::spawn(async move {
                    let mut buffer = vec![0; 64 << 10];
                    let mut request = Vec::new();
                    while !is_whole(&request) {
                        match stream.read(&mut buffer).await {
                            Ok(0) | Err(_) => return,
                            Ok(n) => request.extend_from_slice(&buffer[..n]),
                        }
                    }
                    let text = String::from_utf8_lossy(&request).into_owned();
                    received.lock().expect("lock").push(text);
                    // The client may have stopped reading.
                    let _ = stream.write_all(&answer).await;
                    if !closes {
                        let _ = stream.read(&mut buffer).await;
                    }
                });
            }
        });
        server
    }

    /// Answers every request with a status and no body.
    pub async fn with_status(status: &str, headers: &str) -> Self {
        let answer = format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\n\r\n");
        Self::answering(answer, true).await
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn received(&self) -> Vec<String> {
        self.received.lock().expect("lock").clone()
    }

    /// Waits until so many connections were accepted.
    pub async fn until_connections(&self, count: usize) {
        let reached = async {
            while self.connections() < count {
                tokio::task::yield_now().await;
            }
        };
        let limit = std::time::Duration::from_secs(10);
        let reached = tokio::time::timeout(limit, reached).await;
        reached.expect("fewer connections");
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Whether a request has its head and as many bytes of body as it says.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().expect("a length"));
    body.len() >= length
}

/// Answers with one list of addresses after the other, and counts the questions.
#[derive(Default)]
pub struct Scripted {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    pub asked: AtomicUsize,
}

impl Scripted {
    pub fn new<const N: usize>(answers: [&[&str]; N]) -> Arc<Self> {
        let read = |list: &&[&str]| list.iter().map(|text| text.parse().expect(text)).collect();
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(read).collect()),
            asked: AtomicUsize::default(),
        })
    }
}

impl Resolve for Scripted {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolved<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let next = self.answers.lock().expect("lock").pop_front();
        Box::pin(async move { next.ok_or_else(|| io::Error::other("no such host is known")) })
    }
}

/// A resolver that never answers.
pub struct Silent;

impl Resolve for Silent {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolved<'a> {
        Box::pin(std::future::pending())
    }
}

/// Limits with these destinations allowed.
pub fn allowing(rules: &[&str]) -> Settings {
    Settings {
        allow: Allow::parse(rules).expect("rules"),
        ..Settings::default()
    }
}

/// A client that reaches this machine.
pub fn local(change: impl FnOnce(&mut Settings)) -> Client {
    let mut settings = allowing(&["127.0.0.0/8"]);
    change(&mut settings);
    Client::new(settings)
}

pub fn get(url: &str) -> Request {
    Request {
        method: Method::GET,
        target: url.parse().expect(url),
        headers: HeaderMap::new(),
        body: egress::Bytes::new(),
        long_body: LongBody::Refuse,
    }
}
