//! A receiver of webhooks that keeps what it gets and answers what a test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use engine::{WebhookMessage, WebhookSecret};
use serde_json::Value;
use testkit::{Host, HostBuilder, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A receiver on this machine. It stops with the runtime of the test.
pub(super) struct Receiver {
    address: std::net::SocketAddr,
    messages: Arc<Mutex<Vec<Received>>>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
}

/// A message that arrived.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) id: String,
    timestamp_s: i64,
    pub(super) signature: String,
    body: String,
    /// What the receiver answered.
    pub(super) status: u16,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let receiver = Self {
            address: listener.local_addr().expect("an address"),
            messages: Arc::default(),
            statuses: Arc::default(),
        };
        let (messages, statuses) = (receiver.messages.clone(), receiver.statuses.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (messages, statuses) = (messages.clone(), statuses.clone());
                tokio::spawn(serve(stream, messages, statuses));
            }
        });
        receiver
    }

    /// Answers the next messages with these statuses, and those after them with 200.
    pub(super) fn answers(&self, statuses: &[u16]) {
        self.statuses.lock().expect("lock").extend(statuses);
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hooks?token=s3cret", self.address)
    }

    pub(super) fn messages(&self) -> Vec<Received> {
        self.messages.lock().expect("lock").clone()
    }

    /// Waits for so many messages, and returns all.
    pub(super) async fn until(&self, count: usize) -> Vec<Received> {
        eventually("the messages arrive", async || {
            let messages = self.messages();
            (messages.len() >= count).then_some(messages)
        })
        .await
    }
}

impl Received {
    pub(super) fn body(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub(super) fn kind(&self) -> String {
        self.body()["type"].as_str().expect("a type").to_owned()
    }

    /// Returns the signature that this secret makes.
    pub(super) fn signed_by(&self, secret: &str) -> String {
        let secret = WebhookSecret::parse(secret).expect("a secret");
        let message = WebhookMessage {
            id: &self.id,
            timestamp_s: self.timestamp_s,
            body: self.body.as_bytes(),
        };
        message.signatures(&[secret])
    }
}

async fn serve(
    mut stream: TcpStream,
    messages: Arc<Mutex<Vec<Received>>>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
) {
    let mut request = Vec::new();
    let (head, body) = loop {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(n) => request.extend_from_slice(&buffer[..n]),
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= header(head, "content-length").parse().expect("a length")
        {
            break (head.to_owned(), body.to_owned());
        }
    };
    assert!(
        head.starts_with("POST /hooks?token=s3cret HTTP/1.1\r\n"),
        "{head}"
    );
    assert_eq!(header(&head, "content-type"), "application/json");
    let status = statuses.lock().expect("lock").pop_front().unwrap_or(200);
    let received = Received {
        id: header(&head, "webhook-id"),
        timestamp_s: header(&head, "webhook-timestamp").parse().expect("seconds"),
        signature: header(&head, "webhook-signature"),
        body,
        status,
    };
    messages.lock().expect("lock").push(received);
    let elsewhere = "location: http://127.0.0.1:1/\r\n";
    let answer = format!("HTTP/1.1 {status} X\r\n{elsewhere}content-length: 0\r\n\r\n");
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn header(head: &str, name: &str) -> String {
    let value = head
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")));
    value
        .unwrap_or_else(|| panic!("no {name}: {head}"))
        .to_owned()
}

/// Lets a host send to this machine.
pub(super) fn allowing(builder: HostBuilder) -> HostBuilder {
    builder.environment("FLOWHOST_EGRESS_ALLOW", "127.0.0.1")
}

/// Starts a host beside another.
pub(super) async fn started(builder: HostBuilder) -> Host {
    tokio::task::spawn_blocking(|| builder.start())
        .await
        .expect("started")
}
