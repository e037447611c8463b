//! Durations as people write them: `500ms`, `5s`, `2m`, `1h30m`, `1d`.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no duration; write a number and a unit (ms, s, m, h, d), such as 500ms, 5s or 1h30m"
)]
pub struct DurationError(String);

/// Reads a duration: one or more numbers, each followed by its unit. Fractions
/// are allowed (`1.5s`); a bare `0` needs no unit. At most ten years.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError(text.chars().take(40).collect());
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut total_ms = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(error)?;
        let (number, after) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| error())?;
        let unit_end = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let unit_ms = match unit {
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 60e3,
            "h" => 3600e3,
            "d" => 86_400e3,
            _ => return Err(error()),
        };
        total_ms += number * unit_ms;
        rest = after;
    }
    if text.is_empty() || total_ms > model::Limits::DURATION_MS_MAX as f64 {
        return Err(error());
    }
    Ok(Duration::from_millis(total_ms.round() as u64))
}

/// Writes a duration the way people read one: three significant digits of the
/// largest unit that fits below a minute, then minutes and seconds.
pub fn show(duration: Duration) -> String {
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
    fn a_number_needs_a_unit_that_is_known() {
        for (text, ms) in [
            ("0", 0),
            ("500ms", 500),
            ("5s", 5_000),
            ("1.5s", 1_500),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in [
            "", "5", "s", "-1s", "5 s", "1.2.3s", "5y", "1e9s", "99999d", "5s!", "NaNs",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_shown_in_the_unit_that_fits() {
        for (us, text) in [
            (12, "12 µs"),
            (3_450, "3.45 ms"),
            (230_000, "230 ms"),
            (12_300_000, "12.3 s"),
            (125_000_000, "2 m 05 s"),
            (7_260_000_000, "2 h 01 m"),
        ] {
            assert_eq!(show(Duration::from_micros(us)), text);
        }
    }
}
