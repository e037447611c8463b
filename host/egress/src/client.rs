//! The client: one request, from its URL to its answer, within its time.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, client::conn::http1};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::error::Step;
use crate::slots::Slots;
use crate::{Allow, Answer, Error, LongBody, Resolve, SystemResolver, Target, dial, tls, vet};

/// Headers that the client sets, or that are about the connection it makes.
const OWN_HEADERS: [HeaderName; 8] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// Least bytes of a head that the HTTP library can be limited to.
const HEAD_BYTES_MIN: usize = 8192;

/// Limits of a client, and what it may reach.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Destinations beyond the internet that it may reach.
    pub allow: Allow,
    /// Issuers of certificates to trust besides those of the machine.
    pub trusted: Vec<CertificateDer<'static>>,
    /// Longest a request takes, from the call to the last byte of the answer.
    pub timeout: Duration,
    /// Longest a connection to one address takes, and a TLS handshake.
    pub connect_timeout: Duration,
    /// Most bytes of the body of an answer.
    pub body_bytes_max: usize,
    /// Most bytes of the head of an answer, at least 8192.
    pub head_bytes_max: usize,
    /// Most headers of one answer.
    pub headers_max: usize,
    /// Most connections open at once.
    pub connections_max: usize,
    /// Most connections open to one host; further requests wait within their time.
    pub connections_per_host_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow: Allow::default(),
            trusted: Vec::new(),
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            body_bytes_max: 64 << 10,
            head_bytes_max: 16 << 10,
            headers_max: 64,
            connections_max: 256,
            connections_per_host_max: 8,
        }
    }
}

/// A request to send.
#[derive(Clone)]
pub struct Request {
    /// The verb of HTTP.
    pub method: Method,
    /// Where it is sent, once; a redirect is not followed.
    pub target: Target,
    /// Headers, without those about the host, the length and the connection.
    pub headers: HeaderMap,
    /// Sent whole, with its length.
    pub body: Bytes,
    /// What happens to a longer answer than the limit.
    pub long_body: LongBody,
}

/// Sends requests out of the instance. Shared by all that do, so that its limits on
/// connections hold for them together.
pub struct Client {
    settings: Settings,
    resolver: Arc<dyn Resolve>,
    tls: Option<TlsConnector>,
    slots: Slots,
}

impl Client {
    /// Makes a client that asks the resolver of the system. Reads the certificates of the
    /// machine, which blocks for some milliseconds.
    pub fn new(settings: Settings) -> Self {
        Self::with_resolver(settings, Arc::new(SystemResolver::default()))
    }

    /// Makes a client that asks another resolver.
    pub fn with_resolver(settings: Settings, resolver: Arc<dyn Resolve>) -> Self {
        Self {
            tls: tls::connector(settings.trusted.clone()),
            slots: Slots::new(settings.connections_max, settings.connections_per_host_max),
            resolver,
            settings,
        }
    }

    /// Returns whether some https request can succeed: whether any certificate is trusted.
    pub fn trusts_any(&self) -> bool {
        self.tls.is_some()
    }

    /// Returns the longest that a request takes.
    pub fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Resolves the host of a target and vets its addresses, without connecting: what a
    /// URL can be checked by when it is given. It says nothing about later, when each
    /// request resolves and vets again.
    ///
    /// # Errors
    /// Those of a request before it connects.
    pub async fn vet(&self, target: &Target) -> Result<(), Error> {
        let vetted = vet::addresses(target, &*self.resolver, &self.settings.allow);
        match tokio::time::timeout(self.settings.connect_timeout, vetted).await {
            Ok(vetted) => vetted.map(|_| ()),
            Err(_) => Err(Error::TimedOut {
                origin: target.origin(),
                after: self.settings.connect_timeout,
                during: Step::Resolving,
            }),
        }
    }

    /// Sends a request and returns the answer of any status.
    ///
    /// Each call is one attempt. After an error the server may have received the request,
    /// unless the error is about the address, the name or the connection.
    ///
    /// # Errors
    /// There is no answer within the limits.
    pub async fn send(&self, request: Request) -> Result<Answer, Error> {
        let origin = request.target.origin();
        let at = Mutex::new(Step::Queueing);
        let deadline = Instant::now() + self.settings.timeout;
        let answer = self.send_without_limit(request, &at);
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::TimedOut {
                origin,
                after: self.settings.timeout,
                during: *at.lock(),
            }),
        }
    }

    async fn send_without_limit(
        &self,
        request: Request,
        at: &Mutex<Step>,
    ) -> Result<Answer, Error> {
        let Settings {
            allow,
            connect_timeout,
            ..
        } = &self.settings;
        let target = &request.target.clone();
        let long_body = request.long_body;
        let request = whole(request)?;
        let host = target.host().to_string();
        let _slot = self.slots.take(&host).await;
        *at.lock() = Step::Resolving;
        let addresses = vet::addresses(target, &*self.resolver, allow).await?;
        *at.lock() = Step::Connecting;
        let stream = dial::connect(target, &addresses, *connect_timeout, self.tls.as_ref()).await?;
        *at.lock() = Step::Answering;

        let failed = |error: hyper::Error| Error::no_answer(target, &error);
        let (mut sender, connection) = http1::Builder::new()
            .max_headers(self.settings.headers_max)
            .max_buf_size(self.settings.head_bytes_max.max(HEAD_BYTES_MIN))
            .handshake(TokioIo::new(stream))
            .await
            .map_err(failed)?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(failed)?;
            Answer::read(target, response, self.settings.body_bytes_max, long_body).await
        };
        // The connection moves the bytes. What ends it reaches the exchange, which may have
        // an answer to read still.
        let driven = async {
            let _ended = connection.await;
            pending::<Infallible>().await
        };
        tokio::select! {
            answer = exchange => answer,
            never = driven => match never {},
        }
    }
}

/// Adds what the client says by itself.
fn whole(request: Request) -> Result<hyper::Request<Full<Bytes>>, Error> {
    let Request {
        method,
        target,
        headers,
        body,
        ..
    } = request;
    let of_proxies =
        |name: &HeaderName| name.as_str().starts_with("proxy-") || name == "keep-alive";
    let own = |name: &&HeaderName| OWN_HEADERS.contains(name) || of_proxies(name);
    if let Some(name) = headers.keys().find(own) {
        return Err(Error::OwnHeader(name.to_string()));
    }
    let mut whole = hyper::Request::new(Full::new(body));
    *whole.method_mut() = method;
    *whole.uri_mut() = target.path().clone();
    *whole.headers_mut() = headers;
    let host = HeaderValue::try_from(target.authority());
    let host = host.expect("invariant: the host of a URL is ASCII");
    let headers = whole.headers_mut();
    headers.insert(header::HOST, host);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(whole)
}
