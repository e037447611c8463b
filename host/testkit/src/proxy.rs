//! A proxy in front of a Postgres that can fail as networks and poolers do.
//!
//! It listens on a port of this machine and passes what comes to a server, which may
//! be on a Unix socket. What it does to connections can be changed at any time.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// How long the server keeps the session of a connection that was swallowed.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(10);

/// What the proxy does to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Passes everything.
    #[default]
    None,
    /// Accepts connections and hangs up at once.
    Refuse,
    /// Accepts connections and never answers; nothing passes on open ones.
    Stall,
}

/// How sessions behind the proxy relate to connections in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooling {
    /// Each connection has its own, and asks for what it wants.
    #[default]
    Session,
    /// As `Session`, but what a connection asks for as it starts is dropped, as
    /// poolers do.
    StartupDropped,
    /// All connections share one: each message that ends with `Sync` or is a simple
    /// query goes to the same server connection, in turn.
    Transaction,
}

/// How the proxy answers a client that wants TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// It has none.
    #[default]
    None,
    /// It begins, and fails the handshake.
    Broken,
}

/// A running proxy; ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    server: Server,
    fault: watch::Sender<Fault>,
    /// Connections of an earlier number are swallowed: open, and nothing passes.
    swallowed: watch::Sender<u64>,
    number: AtomicU64,
    pooling: Mutex<Pooling>,
    tls: Mutex<Tls>,
    /// The session that all connections share.
    session: tokio::sync::Mutex<Option<Stream>>,
    turn: Semaphore,
}

impl Proxy {
    /// Starts a proxy in front of the server of the database at `url`.
    pub async fn start(url: &str) -> Self {
        let options: PgConnectOptions = url.parse().expect("the URL of a database");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let server = Server::of(&options);
        let url = match &server {
            Server::Tcp(..) => options,
            Server::Unix(_) => PgConnectOptions::new_without_pgpass()
                .username(options.get_username())
                .database(options.get_database().unwrap_or("postgres")),
        }
        .host("127.0.0.1")
        .port(port)
        .to_url_lossy()
        .to_string();
        let shared = Arc::new(Shared {
            server,
            fault: watch::Sender::new(Fault::None),
            swallowed: watch::Sender::new(0),
            number: AtomicU64::new(0),
            pooling: Mutex::default(),
            tls: Mutex::default(),
            session: tokio::sync::Mutex::default(),
            turn: Semaphore::new(1),
        });
        let task = tokio::spawn(accept(listener, shared.clone()));
        Self { url, shared, task }
    }

    /// Returns the URL of the database through it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Does this to connections from now on.
    pub fn set(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
    }

    /// Lets nothing pass any more on the connections that are open, which stay so for
    /// their clients; the server gives them up after a while. New ones work.
    pub fn swallow_open_connections(&self) {
        let number = self.shared.number.load(Ordering::SeqCst);
        self.shared.swallowed.send_replace(number);
    }

    /// Returns how many connections were made.
    pub fn connections(&self) -> u64 {
        self.shared.number.load(Ordering::SeqCst)
    }

    /// Pools new connections like this.
    pub fn pool(&self, pooling: Pooling) {
        *self.shared.pooling.lock().expect("not poisoned") = pooling;
    }

    /// Answers new connections that want TLS like this.
    pub fn tls(&self, tls: Tls) {
        *self.shared.tls.lock().expect("not poisoned") = tls;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where the server is.
#[derive(Debug)]
enum Server {
    Unix(PathBuf),
    Tcp(String, u16),
}

/// A connection to it.
#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Server {
    fn of(options: &PgConnectOptions) -> Self {
        let (host, port) = (options.get_host(), options.get_port());
        let folder = options.get_socket().cloned();
        let folder = folder.or_else(|| host.starts_with('/').then(|| host.into()));
        match folder {
            Some(folder) => Self::Unix(folder.join(format!(".s.PGSQL.{port}"))),
            None => Self::Tcp(host.to_owned(), port),
        }
    }

    async fn connect(&self) -> std::io::Result<Stream> {
        Ok(match self {
            Self::Unix(path) => Stream::Unix(UnixStream::connect(path).await?),
            Self::Tcp(host, port) => Stream::Tcp(TcpStream::connect((host.as_str(), *port)).await?),
        })
    }
}

impl Stream {
    fn split(&mut self) -> (Reader<'_>, Writer<'_>) {
        match self {
            Self::Unix(stream) => {
                let (reader, writer) = stream.split();
                (Box::new(reader), Box::new(writer))
            }
            Self::Tcp(stream) => {
                let (reader, writer) = stream.split();
                (Box::new(reader), Box::new(writer))
            }
        }
    }
}

type Reader<'a> = Box<dyn AsyncRead + Unpin + Send + 'a>;
type Writer<'a> = Box<dyn AsyncWrite + Unpin + Send + 'a>;

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Aborted with the task, so that a proxy that is gone holds no connection.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        let number = shared.number.fetch_add(1, Ordering::SeqCst) + 1;
        if *shared.fault.borrow() == Fault::Refuse {
            continue;
        }
        let shared = shared.clone();
        connections.spawn(async move {
            // A connection that breaks is what a test wants or does not mind.
            let _ = serve(client, &shared, number).await;
        });
    }
}

