//! Accepts connections and serves them until the server stops.
//!
//! Connections are bounded in number, together and by address, and in the time they may
//! take for the handshake of TLS, for the head of a request, and without reading what is
//! written to them. From the stop on none is accepted, idle ones close, and
//! requests that run are finished within the caller's grace.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::not_http::NotHttp;
use super::unread::{MustRead, Unread};
use super::wrapped::Wrapped;
use crate::http::App;
use crate::http::doors::{CertificateHolder, ClientAddress};

/// Pause after an accept that failed, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Headers that are read without memory of their own for each request.
const HEADERS_USUAL: u32 = 100;

/// A running server.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `router` to every client that connects to `listener`.
    pub fn start(listener: TcpListener, router: Router, app: &App) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (listener, served) = (Arc::new(Mutex::new(Some(listener))), app.clone());
        let tasks = app.engine.tasks();
        if let Some(tls) = &app.tls {
            tls.follow(tasks, stopped.clone());
        }
        let task = tasks.spawn("http", move || {
            accept(
                Arc::clone(&listener),
                router.clone(),
                served.clone(),
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
    app: App,
    mut stopped: watch::Receiver<bool>,
) {
    // The listener is dropped at the end, so that no client connects and waits in vain; a
    // task that panics leaves it for the next.
    let mut listening = listening.lock().await;
    let Some(listener) = &*listening else { return };
    let room = Arc::new(Semaphore::new(app.http.connections_max.max(1) as usize));
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
                let peer = peer.ip().to_canonical();
                let proxies = &app.doors.settings.trusted_proxies;
                let is_proxy = proxies.iter().any(|net| net.contains(&peer));
                // One too many of its address is closed without a word.
                let Some(counted) = app.doors.limits.connection(peer, is_proxy) else {
                    continue;
                };
                let serving = open(stream, peer, router.clone(), app.clone(), stopped.clone());
                connections.spawn(async move {
                    serving.await;
                    drop((permit, counted));
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

/// Serves a connection, after its handshake if the API speaks TLS.
async fn open(
    stream: TcpStream,
    peer: IpAddr,
    router: Router,
    app: App,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are small and written whole: waiting for more only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let from = Origin { peer, holder: None };
    let Some(tls) = app.tls.clone() else {
        return serve(stream, from, router, app, stopped).await;
    };
    let opened = tokio::select! {
        opened = tls.accept(stream) => opened,
        () = stop(&mut stopped) => None,
    };
    if let Some((stream, certificate)) = opened {
        let certificates = &app.doors.certificates;
        let holder = certificate.and_then(|it| certificates.holder(&it));
        let from = Origin { peer, holder };
        serve(stream, from, router, app, stopped).await;
    }
}

/// Where the requests of a connection come from.
struct Origin {
    peer: IpAddr,
    /// The caller that the certificate of the client names, if there is one.
    holder: Option<CertificateHolder>,
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    from: Origin,
    router: Router,
    app: App,
    mut stopped: watch::Receiver<bool>,
) {
    let doors = Arc::clone(&app.doors);
    let router = TowerToHyperService::new(router);
    let unread = Unread::default();
    let watched = Wrapped::new(TokioIo::new(stream), MustRead::noting(unread.clone()));
    let stream = Wrapped::new(watched, NotHttp::default());
    let service = service_fn(move |mut request: Request<Incoming>| {
        let proxies = &doors.settings.trusted_proxies;
        let address = ClientAddress::of(from.peer, request.headers(), proxies);
        let extensions = request.extensions_mut();
        extensions.insert(address);
        extensions.insert(unread.clone());
        if let Some(holder) = &from.holder {
            extensions.insert(holder.clone());
        }
        router.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(app.http.head_timeout())
        .max_buf_size(app.doors.settings.head_bytes_max as usize);
    if app.doors.settings.headers_max != HEADERS_USUAL {
        http.max_headers(app.doors.settings.headers_max as usize);
    }
    let connection = http.serve_connection(stream, service);
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
