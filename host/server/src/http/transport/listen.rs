//! Accepts connections and serves them until the server stops.
//!
//! Connections are bounded in number and in the time they may take to send the
//! head of a request. From the stop on none is accepted, idle ones close, and
//! requests that run are finished within the caller's grace.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use engine::Tasks;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::not_http::NotHttp;
use crate::config::Http;

/// Pause after an accept that failed, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Most bytes a connection buffers, and so of the head of a request.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// A running server.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `router` to every client that connects to `listener`.
    pub fn start(listener: TcpListener, router: Router, settings: &Http, tasks: &Tasks) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (listener, settings) = (Arc::new(Mutex::new(Some(listener))), settings.clone());
        let task = tasks.spawn("http", move || {
            accept(
                Arc::clone(&listener),
                router.clone(),
                settings.clone(),
                stopped.clone(),
            )
        });
        Self { stop, task }
    }

    /// Stops accepting, and returns when every connection is closed or `grace`
    /// is over; connections that are left then are cut off.
    pub async fn stop(self, grace: Duration) {
        self.stop.send_replace(true);
        let mut task = self.task;
        if tokio::time::timeout(grace, &mut task).await.is_err() {
            tracing::warn!("requests still ran at the end of the grace and were cut off");
            task.abort();
        }
    }
}

async fn accept(
    listening: Arc<Mutex<Option<TcpListener>>>,
    router: Router,
    settings: Http,
    mut stopped: watch::Receiver<bool>,
) {
    // The listener is dropped at the end, so that no client connects and waits in vain; a
    // task that panics leaves it for the next.
    let mut listening = listening.lock().await;
    let Some(listener) = &*listening else { return };
    let room = Arc::new(Semaphore::new(settings.connections_max.max(1) as usize));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop(&mut stopped) => break,
            Some(_) = connections.join_next() => continue,
            accepted = async {
                let permit = Arc::clone(&room).acquire_owned().await;
                (listener.accept().await, permit)
            } => accepted,
        };
        match accepted {
            (Ok((stream, peer)), Ok(permit)) => {
                let serving = serve(
                    stream,
                    router.clone().layer(Extension(ConnectInfo(peer))),
                    settings.head_timeout(),
                    stopped.clone(),
                );
                connections.spawn(async move {
                    serving.await;
                    drop(permit);
                });
            }
            (Err(error), _) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            // The semaphore is never closed.
            (_, Err(_)) => break,
        }
    }
    *listening = None;
    while connections.join_next().await.is_some() {}
}

async fn serve(
    stream: TcpStream,
    router: Router,
    head_timeout: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are small and written whole: waiting for more only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(
            NotHttp::new(TokioIo::new(stream)),
            TowerToHyperService::new(router),
        );
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stop(&mut stopped) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // Clients go away all the time.
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Returns when the server is to stop, or was dropped.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}