async fn serve(mut client: TcpStream, shared: &Shared, number: u64) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let gate = Gate { shared, number };
    gate.open().await;
    let Some(startup) = startup(&mut client, shared).await? else {
        return Ok(());
    };
    let pooling = *shared.pooling.lock().expect("not poisoned");
    if pooling == Pooling::Transaction {
        return share(client, shared, startup).await;
    }
    let mut server = shared.server.connect().await?;
    let startup = match pooling {
        Pooling::StartupDropped => plain(&startup),
        _ => startup,
    };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    to_server.write_all(&startup).await?;
    tokio::select! {
        done = gate.pass(&mut from_client, &mut to_server) => return done,
        done = gate.pass(&mut from_server, &mut to_client) => return done,
        () = gate.given_up() => {}
    }
    drop((from_server, to_server));
    drop(server);
    // The client is told nothing.
    std::future::pending().await
}

/// What lets bytes of one connection pass.
struct Gate<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Gate<'_> {
    /// Returns when the server has given up the client of a connection that was
    /// swallowed, as its TCP keep-alives would have it do.
    async fn given_up(&self) {
        let mut swallowed = self.shared.swallowed.subscribe();
        let _ = swallowed.wait_for(|last| *last >= self.number).await;
        tokio::time::sleep(GIVEN_UP_AFTER).await;
    }

    /// Waits until bytes may pass; for ever on a connection that was swallowed.
    async fn open(&self) {
        let mut fault = self.shared.fault.subscribe();
        let _ = fault.wait_for(|fault| *fault != Fault::Stall).await;
        if *self.shared.swallowed.borrow() >= self.number {
            std::future::pending::<()>().await;
        }
    }

    async fn pass(
        &self,
        from: &mut (impl AsyncReadExt + Unpin),
        to: &mut (impl AsyncWriteExt + Unpin),
    ) -> std::io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = from.read(&mut buffer).await?;
            self.open().await;
            if read == 0 {
                return to.shutdown().await;
            }
            to.write_all(&buffer[..read]).await?;
        }
    }
}

/// What asks for TLS, and what for the end of a statement.
const TLS_REQUEST: u32 = 80_877_103;
const CANCEL_REQUEST: u32 = 80_877_102;

/// Reads the message a connection starts with, having answered what asks for TLS;
/// `None` if there is no more to do.
async fn startup(client: &mut TcpStream, shared: &Shared) -> std::io::Result<Option<Vec<u8>>> {
    loop {
        let mut message = vec![0; 8];
        client.read_exact(&mut message).await?;
        let length = u32::from_be_bytes(message[..4].try_into().expect("four bytes")) as usize;
        let code = u32::from_be_bytes(message[4..].try_into().expect("four bytes"));
        match code {
            TLS_REQUEST => match *shared.tls.lock().expect("not poisoned") {
                Tls::None => client.try_write(b"N").map(drop)?,
                // An alert: the versions offered are not spoken here.
                Tls::Broken => {
                    client
                        .try_write(b"S\x15\x03\x03\x00\x02\x02\x46")
                        .map(drop)?;
                    return Ok(None);
                }
            },
            CANCEL_REQUEST => return Ok(None),
            _ => {
                message.resize(length, 0);
                client.read_exact(&mut message[8..]).await?;
                return Ok(Some(message));
            }
        }
    }
}

/// Returns a first message that asks for the user and the database alone.
fn plain(startup: &[u8]) -> Vec<u8> {
    let mut words = startup[8..].split(|byte| *byte == 0);
    let mut kept = startup[4..8].to_vec();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        if name == b"user" || name == b"database" {
            for word in [name, value] {
                kept.extend_from_slice(word);
                kept.push(0);
            }
        }
    }
    kept.push(0);
    let length = u32::try_from(kept.len() + 4).expect("short");
    [length.to_be_bytes().to_vec(), kept].concat()
}

/// Serves a connection on the session that all of them share, one turn after the
/// other: a turn lasts from a client's message until the server is ready for the next.
async fn share(mut client: TcpStream, shared: &Shared, startup: Vec<u8>) -> std::io::Result<()> {
    {
        let mut session = shared.session.lock().await;
        if session.is_none() {
            let mut server = shared.server.connect().await?;
            server.split().1.write_all(&plain(&startup)).await?;
            until_ready(&mut server, None).await?;
            *session = Some(server);
        }
    }
    // Authenticated, and ready for a statement.
    client.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await?;
    loop {
        let (mut turn, mut ends) = (Vec::new(), false);
        while !ends {
            let mut head = [0; 5];
            client.read_exact(&mut head).await?;
            let length = u32::from_be_bytes(head[1..].try_into().expect("four bytes")) as usize;
            let mut body = vec![0; length - 4];
            client.read_exact(&mut body).await?;
            if head[0] == b'X' {
                return Ok(());
            }
            turn.extend_from_slice(&head);
            turn.extend_from_slice(&body);
            ends = matches!(head[0], b'S' | b'Q');
        }
        let _turn = shared.turn.acquire().await.expect("never closed");
        let mut session = shared.session.lock().await;
        let server = session.as_mut().expect("it was opened");
        server.split().1.write_all(&turn).await?;
        until_ready(server, Some(&mut client)).await?;
    }
}

/// Passes what a server says until it is ready for the next statement.
async fn until_ready(
    server: &mut Stream,
    mut client: Option<&mut TcpStream>,
) -> std::io::Result<()> {
    let mut server = server.split().0;
    loop {
        let mut message = vec![0; 5];
        server.read_exact(&mut message).await?;
        let length = u32::from_be_bytes(message[1..5].try_into().expect("four bytes")) as usize;
        message.resize(length + 1, 0);
        server.read_exact(&mut message[5..]).await?;
        if let Some(client) = &mut client {
            client.write_all(&message).await?;
        }
        if message[0] == b'Z' {
            return Ok(());
        }
    }
}
