//! The directory of the server's Unix socket.
//!
//! Only the server's user (and root) can enter it, and that is the whole
//! authentication: local connections are trusted and there are no others. It is
//! `<data_dir>/run`, unless that makes the socket's path longer than the kernel
//! takes, or contains a comma, at which `psql` splits it into two hosts; then it
//! is a directory named after a hash of the data root, below `$XDG_RUNTIME_DIR`
//! or `/tmp`.

use crate::error::{Error, doing};
use crate::owner::Owner;
use crate::settings::PORT;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The longest path of a Unix socket, without the closing zero byte.
const PATH_BYTES_MAX: usize = if cfg!(target_os = "macos") { 103 } else { 107 };

/// The socket file inside its directory.
pub(crate) fn socket_file(dir: &Path) -> PathBuf {
    dir.join(format!(".s.PGSQL.{PORT}"))
}

/// Makes the socket directory of a data root and returns its path.
pub(crate) fn prepare(data_dir: &Path, owner: &Owner) -> Result<PathBuf, Error> {
    let own = data_dir.join("run");
    let dir = if fits(&own) {
        own
    } else {
        fallback(data_dir, owner)
    };
    make_private(&dir, owner)?;
    owner.can_reach(&dir)?;
    Ok(dir)
}

fn fits(dir: &Path) -> bool {
    let path = socket_file(dir);
    let bytes = path.as_os_str().as_bytes();
    bytes.len() <= PATH_BYTES_MAX && !bytes.contains(&b',')
}

fn fallback(data_dir: &Path, owner: &Owner) -> PathBuf {
    let name = format!("flowhost-{:016x}", fnv1a(data_dir.as_os_str().as_bytes()));
    // Root's runtime directory is closed to the user the server runs as.
    let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|dir| !owner.dropped && dir.is_absolute() && dir.is_dir())
        .map(|dir| dir.join(&name))
        .filter(|dir| fits(dir));
    runtime_dir.unwrap_or_else(|| Path::new("/tmp").join(name))
}

/// Makes `dir` with mode 0700 for the server's user. An existing directory is used
/// only if that user owns it: in `/tmp` any user could have made it first.
fn make_private(dir: &Path, owner: &Owner) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => owner.give(dir)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(doing("create", dir)(error)),
    }
    let meta = fs::symlink_metadata(dir).map_err(doing("inspect", dir))?;
    let refuse = |why: String| {
        Err(Error::SocketDir {
            dir: dir.to_owned(),
            why,
        })
    };
    if !meta.is_dir() {
        return refuse("it is not a directory; remove it".into());
    }
    if owner.dropped && meta.uid() == 0 {
        // A host killed between creating the directory and giving it away.
        owner.give(dir)?;
    } else if meta.uid() != owner.uid {
        return refuse(format!(
            "it belongs to uid {}, not to {owner}; remove it",
            meta.uid()
        ));
    }
    fs::set_permissions(dir, Permissions::from_mode(0o700))
        .map_err(doing("change the mode of", dir))
}

/// The 64-bit FNV-1a hash; the name must stay the same across builds of the
/// host, which the standard library's hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_that_fits_is_exact() {
        let room = PATH_BYTES_MAX - "/.s.PGSQL.5432".len();
        assert!(fits(Path::new(&format!("/{}", "d".repeat(room - 1)))));
        assert!(!fits(Path::new(&format!("/{}", "d".repeat(room)))));
    }

    #[test]
    fn a_link_in_place_of_the_directory_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let link = dir.path().join("run");
        std::os::unix::fs::symlink("/tmp", &link).expect("a link");
        let refused = make_private(&link, &Owner::current()).expect_err("a link");
        assert!(matches!(refused, Error::SocketDir { .. }), "{refused}");
    }

    #[test]
    fn an_open_directory_of_our_own_is_closed() {
        let dir = tempfile::tempdir().expect("a directory");
        let run = dir.path().join("run");
        fs::create_dir(&run).expect("a directory");
        fs::set_permissions(&run, Permissions::from_mode(0o777)).expect("chmod");
        make_private(&run, &Owner::current()).expect("ours");
        assert_eq!(fs::metadata(&run).expect("exists").mode() & 0o777, 0o700);
    }

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
