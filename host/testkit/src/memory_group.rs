//! A memory control group for one host, so that a test can run it on a small machine.

use std::path::{Path, PathBuf};

/// A group below the one of this process; removed when dropped, once it is empty.
#[derive(Debug)]
pub struct MemoryGroup {
    folder: PathBuf,
}

impl MemoryGroup {
    /// Makes a group that may hold `bytes` of memory.
    ///
    /// # Errors
    /// If this machine has no memory controller this process may use, in words.
    pub fn new(bytes: u64) -> Result<Self, String> {
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let path = |controller: &str| {
            groups.lines().find_map(|line| {
                let mut fields = line.splitn(3, ':').skip(1);
                let (controllers, path) = (fields.next()?, fields.next()?);
                (controllers.split(',').any(|it| it == controller)).then_some(path)
            })
        };
        // The first version has a tree for memory; in the second all controllers share
        // one, and those of a group with processes in it are closed to its children.
        let (parent, file) = if let Some(path) = path("memory") {
            (
                below("/sys/fs/cgroup/memory", path),
                "memory.limit_in_bytes",
            )
        } else if let Some(path) = path("") {
            (below("/sys/fs/cgroup", path), "memory.max")
        } else {
            return Err("this process is in no control group".to_owned());
        };
        let folder = parent.join(format!("flowhost-test-{}", std::process::id()));
        let group = Self {
            folder: folder.clone(),
        };
        std::fs::create_dir(&folder)
            .and_then(|()| std::fs::write(folder.join(file), bytes.to_string()))
            .map_err(|error| format!("{}: {error}", folder.join(file).display()))?;
        Ok(group)
    }

    /// Returns the command line that runs a program in the group: what to run, and
    /// what to put before its arguments.
    pub(crate) fn enter(&self, program: &Path) -> (PathBuf, Vec<String>) {
        let procs = self.folder.join("cgroup.procs");
        let script = r#"echo $$ > "$1" && shift && exec "$@""#;
        let words = ["-c", script, "sh"].map(str::to_owned);
        let before = words
            .into_iter()
            .chain([procs.display().to_string(), program.display().to_string()])
            .collect();
        (PathBuf::from("sh"), before)
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // One that is left behind is empty, and hurts nothing.
        let _ = std::fs::remove_dir(&self.folder);
    }
}

/// In a container the tree begins at the container's own group.
fn below(root: &str, path: &str) -> PathBuf {
    let whole = Path::new(root).join(path.trim_start_matches('/'));
    if whole.exists() {
        whole
    } else {
        PathBuf::from(root)
    }
}
