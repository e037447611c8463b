//! What the machine allows this process: memory, and mappings of it.

use std::path::{Path, PathBuf};

/// Mappings a process may have if the system does not name the limit.
const MAPPINGS_MAX: u64 = 65_530;

/// What the machine allows this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineLimits {
    /// Memory of the machine, in bytes.
    pub memory_bytes: u64,
    /// Memory this process' control group may use, in bytes, if it is limited.
    pub cgroup_memory_bytes: Option<u64>,
    /// Mappings of memory a process may have (`vm.max_map_count`).
    pub mappings_max: u64,
}

impl MachineLimits {
    /// Reads the limits of this machine and of the control group of this process.
    pub fn detect() -> Self {
        Self::read_below(Path::new("/"))
    }

    fn read_below(root: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
        // A machine whose memory cannot be read is taken for a small one.
        let memory_bytes = memory_total(&read("proc/meminfo")).unwrap_or(1 << 30);
        let mappings_max = read("proc/sys/vm/max_map_count").trim().parse();
        Self {
            memory_bytes,
            cgroup_memory_bytes: cgroup_limit(
                root,
                &read("proc/self/cgroup"),
                &read("proc/self/mountinfo"),
            ),
            mappings_max: mappings_max.unwrap_or(MAPPINGS_MAX),
        }
    }
}

fn memory_total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Returns the least limit of the control group of this process and of those it is
/// in, of either version.
fn cgroup_limit(root: &Path, groups: &str, mounts: &str) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        // 4:memory:/a/b, or 0::/a/b for the second version.
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let files: &[&str] = if controllers.is_empty() {
            &["memory.max", "memory.high"]
        } else if controllers.split(',').any(|it| it == "memory") {
            &["memory.limit_in_bytes"]
        } else {
            return None;
        };
        let (top, group) = mounted(mounts, controllers.is_empty(), path)?;
        let under = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
        group
            .ancestors()
            .take_while(|path| path.starts_with(&top))
            .flat_map(|path| files.iter().map(move |file| path.join(file)))
            .filter_map(|file| {
                std::fs::read_to_string(under(&file))
                    .ok()?
                    .trim()
                    .parse()
                    .ok()
            })
            .min()
    });
    limits.min()
}

/// Returns where the control groups are mounted, and below it the one of `path`.
fn mounted(mounts: &str, unified: bool, path: &str) -> Option<(PathBuf, PathBuf)> {
    mounts.lines().find_map(|line| {
        // id parent device ROOT PLACE options… - TYPE source OPTIONS
        let (mount, kind) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (within, place) = (mount.next()?, PathBuf::from(mount.next()?));
        let mut kind = kind.split(' ');
        let is_it = match kind.next()? {
            "cgroup2" => unified,
            "cgroup" => !unified && kind.nth(1)?.split(',').any(|option| option == "memory"),
            _ => false,
        };
        if !is_it {
            return None;
        }
        // In a container the mount shows a part of the tree only.
        let shown = Path::new(path)
            .strip_prefix(within)
            .map_or_else(|_| place.clone(), |below| place.join(below));
        Some((place, shown))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn the_least_limit_of_the_groups_a_process_is_in_counts() {
        let first = tree(&[
            ("proc/meminfo", "MemFree: 1 kB\nMemTotal:  2097152 kB\n"),
            ("proc/sys/vm/max_map_count", "1000\n"),
            ("proc/self/cgroup", "5:cpu:/a\n4:memory:/a/b\n0::/\n"),
            (
                "proc/self/mountinfo",
                "30 24 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n31 24 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            ),
            (
                "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            (
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes",
                "1073741824\n",
            ),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ]);
        let machine = MachineLimits::read_below(first.path());
        let expected = MachineLimits {
            memory_bytes: 2 << 30,
            cgroup_memory_bytes: Some(1 << 30),
            mappings_max: 1000,
        };
        assert_eq!(machine, expected);

        let second = tree(&[
            ("proc/self/cgroup", "0::/pod/app\n"),
            (
                "proc/self/mountinfo",
                "31 24 0:26 /pod /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
            ),
            ("sys/fs/cgroup/app/memory.max", "max\n"),
            ("sys/fs/cgroup/app/memory.high", "4096\n"),
            ("sys/fs/cgroup/memory.max", "8192\n"),
        ]);
        let machine = MachineLimits::read_below(second.path());
        assert_eq!(machine.cgroup_memory_bytes, Some(4096));
        assert_eq!(machine.mappings_max, MAPPINGS_MAX);
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(MachineLimits::detect().memory_bytes > 64 << 20);
    }
}
