//! A reader of Server-Sent Events, as far as the API writes them.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

/// Longest a test waits for a message: longer than a stream is silent.
const SOON: Duration = Duration::from_secs(25);

/// A stream that is read.
pub(in crate::http) struct Stream {
    response: Response,
    read: String,
}

/// A message of a stream; a comment alone has neither id nor data.
#[derive(Debug, Default)]
pub(in crate::http) struct Message {
    pub(in crate::http) id: Option<String>,
    pub(in crate::http) event: Option<String>,
    pub(in crate::http) data: Value,
}

impl Stream {
    /// Opens a stream, after the event that was seen last.
    pub(in crate::http) async fn open(
        client: &Client,
        url: String,
        bearer: Option<&str>,
        last: Option<&str>,
    ) -> Self {
        let mut request = client.get(url).header("accept", "text/event-stream");
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("the host answers");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self {
            response,
            read: String::new(),
        };
        let first = stream.next().await.expect("how soon to connect again");
        assert!(first.id.is_none() && first.event.is_none(), "{first:?}");
        stream
    }

    /// Reads the next message; `None` at the end of the stream.
    pub(in crate::http) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some((message, rest)) = self.read.split_once("\n\n") {
                let mut read = Message::default();
                for line in message.lines() {
                    match line.split_once(": ") {
                        Some(("id", id)) => read.id = Some(id.to_owned()),
                        Some(("event", name)) => read.event = Some(name.to_owned()),
                        Some(("data", data)) => {
                            read.data = serde_json::from_str(data).expect("JSON");
                        }
                        Some(("retry" | "", _)) => {}
                        _ => panic!("{line} is no line of a stream"),
                    }
                }
                self.read = rest.to_owned();
                return Some(read);
            }
            let piece = tokio::time::timeout(SOON, self.response.chunk()).await;
            let piece = piece.expect("a message or the end").expect("bytes");
            let Some(piece) = piece else {
                assert_eq!(self.read, "", "it ends within a message");
                return None;
            };
            self.read += std::str::from_utf8(&piece).expect("UTF-8");
        }
    }

    /// Reads so many messages that have the name of an event, whichever it is.
    pub(in crate::http) async fn messages(&mut self, count: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        while messages.len() < count {
            let message = self.next().await.expect("an event");
            messages.extend(message.event.is_some().then_some(message));
        }
        messages
    }

    /// Reads so many events.
    pub(in crate::http) async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            let message = self.next().await.expect("an event");
            let Some(event) = message.event else { continue };
            assert_eq!(message.data["event"], event.as_str(), "{}", message.data);
            assert_eq!(
                message.data["cursor"],
                message.id.as_deref().expect("an id")
            );
            events.push(message.data);
        }
        events
    }

    /// Reads to the end; returns the last message.
    pub(in crate::http) async fn end(&mut self) -> Message {
        let read = async {
            let mut last = Message::default();
            while let Some(message) = self.next().await {
                last = message;
            }
            last
        };
        let read = tokio::time::timeout(2 * SOON, read).await;
        read.expect("the stream ends")
    }
}
