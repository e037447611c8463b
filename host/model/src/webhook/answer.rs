//! What the answer of a receiver means, and how long to wait after one that failed.

/// Shortest pause before another try, in milliseconds.
const PAUSE_MS_MIN: u64 = 1_000;
/// Longest pause before another try, in milliseconds: 15 minutes.
const PAUSE_MS_MAX: u64 = 15 * 60 * 1_000;

/// What the answer of a receiver means for the event that was sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookAnswer {
    /// It has the event.
    Accepted,
    /// It wants no more events.
    Gone,
    /// It does not have the event; it is sent again.
    Failed,
}

impl WebhookAnswer {
    /// Returns what a status of HTTP means: 2xx accepts, 410 says that nothing is wanted any
    /// more, and everything else fails, redirects too.
    pub const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Accepted,
            410 => Self::Gone,
            _ => Self::Failed,
        }
    }
}

/// Returns the pause before another try after `failures` failed ones, in milliseconds.
///
/// It doubles with each failure, from 1 second to 15 minutes, of which a random half is left
/// out, so that receivers that failed together are not tried together: `unit` is a random
/// number in `0.0..1.0`. What the receiver asked for is a lower bound, up to 15 minutes.
pub fn webhook_pause_ms(failures: u32, asked_ms: Option<u64>, unit: f64) -> u64 {
    let doublings = failures.saturating_sub(1).min(20);
    let full = (PAUSE_MS_MIN << doublings).min(PAUSE_MS_MAX);
    let half = full / 2;
    let pause = half + (half as f64 * unit) as u64;
    pause.max(asked_ms.unwrap_or(0).min(PAUSE_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_accepts() {
        for (status, answer) in [
            (199, WebhookAnswer::Failed),
            (200, WebhookAnswer::Accepted),
            (204, WebhookAnswer::Accepted),
            (299, WebhookAnswer::Accepted),
            (302, WebhookAnswer::Failed),
            (404, WebhookAnswer::Failed),
            (410, WebhookAnswer::Gone),
            (500, WebhookAnswer::Failed),
        ] {
            assert_eq!(WebhookAnswer::of_status(status), answer, "{status}");
        }
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        for (failures, least, most) in [
            (0, 500, 1_000),
            (1, 500, 1_000),
            (2, 1_000, 2_000),
            (10, 256_000, 512_000),
            (11, 450_000, 900_000),
            (u32::MAX, 450_000, 900_000),
        ] {
            assert_eq!(webhook_pause_ms(failures, None, 0.0), least, "{failures}");
            let longest = webhook_pause_ms(failures, None, 0.999_999);
            assert!((most - 2..most).contains(&longest), "{failures}: {longest}");
        }
        assert_eq!(webhook_pause_ms(1, Some(60_000), 0.5), 60_000);
        assert_eq!(webhook_pause_ms(1, Some(u64::MAX), 0.5), PAUSE_MS_MAX);
        assert_eq!(webhook_pause_ms(11, Some(1), 0.0), 450_000);
    }
}
