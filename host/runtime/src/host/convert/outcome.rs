//! Outcomes that guests return, in a form that can be stored.
//!
//! A guest has ended when its outcome is recorded, so it could not act on a refusal, and
//! the attempt would be repeated without end. Therefore everything a guest returns, and
//! everything quoted of it, is made storable here: texts lose the one character the
//! database cannot hold and what exceeds their bounds, and a result that cannot be stored
//! becomes a failure that says so. An outcome that a guest records by a call is refused
//! by the engine instead, as a value.

use engine::Payload;
use model::{Failure, FailureClass, Limits};

use crate::host::bindings::flowhost::engine::types;

/// Returns a text without U+0000, and cut to `bytes_max` between characters.
pub(crate) fn text(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.shrink_to_fit();
    }
    if text.contains('\0') {
        text = text.replace('\0', "\u{fffd}");
        text.truncate(text.floor_char_boundary(bytes_max));
    }
    text
}

/// Builds a failure whose message quotes the guest.
pub(crate) fn failed(class: FailureClass, code: &str, message: String) -> Failure {
    Failure::new(class, code, text(message, Limits::MESSAGE_BYTES_MAX))
}

/// Converts the failure a guest reports. A code outside the documented form, or one
/// that only the engine gives, is kept in the message, under the code
/// `guest_failure`.
pub(crate) fn failure(failure: types::Failure) -> Failure {
    let (class, code) = (failure.class.into(), failure.code);
    let message = text(failure.message, Limits::MESSAGE_BYTES_MAX);
    if model::failure_code(&code).is_ok() {
        failed(class, &code, message)
    } else {
        let shown: String = code.chars().take(80).flat_map(char::escape_debug).collect();
        failed(class, "guest_failure", format!("{shown}: {message}"))
    }
}

/// Converts the result a guest returns, or builds the failure in its place.
pub(crate) fn result(result: types::Payload, bytes_max: u32) -> Result<Payload, Failure> {
    let permanent = |code, message| Failure::new(FailureClass::Permanent, code, message);
    let bytes = result.data.len();
    if bytes > bytes_max as usize {
        return Err(permanent(
            "result_too_large",
            format!(
                "the result has {bytes} bytes; at most {bytes_max} are allowed (limits.result_bytes_max)"
            ),
        ));
    }
    if let Err(invalid) = model::media_type("content_type", &result.content_type) {
        return Err(permanent(
            "result_invalid",
            format!("the result cannot be stored: {invalid}"),
        ));
    }
    Ok(result.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(code: &str, message: &str) -> Failure {
        failure(types::Failure {
            class: types::FailureClass::Permanent,
            code: code.to_owned(),
            message: message.to_owned(),
        })
    }

    #[test]
    fn a_malformed_code_moves_into_the_message() {
        assert_eq!(given("bad_image", "why").code, "bad_image");
        let odd = given("Bad Image\n", "why");
        assert_eq!(odd.code, "guest_failure");
        assert_eq!(odd.message, "Bad Image\\n: why");
        assert_eq!(given("", "").code, "guest_failure");
        let reserved = given("attempt_timeout", "why");
        assert_eq!(reserved.code, "guest_failure");
        assert_eq!(reserved.message, "attempt_timeout: why");
        assert_eq!(given(&"x".repeat(1 << 20), "").message.len(), 82);
        assert_eq!(given("\0", "").message, "\\0: ");
    }

    #[test]
    fn a_message_has_no_nul_and_keeps_to_its_bound() {
        assert_eq!(given("x", "a\0b").message, "a\u{fffd}b");
        let max = Limits::MESSAGE_BYTES_MAX;
        for message in ["\0", "\u{1f980}", "é\0", "x"] {
            let kept = given("x", &message.repeat(1 << 20)).message;
            assert!((max - 3..=max).contains(&kept.len()), "{}", kept.len());
            assert!(!kept.contains('\0'));
        }
    }

    #[test]
    fn a_result_that_cannot_be_stored_is_a_failure() {
        let kept = |content_type: &str, bytes| {
            let payload = types::Payload {
                content_type: content_type.to_owned(),
                data: vec![0; bytes],
            };
            result(payload, 4).map_err(|failure| failure.code)
        };
        assert!(kept("", 4).is_ok());
        assert_eq!(kept("", 5), Err("result_too_large".into()));
        for odd in ["a\0", "é", "a\n", &"x".repeat(256)] {
            assert_eq!(kept(odd, 0), Err("result_invalid".into()));
        }
    }
}
