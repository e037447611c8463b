//! Lists the processes whose working directory is a given one.

use crate::error::{Error, doing};
use crate::owner::Owner;
use std::fs;
use std::io;
use std::path::Path;

/// The living processes of `owner` whose working directory is `dir`. Postgres
/// changes into its data directory before anything else and stays there.
#[cfg(target_os = "linux")]
pub(crate) fn in_dir(dir: &Path, owner: &Owner) -> Result<Vec<libc::pid_t>, Error> {
    use std::os::unix::fs::MetadataExt;

    // The kernel reports the directory itself, and `pg` may be a link to it.
    let Ok(dir) = fs::canonicalize(dir) else {
        return Ok(Vec::new());
    };
    let proc = Path::new("/proc");
    let mut found = Vec::new();
    let mut unreadable = Vec::new();
    for entry in fs::read_dir(proc).map_err(doing("list", proc))?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<libc::pid_t>() else {
            continue;
        };
        if entry
            .metadata()
            .map_or(true, |meta| meta.uid() != owner.uid)
        {
            continue;
        }
        // A zombie has no working directory, and so does not count as living.
        match fs::read_link(entry.path().join("cwd")) {
            Ok(cwd) if cwd == dir => found.push(pid),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => unreadable.push(pid),
            _ => {}
        }
    }
    if owner.dropped && !unreadable.is_empty() {
        found.extend(asked_as_owner(&dir, owner, &unreadable)?);
    }
    Ok(found)
}

/// Reads the links as the processes' own user. Root without CAP_SYS_PTRACE, as
/// in an ordinary container, is not allowed to.
#[cfg(target_os = "linux")]
fn asked_as_owner(
    dir: &Path,
    owner: &Owner,
    pids: &[libc::pid_t],
) -> Result<Vec<libc::pid_t>, Error> {
    const SCRIPT: &str = r#"dir=$1; shift; for pid; do
        [ "$(readlink "/proc/$pid/cwd")" = "$dir" ] && echo "$pid"; done; true"#;
    let shell = Path::new("/bin/sh");
    let output = super::command(shell, owner, None)
        .args(["-c", SCRIPT, "sh"])
        .arg(dir)
        .args(pids.iter().map(ToString::to_string))
        .output()
        .map_err(doing("run", shell))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
}

/// Elsewhere only the postmaster can be recognized, by its `-D` argument; its
/// backends end with it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn in_dir(dir: &Path, _owner: &Owner) -> Result<Vec<libc::pid_t>, Error> {
    let Some(pid) = super::postmaster_pid(dir) else {
        return Ok(Vec::new());
    };
    let ps = Path::new("/bin/ps");
    let output = std::process::Command::new(ps)
        .args(["-ww", "-o", "command=", "-p", &pid.to_string()])
        .output()
        .map_err(doing("run", ps))?;
    let line = String::from_utf8_lossy(&output.stdout);
    let ours = line.contains(&format!("-D {}", dir.display()));
    Ok(if ours { vec![pid] } else { Vec::new() })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_is_found_by_its_working_directory_while_it_lives() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = fs::canonicalize(dir.path()).expect("exists");
        let me = Owner::current();
        let mut child = Command::new("cat")
            .current_dir(&path)
            .stdin(Stdio::piped())
            .spawn()
            .expect("cat runs");
        assert_eq!(
            in_dir(&path, &me).expect("listed"),
            [child.id() as libc::pid_t]
        );
        assert_eq!(
            asked_as_owner(&path, &me, &[1, child.id() as libc::pid_t]).expect("asked"),
            [child.id() as libc::pid_t],
            "what root without CAP_SYS_PTRACE relies on"
        );
        drop(child.stdin.take());
        child.wait().expect("cat ends at the end of its input");
        assert!(in_dir(&path, &me).expect("listed").is_empty());
    }
}
