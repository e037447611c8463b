//! Small instruments of the benchmark: what this process used, summaries of times, and
//! failures.

use std::time::Duration;

use crate::cli::io::{Exit, Failure};

/// Builds the failure of a measurement that could not be made.
pub fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, error.to_string())
}

/// Reads the processor time this process used so far, user and system, in microseconds.
pub fn cpu_us() -> u64 {
    // SAFETY: all-zero bytes are a valid `rusage`, and `getrusage` only writes
    // to the one it is given.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let us =
        |time: libc::timeval| time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_usec.unsigned_abs();
    us(usage.ru_utime) + us(usage.ru_stime)
}

/// Returns the memory this process holds, in bytes; 0 where that is not known.
pub fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    kib_of(&status, "VmRSS:") * 1024
}

/// Returns the processor time of every process whose command line names the
/// data directory, in microseconds: the server of an embedded cluster.
pub fn cpu_us_of_server(data_dir: &std::path::Path) -> u64 {
    let pidfile = data_dir.join("pg").join("postmaster.pid");
    let postmaster: Option<u32> = std::fs::read_to_string(pidfile)
        .ok()
        .and_then(|text| text.lines().next()?.parse().ok());
    let Some(postmaster) = postmaster else {
        return 0;
    };
    let mut ticks = ticks_of(postmaster).map_or(0, |(_, own, children)| own + children);
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let pid = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if let Some((parent, own, _)) = pid.and_then(ticks_of)
            && parent == postmaster
        {
            ticks += own;
        }
    }
    // SAFETY: has no preconditions.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }
        .max(1)
        .unsigned_abs();
    ticks * 1_000_000 / per_second
}

/// Returns the parent of a process, its own ticks, and those of the children it
/// waited for.
fn ticks_of(pid: u32) -> Option<(u32, u64, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; what follows it is numbers.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let ticks: Vec<u64> = fields
        .skip(9)
        .take(4)
        .filter_map(|field| field.parse().ok())
        .collect();
    match ticks[..] {
        [user, system, children_user, children_system] => {
            Some((parent, user + system, children_user + children_system))
        }
        _ => None,
    }
}

fn kib_of(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

/// Returns the time below which `share` of them lie; zero of none.
pub fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let at = (times.len() as f64 * share) as usize;
    times
        .get(at.min(times.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

/// Returns the middle of some numbers; zero of none.
pub fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    match numbers.len() {
        0 => 0.0,
        n if n % 2 == 1 => numbers[n / 2],
        n => f64::midpoint(numbers[n / 2 - 1], numbers[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_medians_of_few_and_many_numbers() {
        let ms = Duration::from_millis;
        assert_eq!(percentile(&mut [], 0.5), Duration::ZERO);
        assert_eq!(percentile(&mut [ms(3)], 0.99), ms(3));
        let mut times: Vec<_> = (1..=100).rev().map(ms).collect();
        assert_eq!(percentile(&mut times, 0.5), ms(51));
        assert_eq!(percentile(&mut times, 1.0), ms(100));
        assert!((median(&mut [1.0, 9.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&mut [1.0, 2.0]) - 1.5).abs() < f64::EPSILON);
    }

    #[test]
    fn this_process_uses_time_and_memory() {
        assert!(rss_bytes() > 0);
        let (_, own, _) = ticks_of(std::process::id()).expect("this process is there");
        assert!(own * 10_000 <= cpu_us() + 1_000_000);
    }
}
