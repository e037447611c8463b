//! The header `Prefer` (RFC 7240): how long a caller waits for an outcome.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use crate::http::limits::WAIT_MAX;

/// Header in which a caller says what it prefers.
pub const PREFER: &str = "prefer";
const PREFERENCE_APPLIED: &str = "preference-applied";

/// The preference of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefers {
    /// `wait=SECONDS`: the outcome, if there is one in that time.
    Wait(Duration),
    /// `respond-async`: an immediate answer.
    RespondAsync,
}

impl Prefers {
    /// Returns how long to wait.
    pub const fn wait(self) -> Duration {
        match self {
            Self::Wait(wait) => wait,
            Self::RespondAsync => Duration::ZERO,
        }
    }
}

/// Reads the preference of the caller: `wait`, before `respond-async`, which allows for
/// it. Waits are cut to [`WAIT_MAX`]; a preference that cannot be read is ignored.
pub fn read(headers: &HeaderMap) -> Option<Prefers> {
    let given = || {
        headers
            .get_all(PREFER)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
    };
    let wait = given().find_map(|preference| {
        let (name, value) = preference.trim().split_once('=')?;
        let named = name.trim().eq_ignore_ascii_case("wait");
        let seconds = value.trim().parse().ok().filter(|_| named)?;
        Some(Prefers::Wait(Duration::from_secs(seconds).min(WAIT_MAX)))
    });
    let is_async = |preference: &str| preference.trim().eq_ignore_ascii_case("respond-async");
    wait.or_else(|| given().any(is_async).then_some(Prefers::RespondAsync))
}

/// Names in an answer the preference it followed.
pub fn applied(response: &mut Response, prefers: Option<Prefers>) {
    if let Some(prefers) = prefers {
        let name = match prefers {
            Prefers::Wait(_) => "wait",
            Prefers::RespondAsync => "respond-async",
        };
        let headers = response.headers_mut();
        headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preference_to_wait_is_read_among_others_and_bounded() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(PREFER, HeaderValue::from_static(value));
            read(&headers)
        };
        let wait = |seconds| Some(Prefers::Wait(Duration::from_secs(seconds)));
        assert_eq!(of("wait=5"), wait(5));
        assert_eq!(of("return=minimal, Wait = 7"), wait(7));
        assert_eq!(of("respond-async, wait=8"), wait(8));
        assert_eq!(of("wait=3600"), Some(Prefers::Wait(WAIT_MAX)));
        assert_eq!(of("Respond-Async"), Some(Prefers::RespondAsync));
        for none in ["wait", "wait=soon", "wait=-1", ""] {
            assert_eq!(of(none), None, "{none}");
        }
        assert_eq!(read(&HeaderMap::new()), None);
    }
}
