//! On whose behalf an execution is ended.

use std::fmt;
use std::str::FromStr;

use crate::Invalid;

/// On whose behalf an execution is ended; the ancestor's words, and room for
/// others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CancelSource {
    /// Somebody outside, who needs no fence.
    #[default]
    OperatorOverride,
    /// Whoever runs it, under its fence.
    LeaseHolder,
    /// Its flow was cancelled.
    FlowCascade,
    /// A time limit.
    SystemTimeout,
    /// Somebody else, by a name of 1 to 64 characters of `a-z`, `0-9`, `_`, `-`,
    /// `.` and `:`.
    Custom(String),
}

impl CancelSource {
    /// Returns the name on the wire and in the database.
    pub fn as_str(&self) -> &str {
        match self {
            Self::OperatorOverride => "operator_override",
            Self::LeaseHolder => "lease_holder",
            Self::FlowCascade => "flow_cascade",
            Self::SystemTimeout => "system_timeout",
            Self::Custom(name) => name,
        }
    }
}

impl fmt::Display for CancelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CancelSource {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Ok(match text {
            "operator_override" => Self::OperatorOverride,
            "lease_holder" => Self::LeaseHolder,
            "flow_cascade" => Self::FlowCascade,
            "system_timeout" => Self::SystemTimeout,
            other => {
                let plain =
                    |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.:".contains(&b);
                if !(1..=64).contains(&other.len()) || !other.bytes().all(plain) {
                    return Err(Invalid::new(
                        "source",
                        "must be 1 to 64 characters of `a-z`, `0-9`, `_`, `-`, `.` and `:`",
                    ));
                }
                Self::Custom(other.to_owned())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_as_it_is_written() {
        for text in [
            "operator_override",
            "lease_holder",
            "flow_cascade",
            "system_timeout",
            "cron",
        ] {
            let source: CancelSource = text.parse().expect(text);
            assert_eq!(source.as_str(), text);
            assert_eq!(matches!(source, CancelSource::Custom(_)), text == "cron");
        }
        for text in ["", "Alice", "a b", &"x".repeat(65)] {
            assert_eq!(
                text.parse::<CancelSource>().expect_err(text).field,
                "source"
            );
        }
    }
}
