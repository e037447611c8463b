//! Durations on the command line, such as `500ms`, `5s`, `1h30m` or `1.5d`.

use std::time::Duration;

use model::Limits;

/// Why a text is not a valid duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a valid duration: {why}; write numbers with units, such as 500ms, 5s or 1h30m"
)]
pub struct DurationError {
    text: String,
    why: String,
}

/// Reads a duration: one or more numbers, each followed by its unit. Fractions are
/// allowed, and a bare `0` needs no unit. At most ten years.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let wrong = |why: String| DurationError {
        text: text.chars().take(40).collect(),
        why,
    };
    let duration = humantime::parse_duration(text).map_err(|error| wrong(error.to_string()))?;
    if duration.as_millis() > u128::from(Limits::DURATION_MS_MAX) {
        return Err(wrong("it is longer than ten years".to_owned()));
    }
    Ok(duration)
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
            "", "5", "s", "-1s", "1.2.3s", "5x", "1e9s", "99999d", "5s!", "NaNs",
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains("500ms, 5s or 1h30m"), "{error}");
        }
    }
}
