//! On whose behalf an execution is cancelled.

use std::fmt;

use crate::{Invalid, Limits, ensure};

impl Limits {
    /// Most bytes of a source that a caller names.
    pub const CANCEL_SOURCE_BYTES_MAX: usize = 64;
}

/// On whose behalf an execution is cancelled: FlowFabric's names, and names that
/// callers choose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CancelSource {
    /// A caller that holds no lease on it.
    #[default]
    OperatorOverride,
    /// The holder of its lease, under its fence.
    LeaseHolder,
    /// Its flow was cancelled.
    FlowCascade,
    /// A time limit passed.
    SystemTimeout,
    /// A source that the caller named, in 1 to 64 characters of `a-z`, `0-9`, `_`, `-`,
    /// `.` and `:`.
    Custom(String),
}

impl CancelSource {
    /// Reads the name that a caller gives.
    pub fn of_caller(text: &str) -> Result<Self, Invalid> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.:".contains(&b);
        let max = Limits::CANCEL_SOURCE_BYTES_MAX;
        let ok = (1..=max).contains(&text.len()) && text.bytes().all(plain);
        ensure("source", ok, || {
            format!("must be 1 to {max} characters of `a-z`, `0-9`, `_`, `-`, `.` and `:`")
        })?;
        let source = match text {
            "operator_override" => Self::OperatorOverride,
            // The caller cancels under the fence of the lease.
            "lease_holder" => return Ok(Self::LeaseHolder),
            other => Self::Custom(other.to_owned()),
        };
        source.check()?;
        Ok(source)
    }

    /// Checks that a caller without the fence of a lease may cancel on behalf of this source:
    /// only the engine records a flow or a time limit, and only a holder its lease.
    pub fn check(&self) -> Result<(), Invalid> {
        let name = self.as_str();
        let reserved = ["lease_holder", "flow_cascade", "system_timeout"].contains(&name);
        ensure("source", !reserved, || {
            format!(
                "`{name}` is recorded by the engine alone: leave the source out, or name a source of your own; a holder cancels under its lease"
            )
        })
    }

    /// Returns the source that a name in the database stands for.
    pub fn of_word(word: &str) -> Self {
        match word {
            "operator_override" => Self::OperatorOverride,
            "lease_holder" => Self::LeaseHolder,
            "flow_cascade" => Self::FlowCascade,
            "system_timeout" => Self::SystemTimeout,
            other => Self::Custom(other.to_owned()),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_as_it_is_written() {
        for text in ["operator_override", "cron", "app:billing-1.2"] {
            let source = CancelSource::of_caller(text).expect(text);
            assert_eq!(source.as_str(), text);
            assert_eq!(source.check(), Ok(()));
            let custom = matches!(source, CancelSource::Custom(_));
            assert_eq!(custom, text != "operator_override");
        }
        for text in ["", "Alice", "a b", &"x".repeat(65)] {
            let refused = CancelSource::of_caller(text).expect_err(text);
            assert_eq!(refused.field, "source");
        }
    }

    #[test]
    fn a_caller_cannot_use_the_engines_sources() {
        let holder = CancelSource::of_caller("lease_holder");
        assert_eq!(holder, Ok(CancelSource::LeaseHolder));
        for source in [
            CancelSource::LeaseHolder,
            CancelSource::FlowCascade,
            CancelSource::SystemTimeout,
        ] {
            let word = source.as_str();
            if source != CancelSource::LeaseHolder {
                let refused = CancelSource::of_caller(word).expect_err(word);
                assert!(refused.detail.contains(word), "{refused}");
            }
            assert!(CancelSource::Custom(word.to_owned()).check().is_err());
            assert!(source.check().is_err(), "{word}");
        }
    }
}
