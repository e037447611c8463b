//! Bounds of what a guest sets piece by piece. Setters return nothing, so the first bound
//! that one of them exceeded is remembered for the call that uses the pieces; the value
//! is not, so that what the host keeps is no larger than it may be.

use model::{Invalid, Limits, RefusalCode, ensure};

use crate::host::bindings::flowhost::engine::types::Payload;

/// The first bound that was exceeded.
#[derive(Debug, Default)]
pub(in crate::host) struct Bounds {
    broken: Option<Invalid>,
}

impl Bounds {
    /// Returns a value that is within its bounds.
    pub(in crate::host) fn keep<T>(&mut self, checked: Result<T, Invalid>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(invalid) => {
                self.broken.get_or_insert(invalid);
                None
            }
        }
    }

    /// Returns a text of at most `max` bytes.
    pub(in crate::host) fn text(
        &mut self,
        field: &'static str,
        text: String,
        max: usize,
    ) -> Option<String> {
        self.keep(check_text(field, &text, max).map(|()| text))
    }

    /// Returns a payload of at most `max` bytes with a media type of bounded length.
    pub(in crate::host) fn payload(
        &mut self,
        field: &'static str,
        payload: Payload,
        max: u32,
    ) -> Option<Payload> {
        let (media, media_max) = (&payload.content_type, Limits::CONTENT_TYPE_BYTES_MAX);
        let checked = check_payload(field, &payload, max)
            .and_then(|()| check_text("content_type", media, media_max));
        self.keep(checked.map(|()| payload))
    }

    /// Returns the bytes that the description of the exceeded bound takes.
    pub(in crate::host) fn owned_bytes(&self) -> usize {
        self.broken
            .as_ref()
            .map_or(0, |invalid| invalid.detail.len())
    }

    /// Checks that no bound was exceeded.
    pub(in crate::host) fn check(&self) -> Result<(), Invalid> {
        self.broken.clone().map_or(Ok(()), Err)
    }
}

/// Checks that a payload has at most `max` bytes.
pub(in crate::host) fn check_payload(
    field: &'static str,
    payload: &Payload,
    max: u32,
) -> Result<(), Invalid> {
    let bytes = payload.data.len();
    let checked = ensure(field, bytes <= max as usize, || {
        format!("{bytes} bytes, at most {max}")
    });
    checked.map_err(|invalid| invalid.coded(RefusalCode::PayloadTooLarge))
}

/// Checks that a text has at most `max` bytes.
pub(in crate::host) fn check_text(
    field: &'static str,
    text: &str,
    max: usize,
) -> Result<(), Invalid> {
    ensure(field, text.len() <= max, || format!("at most {max} bytes"))
}

/// Checks the key and the value of a label.
pub(in crate::host) fn check_label(key: &str, value: &str) -> Result<(), Invalid> {
    model::tag_key(key)?;
    let max = Limits::TAG_VALUE_BYTES_MAX;
    if value.len() > max {
        let detail = format!("a value of at most {max} bytes");
        return Err(Invalid::new("tags", detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bound_that_was_exceeded_is_reported() {
        let mut bounds = Bounds::default();
        assert_eq!(bounds.text("a", "ab".into(), 2).as_deref(), Some("ab"));
        assert_eq!(bounds.check(), Ok(()));
        assert_eq!(bounds.text("b", "abc".into(), 2), None);
        assert_eq!(bounds.text("c", "abcd".into(), 2), None);
        let told = bounds.check().map_err(|invalid| invalid.to_string());
        assert_eq!(told, Err("b: at most 2 bytes".into()));
    }
}
