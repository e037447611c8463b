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
//! Everything lives below one data root:
//!
//! ```text
//! <data_dir>/host.lock      flock of the one host; its pid
//!            pg_uid         uid:gid of the server, when the host is root
//!            pg/            the cluster; pg.tmp while it is being made
//!            run/           mode 0700: who can enter it can connect
//!            postgres.log   the server's log; postgres.log.1 the one before
//! ```
//!
//! What holds, and where it is seen to:
//!
//! - There is no TCP port and no password (`socket`).
//! - A durable cluster runs with `fsync`, `synchronous_commit` and
//!   `full_page_writes` on, which is asked of the server itself (`server`).
//! - The server ends with the host, even by `kill -9` (`child`), and comes back
//!   when it alone is killed (`supervisor`), whatever it left running (`sweep`).
//! - Two hosts never share a data root (`lock`), and a half-made cluster is
//!   never used (`initdb`).
//!
//! All of it blocks; an async host calls it from a thread where that is allowed.

mod child;
mod cluster;
mod error;
mod find;
mod initdb;
mod lock;
mod log;
mod owner;
mod places;
mod processes;
mod server;
mod settings;
mod shared;
mod socket;
mod supervisor;
mod sweep;
pub mod wire;

pub use cluster::{Cluster, start};
pub use error::{Error, Tried};
pub use find::{Binaries, find};
pub use settings::{Settings, default_cache_dir, default_data_dir};
