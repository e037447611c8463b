//! A connection of a client that costs little beside the server it measures: it neither
//! shares connections nor follows redirects, and its address can be chosen.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;

use crate::cli::bench::measure::failed;
use crate::cli::io::{Exit, Failure};
use crate::stopwatch::Stopwatch;

/// Most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A connection that sends one request after the other.
pub struct Connection {
    to: SocketAddr,
    from: IpAddr,
    sender: SendRequest<Body>,
}

/// A request that is sent again and again.
#[derive(Debug, Clone)]
pub struct Ask {
    pub path: Arc<str>,
    /// Its credential, as the value of a header; absent without one.
    pub credential: Option<HeaderValue>,
    /// The status of its answer: a benchmark of refusals would be a fast one.
    pub answered: StatusCode,
}

impl Connection {
    /// Opens one from an address of this machine.
    pub async fn open(to: SocketAddr, from: IpAddr) -> Result<Self, Failure> {
        let sender = connect(to, from).await?;
        Ok(Self { to, from, sender })
    }

    /// Opens several.
    pub async fn several(to: SocketAddr, from: IpAddr, count: usize) -> Result<Vec<Self>, Failure> {
        let mut opened = Vec::with_capacity(count);
        for _ in 0..count {
            opened.push(Self::open(to, from).await?);
        }
        Ok(opened)
    }

    /// Sends a request, and reads its answer to the end; returns the status.
    pub async fn get(
        &mut self,
        path: &str,
        credential: Option<&HeaderValue>,
    ) -> Result<StatusCode, Failure> {
        // The host closes connections that were idle for long.
        if self.sender.is_closed() {
            self.sender = connect(self.to, self.from).await?;
        }
        let mut request = Request::get(path).header(header::HOST, "127.0.0.1");
        if let Some(credential) = credential {
            request = request.header(header::AUTHORIZATION, credential);
        }
        let request = request.body(Body::empty()).map_err(failed)?;
        self.sender.ready().await.map_err(failed)?;
        let answer = self.sender.send_request(request).await.map_err(failed)?;
        let (head, body) = answer.into_parts();
        let body = axum::body::to_bytes(Body::new(body), ANSWER_BYTES_MAX);
        body.await.map_err(failed)?;
        Ok(head.status)
    }
}

/// Returns how many requests a second are answered over these connections.
pub async fn rate(
    connections: &mut Vec<Connection>,
    ask: &Ask,
    span: Duration,
) -> Result<f64, Failure> {
    let watch = Stopwatch::start();
    let tasks: Vec<_> = connections
        .drain(..)
        .map(|mut connection| {
            let ask = ask.clone();
            tokio::spawn(async move {
                let mut answers = 0_u64;
                while watch.elapsed() < span {
                    let status = connection.get(&ask.path, ask.credential.as_ref()).await?;
                    if status != ask.answered {
                        let message = format!("GET {} was answered {status}", ask.path);
                        return Err(Failure::new(Exit::Failed, message));
                    }
                    answers += 1;
                }
                Ok((connection, answers))
            })
        })
        .collect();
    let mut answers = 0;
    for task in tasks {
        let (connection, its) = task.await.map_err(failed)??;
        connections.push(connection);
        answers += its;
    }
    Ok(answers as f64 / watch.elapsed().as_secs_f64())
}

async fn connect(to: SocketAddr, from: IpAddr) -> Result<SendRequest<Body>, Failure> {
    let opened = async {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok::<_, std::io::Error>(stream)
    };
    let stream = TokioIo::new(opened.await.map_err(failed)?);
    let (sender, connection) = http1::handshake(stream).await.map_err(failed)?;
    // It ends when the sender is dropped, or the host closes it, which the sender notices.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}
