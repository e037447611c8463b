//! How times, durations, counts and sizes are written for people.

use std::time::Duration;

use time::OffsetDateTime;

/// Formats a time, in UTC to the second.
pub fn format_time(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!(
        "{} {:02}:{:02}:{:02}",
        at.date(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// Formats a count that may have ended at a bound.
pub fn format_count(count: u64, exact: bool) -> String {
    let more = if exact { "" } else { "+" };
    format!("{count}{more}")
}

/// Formats a number of bytes, in the binary unit that fits.
pub fn format_bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// Formats a duration: below a minute with three significant digits, then in minutes and
/// seconds or in hours and minutes.
pub fn format_duration(duration: Duration) -> String {
    let us = duration.as_micros();
    let digits = |value: f64| match value {
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    };
    match duration.as_secs() {
        0 if us < 1000 => format!("{us} µs"),
        0 => format!("{} ms", digits(us as f64 / 1e3)),
        1..60 => format!("{} s", digits(us as f64 / 1e6)),
        60..3600 => format!(
            "{} m {:02} s",
            duration.as_secs() / 60,
            duration.as_secs() % 60
        ),
        s => format!("{} h {:02} m", s / 3600, s / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_formatted_in_the_unit_that_fits() {
        for (us, text) in [
            (12, "12 µs"),
            (3_450, "3.45 ms"),
            (230_000, "230 ms"),
            (12_300_000, "12.3 s"),
            (125_000_000, "2 m 05 s"),
            (7_260_000_000, "2 h 01 m"),
        ] {
            assert_eq!(format_duration(Duration::from_micros(us)), text);
        }
    }
}
