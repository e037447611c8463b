//! Headers that several routes read: `Idempotency-Key` and `traceparent`.

use axum::http::HeaderMap;
use model::Invalid;

/// Header that carries an idempotency key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Returns the idempotency key of a request, which its header or its body names.
pub fn idempotency_key(
    headers: &HeaderMap,
    of_body: Option<String>,
) -> Result<Option<String>, Invalid> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(of_body);
    };
    let key = value
        .to_str()
        .map_err(|_| Invalid::new("idempotency_key", "must be printable ASCII in a header"))?;
    match of_body {
        Some(other) if other != key => Err(Invalid::new(
            "idempotency_key",
            "the header Idempotency-Key and the body name different keys",
        )),
        _ => Ok(Some(key.to_owned())),
    }
}

/// Returns the trace context of a request. One that cannot be read is ignored: it is no
/// reason to refuse work.
pub fn traceparent(headers: &HeaderMap) -> Option<String> {
    headers
        .get("traceparent")
        .and_then(|value| value.to_str().ok())
        .filter(|text| is_traceparent(text))
        .map(str::to_owned)
}

/// `version-trace-parent-flags`, in lower-case hexadecimal.
fn is_traceparent(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [2, 32, 16, 2]
        && text
            .bytes()
            .all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_trace_context_is_passed_on() {
        assert!(is_traceparent(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        ));
        assert!(!is_traceparent(
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        ));
        assert!(!is_traceparent("x"));
    }
}
