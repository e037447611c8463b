//! An embedded Postgres: finds an installed server, makes a private cluster,
//! runs it under supervision and stops it.
//!
//! ```no_run
//! # fn main() -> Result<(), pgserver::Error> {
//! let cluster = pgserver::start(pgserver::Settings::new("/var/lib/flowhost"))?;
//! println!("{}", cluster.url("flowhost"));
//! cluster.stop()
//! # }
//! ```
//!
//! Everything is kept below one data root:
//!
//! ```text
//! <data_dir>/host.lock      flock of the one host; its pid
//!            pg_uid         uid:gid of the server, when the host is root
//!            pg/            the cluster; pg.tmp until it is complete
//!            run/           mode 0700: only its owner can connect
//!            postgres.log   the server's log; postgres.log.1 the one before
//! ```
//!
//! What the crate guarantees, and the module that does:
//!
//! - There is no TCP port and no password (`socket`).
//! - A durable cluster runs with `fsync`, `synchronous_commit` and
//!   `full_page_writes` on, and the server is asked to confirm it (`server/launch`).
//! - The server ends with the host, even by `kill -9` (`process/child`), and is
//!   restarted when it alone is killed (`server/supervisor`), after its leftover
//!   processes are ended (`process/sweep`).
//! - Two hosts never share a data root (`lock`), and an incomplete cluster is
//!   never used (`initdb`).
//!
//! The crate `postgresql_embedded` was tried and rejected: its `start` turns `fsync`
//! off, and a killed host leaves its server running.
//!
//! All functions block; an async host calls them from a thread where that is allowed.

mod binaries;
mod cluster;
mod error;
mod initdb;
mod lock;
mod owner;
mod process;
mod server;
mod settings;
mod socket;
pub mod wire;

pub use binaries::{Binaries, find};
pub use cluster::{Cluster, start};
pub use error::{Error, Tried};
pub use settings::{Settings, default_cache_dir, default_data_dir};
