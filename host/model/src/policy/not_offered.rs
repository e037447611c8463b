//! Members of a request that the contract has and this version does not offer.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// Whether a member that is not offered is given: `null`, `[]` and `{}` count as
/// absent. The member is read so that the refusal can name it, and is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NotOffered {
    /// Whether the member is given.
    pub given: bool,
}

/// What may be given for a member, tried in this order.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Given {
    Null(()),
    NoElements([(); 0]),
    NoMembers {},
    Anything(IgnoredAny),
}

impl<'de> Deserialize<'de> for NotOffered {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let given = matches!(Given::deserialize(d)?, Given::Anything(_));
        Ok(Self { given })
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
