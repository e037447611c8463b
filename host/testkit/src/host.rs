//! A whole host: the built binary on a database of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::MemoryGroup;

/// How to start a host.
#[derive(Debug)]
pub struct HostBuilder {
    binary: PathBuf,
    database_url: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    cache_dir: PathBuf,
    /// What is run, and what comes before its arguments.
    entry: (PathBuf, Vec<String>),
}

impl HostBuilder {
    /// Begins with the binary and the database.
    pub fn new(binary: impl AsRef<Path>, database_url: &str) -> Self {
        Self {
            entry: (binary.as_ref().to_owned(), Vec::new()),
            binary: binary.as_ref().to_owned(),
            database_url: database_url.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            // Shared by all hosts of a run, so that each component is compiled once.
            cache_dir: std::env::temp_dir()
                .join("flowhost-tests")
                .join(std::process::id().to_string())
                .join("cache"),
        }
    }

    /// Adds an argument to `flowhost serve`.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets an environment variable.
    pub fn environment(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Runs the host in a group with a memory of its own.
    pub fn memory_group(mut self, group: &MemoryGroup) -> Self {
        self.entry = group.enter(&self.binary);
        self
    }

    /// Starts the host and waits until it is ready.
    ///
    /// # Panics
    /// When it is not ready within 60 seconds.
    pub fn start(self) -> Host {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let (program, before) = &self.entry;
        let mut child = Command::new(program)
            .args(before)
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .args(["--database-url", &self.database_url, "--i-accept-loss"])
            .args(&self.arguments)
            .env("FLOWHOST_SECRETS_KEY", crate::SECRETS_KEY)
            .env("FLOWHOST_LOG", "info")
            .env("FLOWHOST_RUNTIME_CACHE_DIR", &self.cache_dir)
            .env("FLOWHOST_RUNTIME_SANDBOXES_MAX", "64")
            // Last, so that a test may say otherwise.
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let stderr = child.stderr.take().expect("piped");
        let sink = std::sync::Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                sink.lock().expect("not poisoned").push(line);
            }
        });
        let mut host = Host {
            child,
            url,
            port,
            log,
        };
        host.wait_ready();
        host
    }
}

/// A running host; killed when dropped.
#[derive(Debug)]
pub struct Host {
    child: Child,
    url: String,
    port: u16,
    log: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
}

impl Host {
    /// Returns the address of its API.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns what it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("not poisoned").join("\n")
    }

    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by name, such as `STOP`, `CONT`, `TERM` or `KILL`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success(), "kill -{name} {}", self.pid());
    }

    /// Kills it without warning and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it has exited by itself and returns its exit code.
    ///
    /// # Panics
    /// When it has not within 60 seconds.
    pub fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                return status.code();
            }
            assert!(
                Instant::now() < deadline,
                "the host does not exit\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait_ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the host exited with {status}\n{}", self.log());
            }
            assert!(
                Instant::now() < deadline,
                "the host is not ready\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
