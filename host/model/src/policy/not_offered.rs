//! Members of a request that the contract has and this version does not offer.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Whether a member that is not offered is given: `null`, `[]` and `{}` count as
/// absent. The member is read so that the refusal can name it, and is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NotOffered {
    /// Whether the member is given.
    pub given: bool,
}

impl<'de> Deserialize<'de> for NotOffered {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = NotOffered;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<NotOffered, E> {
        Ok(NotOffered { given: false })
    }

    fn visit_bool<E>(self, _: bool) -> Result<NotOffered, E> {
        Ok(NotOffered { given: true })
    }

    fn visit_i64<E>(self, _: i64) -> Result<NotOffered, E> {
        Ok(NotOffered { given: true })
    }

    fn visit_u64<E>(self, _: u64) -> Result<NotOffered, E> {
        Ok(NotOffered { given: true })
    }

    fn visit_f64<E>(self, _: f64) -> Result<NotOffered, E> {
        Ok(NotOffered { given: true })
    }

    fn visit_str<E>(self, _: &str) -> Result<NotOffered, E> {
        Ok(NotOffered { given: true })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<NotOffered, A::Error> {
        let mut given = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            given = true;
        }
        Ok(NotOffered { given })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NotOffered, A::Error> {
        let mut given = false;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            given = true;
        }
        Ok(NotOffered { given })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_values_count_as_absent() {
        for (text, given) in [
            ("null", false),
            ("[]", false),
            ("{}", false),
            ("[1]", true),
            (r#"["a", {"b": []}]"#, true),
            (r#"{"a": null}"#, true),
            ("0", true),
            ("-1", true),
            ("0.5", true),
            ("false", true),
            (r#""""#, true),
        ] {
            let read: NotOffered = serde_json::from_str(text).expect(text);
            assert_eq!(read.given, given, "{text}");
        }
    }
}
