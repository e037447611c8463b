//! Runs a command with `DATABASE_URL` set to a database of a private server, which
//! SQL files were run on first. The server is thrown away when the command has ended.
//!
//! ```text
//! cargo run -p pgserver --example with_database -- FILE.sql … -- COMMAND [ARGUMENT …]
//! ```

use pgserver::wire::Connection;
use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

const DATABASE: &str = "flowhost";
/// Longest time one file may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let files: Vec<OsString> = arguments.by_ref().take_while(|word| word != "--").collect();
    let Some(program) = arguments.next() else {
        eprintln!("usage: with_database FILE.sql … -- COMMAND [ARGUMENT …]");
        return ExitCode::from(2);
    };
    let mut command = Command::new(program);
    command.args(arguments);
    match run(&files, command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("with_database: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(files: &[OsString], mut command: Command) -> Result<ExitCode, Box<dyn Error>> {
    let data_dir = std::env::temp_dir().join(format!("flowhost-database-{}", std::process::id()));
    let mut settings = pgserver::Settings::new(&data_dir);
    settings.durable = false;
    settings.cache_dir = pgserver::default_cache_dir().ok();
    let cluster = pgserver::start(settings)?;
    let loaded = load(&cluster, files);
    let status = loaded.and_then(|()| {
        let url = cluster.url(DATABASE);
        Ok(command.env("DATABASE_URL", url).status()?)
    });
    cluster.stop()?;
    std::fs::remove_dir_all(&data_dir)?;
    let code = status?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn load(cluster: &pgserver::Cluster, files: &[OsString]) -> Result<(), Box<dyn Error>> {
    let socket = cluster
        .socket_dir()
        .join(format!(".s.PGSQL.{}", cluster.port()));
    let mut connection = Connection::open(&socket, cluster.user(), DATABASE, PATIENCE)?;
    for file in files {
        let sql = std::fs::read_to_string(file)?;
        connection
            .query(&sql)
            .map_err(|error| format!("{}: {error}", Path::new(file).display()))?;
    }
    Ok(())
}
