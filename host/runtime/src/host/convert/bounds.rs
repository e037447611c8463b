//! Bounds of what a guest sets piece by piece. Setters return nothing, so the
//! first bound one of them broke is kept for the call that asks; what broke it is
//! not, so that a resource in the host's hands is no larger than it may be.

use model::{Invalid, Limits};

use crate::host::bindings::flowhost::engine::types::Payload;

/// The first bound that was broken.
#[derive(Debug, Default)]
pub(in crate::host) struct Bounds {
    broken: Option<Invalid>,
}

impl Bounds {
    /// Passes on what is within its bounds.
    pub(in crate::host) fn hold<T>(&mut self, checked: Result<T, Invalid>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(invalid) => {
                self.broken.get_or_insert(invalid);
                None
            }
        }
    }

    /// Passes on a text of at most `max` bytes.
    pub(in crate::host) fn text(
        &mut self,
        field: &'static str,
        text: String,
        max: usize,
    ) -> Option<String> {
        let checked = if text.len() > max {
            Err(Invalid::new(field, format!("at most {max} bytes")))
        } else {
            Ok(text)
        };
        self.hold(checked)
    }

    /// Passes on a payload of at most `max` bytes with a media type of bounded length.
    pub(in crate::host) fn payload(
        &mut self,
        field: &'static str,
        payload: Payload,
        max: u32,
    ) -> Option<Payload> {
        let bytes = payload.data.len();
        let checked = if bytes > max as usize {
            Err(Invalid::new(field, format!("{bytes} bytes, at most {max}")))
        } else if payload.content_type.len() > Limits::CONTENT_TYPE_BYTES_MAX {
            let max = Limits::CONTENT_TYPE_BYTES_MAX;
            Err(Invalid::new("content_type", format!("at most {max} bytes")))
        } else {
            Ok(payload)
        };
        self.hold(checked)
    }

    /// Returns the bytes that the account of a broken bound takes.
    pub(in crate::host) fn owned_bytes(&self) -> usize {
        self.broken
            .as_ref()
            .map_or(0, |invalid| invalid.detail.len())
    }

    /// Says whether every bound was kept.
    pub(in crate::host) fn check(&self) -> Result<(), Invalid> {
        self.broken.clone().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bound_that_was_broken_is_told() {
        let mut bounds = Bounds::default();
        assert_eq!(bounds.text("a", "ab".into(), 2).as_deref(), Some("ab"));
        assert_eq!(bounds.check(), Ok(()));
        assert_eq!(bounds.text("b", "abc".into(), 2), None);
        assert_eq!(bounds.text("c", "abcd".into(), 2), None);
        let told = bounds.check().map_err(|invalid| invalid.to_string());
        assert_eq!(told, Err("b: at most 2 bytes".into()));
    }
}
