//! Runs a cluster until standard input ends: `cargo run --example serve -- DIR`.
//!
//! Says `serving SOCKET_DIR` once it can be connected to. The tests that kill a
//! host start this one and kill it.

use std::io::{Read as _, Write as _};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data_dir = std::env::args_os()
        .nth(1)
        .ok_or("name the directory to keep the cluster in")?;
    let cluster = pgserver::start(pgserver::Settings::new(data_dir))?;
    println!("serving {}", cluster.socket_dir().display());
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    cluster.stop()?;
    Ok(())
}
