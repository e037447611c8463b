//! Makes a new cluster: no `pg` before, a complete one after, and never a part of one.
//!
//! `initdb` works in `pg.tmp`, which is renamed when it is complete. A host
//! killed meanwhile leaves `pg.tmp` behind, and the next start removes it.

use crate::binaries::Binaries;
use crate::error::{Error, doing};
use crate::owner::Owner;
use crate::process;
use crate::settings::{Settings, USER};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Makes the cluster unless it exists. The caller holds the host lock.
pub(crate) fn ensure(settings: &Settings, binaries: &Binaries, owner: &Owner) -> Result<(), Error> {
    let pgdata = settings.pgdata();
    clear_leftover(&settings.data_dir.join("pg.tmp"), owner)?;
    match fs::metadata(&pgdata) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(doing("inspect", &pgdata)(error)),
        Ok(_) if is_empty(&pgdata)? => {}
        Ok(_) if !pgdata.join("PG_VERSION").exists() => return Err(Error::NotACluster { pgdata }),
        Ok(_) => return Ok(()),
    }
    create(settings, binaries, owner)
}

fn create(settings: &Settings, binaries: &Binaries, owner: &Owner) -> Result<(), Error> {
    if owner.name().is_none() {
        return Err(Error::Nameless { uid: owner.uid });
    }
    let unfinished = settings.data_dir.join("pg.tmp");
    DirBuilder::new()
        .mode(0o700)
        .create(&unfinished)
        .map_err(doing("create", &unfinished))?;
    owner.give(&unfinished)?;

    let program = binaries.program("initdb");
    let mut command = process::command(&program, owner, Some(libc::SIGKILL));
    command.arg("-D").arg(&unfinished).args([
        "-U",
        USER,
        "-E",
        "UTF8",
        // The sort order must not depend on the machine or its upgrades.
        "--locale=C",
        "--auth-local=trust",
        "--auth-host=reject",
        "-k",
        "--no-instructions",
    ]);
    if !settings.durable {
        command.arg("--no-sync");
    }
    tracing::info!(version = binaries.version, pgdata = %settings.pgdata().display(), "making a Postgres cluster");
    let output = command.output().map_err(doing("run", &program))?;
    if !output.status.success() {
        fs::remove_dir_all(&unfinished).map_err(doing("remove", &unfinished))?;
        let said = [output.stdout, output.stderr].concat();
        return Err(Error::Initdb {
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&said).trim().to_owned(),
        });
    }
    let pgdata = settings.pgdata();
    fs::rename(&unfinished, &pgdata).map_err(doing("create", &pgdata))?;
    File::open(&settings.data_dir)
        .and_then(|dir| dir.sync_all())
        .map_err(doing("sync", &settings.data_dir))
}

fn clear_leftover(unfinished: &Path, owner: &Owner) -> Result<(), Error> {
    if !unfinished.exists() {
        return Ok(());
    }
    tracing::warn!(dir = %unfinished.display(), "removing an incomplete cluster");
    process::end_orphans(unfinished, owner)?;
    fs::remove_dir_all(unfinished).map_err(doing("remove", unfinished))
}

fn is_empty(dir: &Path) -> Result<bool, Error> {
    let mut entries = fs::read_dir(dir).map_err(doing("read", dir))?;
    Ok(entries.next().is_none())
}
