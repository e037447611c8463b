//! Which user the server runs as, and whether that user can reach a path.
//!
//! Postgres refuses uid 0, so a host that runs as root drops its server to an
//! existing user: the one recorded in `<data_dir>/pg_uid`, else the owner of
//! the existing cluster, else `postgres`, else `nobody`. The choice is recorded
//! because a later package installation may create a `postgres` user, who could
//! not open the cluster of `nobody`.

use crate::error::{Error, doing};
use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

/// The user the server runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub uid: u32,
    pub gid: u32,
    /// Whether the host is root, so that the server has to change to this user.
    pub dropped: bool,
}

pub(crate) fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

impl Owner {
    /// Returns the user of this process.
    pub fn current() -> Self {
        // SAFETY: both calls have no preconditions and cannot fail.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        Self {
            uid,
            gid,
            dropped: false,
        }
    }

    /// Chooses the user for a data root without changing anything.
    pub fn choose(data_dir: &Path) -> Result<Self, Error> {
        if !is_root() {
            return Ok(Self::current());
        }
        let dropped_to = |(uid, gid)| Self {
            uid,
            gid,
            dropped: true,
        };
        let of_cluster = || {
            let meta = fs::metadata(data_dir.join("pg")).ok()?;
            (meta.uid() != 0).then(|| (meta.uid(), meta.gid()))
        };
        recorded(data_dir)?
            .or_else(of_cluster)
            .or_else(|| by_name(c"postgres"))
            .or_else(|| by_name(c"nobody"))
            .map(dropped_to)
            .ok_or(Error::NoUser)
    }

    /// Writes the choice into the data root; does nothing unless the host is root.
    pub fn record(&self, data_dir: &Path) -> Result<(), Error> {
        if !self.dropped {
            return Ok(());
        }
        let path = data_dir.join("pg_uid");
        fs::write(&path, format!("{}:{}\n", self.uid, self.gid)).map_err(doing("write", &path))
    }

    /// Makes the user the owner of a directory or file.
    pub fn give(&self, path: &Path) -> Result<(), Error> {
        if !self.dropped {
            return Ok(());
        }
        chown(path, Some(self.uid), Some(self.gid)).map_err(doing("change the owner of", path))
    }

    /// Checks that an existing cluster belongs to the user.
    pub fn must_own(&self, pgdata: &Path) -> Result<(), Error> {
        match fs::metadata(pgdata) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(doing("inspect", pgdata)(error)),
            Ok(meta) if meta.uid() == self.uid => Ok(()),
            Ok(meta) => Err(Error::WrongOwner {
                pgdata: pgdata.to_owned(),
                found: meta.uid(),
                wanted: self.uid,
            }),
        }
    }

    /// Checks that the user can enter every directory above `path`, and `path`
    /// itself when it is one. Access lists beyond the mode bits are not read.
    pub fn can_reach(&self, path: &Path) -> Result<(), Error> {
        if !self.dropped {
            return Ok(());
        }
        let mut ancestors: Vec<&Path> = path.ancestors().collect();
        ancestors.reverse();
        for dir in ancestors {
            let meta = fs::metadata(dir).map_err(doing("inspect", dir))?;
            if meta.is_dir() && !self.can_enter(&meta) {
                return Err(Error::NotTraversable {
                    dir: dir.to_owned(),
                    path: path.to_owned(),
                    user: self.to_string(),
                });
            }
        }
        Ok(())
    }

    /// The kernel's rule: the first class that applies decides alone.
    pub fn can_enter(&self, meta: &fs::Metadata) -> bool {
        let bit = if meta.uid() == self.uid {
            0o100
        } else if meta.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        meta.mode() & bit != 0
    }

    /// The user's name, which `initdb` insists on and `postgres` does not.
    pub fn name(&self) -> Option<String> {
        // SAFETY: getpwuid returns null or a record that stays valid until the
        // next call; its name is copied immediately.
        unsafe {
            let record = libc::getpwuid(self.uid);
            (!record.is_null()).then(|| {
                CStr::from_ptr((*record).pw_name)
                    .to_string_lossy()
                    .into_owned()
            })
        }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => write!(f, "user {name} (uid {})", self.uid),
            None => write!(f, "uid {}", self.uid),
        }
    }
}

fn recorded(data_dir: &Path) -> Result<Option<(u32, u32)>, Error> {
    let path = data_dir.join("pg_uid");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(doing("read", &path)(error)),
    };
    let pair = text
        .trim()
        .split_once(':')
        .and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
    match pair {
        Some((0, _)) | None => Err(doing("understand", &path)(io::Error::other(
            "expected `uid:gid` of a user other than root",
        ))),
        Some(pair) => Ok(Some(pair)),
    }
}

fn by_name(name: &CStr) -> Option<(u32, u32)> {
    // SAFETY: as in `Owner::name`; both ids are copied immediately.
    unsafe {
        let record = libc::getpwnam(name.as_ptr());
        (!record.is_null()).then(|| ((*record).pw_uid, (*record).pw_gid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn stranger() -> Owner {
        Owner {
            uid: 54321,
            gid: 54321,
            dropped: true,
        }
    }

    #[test]
    fn a_closed_parent_is_named() {
        let closed = tempfile::tempdir().expect("a directory");
        let inside = closed.path().join("inside");
        fs::create_dir(&inside).expect("a directory");
        fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).expect("chmod");
        match stranger().can_reach(&inside) {
            Err(Error::NotTraversable { dir, .. }) => assert_eq!(dir, closed.path()),
            other => panic!("{other:?}"),
        }
        fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o711)).expect("chmod");
        stranger().can_reach(&inside).expect("open to everyone");
    }

    #[test]
    fn a_malformed_record_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(recorded(dir.path()).expect("absent"), None);
        for text in ["", "postgres", "0:0", "1"] {
            fs::write(dir.path().join("pg_uid"), text).expect("write");
            assert!(recorded(dir.path()).is_err(), "{text:?}");
        }
        fs::write(dir.path().join("pg_uid"), "101:104\n").expect("write");
        assert_eq!(recorded(dir.path()).expect("sane"), Some((101, 104)));
    }
}
