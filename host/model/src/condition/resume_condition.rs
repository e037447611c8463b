//! A condition as callers write it, and as it is stored.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::wire::named;

/// Which signals a suspended execution must receive to resume.
///
/// Values can be built that make no sense; call [`ResumeCondition::check`], which names
/// the fault, before a condition is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ResumeCondition {
    /// A signal at this waitpoint that the matcher admits.
    Single {
        /// The waitpoint, by its name within the suspension.
        waitpoint_key: String,
        /// Which signals there count.
        matcher: SignalMatcher,
    },
    /// No signal, regardless of its name; an operator resumes.
    OperatorOnly,
    /// No signal, regardless of its name; the suspension's time limit ends it.
    TimeoutOnly,
    /// A condition made of others, or of several signals.
    Composite(CompositeBody),
}

/// Which signals count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignalMatcher {
    /// Signals of this name, compared byte by byte.
    ByName(String),
    /// Signals of any name.
    Wildcard,
}

/// How a composite condition is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields)]
pub enum CompositeBody {
    /// Every member is satisfied; one signal may serve several.
    AllOf {
        /// The conditions, at least one.
        members: Vec<ResumeCondition>,
    },
    /// At least `n` different things among the signals that count.
    Count {
        /// How many, at least 1.
        n: u32,
        /// What must differ between signals for each to count.
        count_kind: CountKind,
        /// Which signals count; absent: all at the waitpoints.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        matcher: Option<SignalMatcher>,
        /// Keys of the waitpoints whose signals count; at least one. A key named twice
        /// counts once.
        waitpoints: Vec<String>,
    },
}

named! {
    /// What must differ between signals for each to count.
    pub enum CountKind ("count kind") {
        /// The waitpoint they were sent to.
        DistinctWaitpoints = "DistinctWaitpoints",
        /// Their id: each signal counts.
        DistinctSignals = "DistinctSignals",
        /// Their sender: the pair of source type and source identity.
        DistinctSources = "DistinctSources",
    }
}

impl SignalMatcher {
    /// Whether a signal of this name counts.
    pub fn admits(&self, name: &str) -> bool {
        match self {
            Self::ByName(wanted) => wanted == name,
            Self::Wildcard => true,
        }
    }
}

impl ResumeCondition {
    /// Builds the condition that each of these waitpoints has a signal.
    pub fn all_of_waitpoints<K: Into<String>>(keys: impl IntoIterator<Item = K>) -> Self {
        let members = keys.into_iter().map(|key| Self::Single {
            waitpoint_key: key.into(),
            matcher: SignalMatcher::Wildcard,
        });
        Self::Composite(CompositeBody::AllOf {
            members: members.collect(),
        })
    }

    /// Builds the condition that any of these waitpoints has a signal.
    pub fn any_of_waitpoints<K: Into<String>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self::Composite(CompositeBody::Count {
            n: 1,
            count_kind: CountKind::DistinctWaitpoints,
            matcher: None,
            waitpoints: keys.into_iter().map(Into::into).collect(),
        })
    }

    /// Lists the keys of the waitpoints it names, each once, in the order of their first
    /// mention.
    pub fn waitpoint_keys(&self) -> Vec<&str> {
        let mut keys = Vec::new();
        let mut push = |key| {
            if !keys.contains(&key) {
                keys.push(key);
            }
        };
        self.visit(&mut |node| match node {
            Self::Single { waitpoint_key, .. } => push(waitpoint_key.as_str()),
            Self::Composite(CompositeBody::Count { waitpoints, .. }) => {
                waitpoints.iter().for_each(|key| push(key.as_str()));
            }
            _ => {}
        });
        keys
    }

    /// Returns the names of the signals that count at the waitpoint with this key; none if
    /// signals of any name do, or if the condition does not depend on it.
    pub fn signal_names(&self, key: &str) -> BTreeSet<&str> {
        let (mut names, mut any) = (BTreeSet::new(), false);
        self.visit(&mut |node| {
            let matcher = match node {
                Self::Single {
                    waitpoint_key,
                    matcher,
                } if waitpoint_key == key => Some(matcher),
                Self::Composite(CompositeBody::Count {
                    matcher,
                    waitpoints,
                    ..
                }) if waitpoints.iter().any(|it| it == key) => {
                    Some(matcher.as_ref().unwrap_or(&SignalMatcher::Wildcard))
                }
                _ => None,
            };
            match matcher {
                Some(SignalMatcher::ByName(name)) => {
                    names.insert(name.as_str());
                }
                Some(SignalMatcher::Wildcard) => any = true,
                None => {}
            }
        });
        if any { BTreeSet::new() } else { names }
    }

    /// Visits every node, each before what it is made of.
    pub(super) fn visit<'a>(&'a self, visitor: &mut impl FnMut(&'a Self)) {
        visitor(self);
        if let Self::Composite(CompositeBody::AllOf { members }) = self {
            members.iter().for_each(|member| member.visit(visitor));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_as_flowfabric_writes_it() {
        for text in [
            r#"{"Single":{"waitpoint_key":"a","matcher":{"ByName":"x"}}}"#,
            r#"{"Single":{"waitpoint_key":"a","matcher":"Wildcard"}}"#,
            r#""OperatorOnly""#,
            r#""TimeoutOnly""#,
            r#"{"Composite":{"kind":"AllOf","members":["TimeoutOnly"]}}"#,
            r#"{"Composite":{"kind":"Count","n":1,"count_kind":"DistinctSignals","waitpoints":["a"]}}"#,
            r#"{"Composite":{"kind":"Count","n":1,"count_kind":"DistinctSources","matcher":"Wildcard","waitpoints":["a"]}}"#,
        ] {
            let condition: ResumeCondition = serde_json::from_str(text).expect(text);
            assert_eq!(serde_json::to_string(&condition).expect("writes"), text);
        }
    }

    #[test]
    fn unknown_conditions_are_refused() {
        for text in [
            "{}",
            r#""Never""#,
            r#"{"Single":{"waitpoint_key":"a"}}"#,
            r#"{"Single":{"waitpoint_key":"a","matcher":"Wildcard","then":1}}"#,
            r#"{"Single":{"waitpoint_key":"a","matcher":{"ByPayload":"x"}}}"#,
            r#"{"Composite":{"kind":"AnyOf","members":[]}}"#,
            r#"{"Composite":{"kind":"AllOf","members":[],"n":1}}"#,
            r#"{"Composite":{"kind":"Count","n":-1,"count_kind":"DistinctSignals","waitpoints":[]}}"#,
            r#"{"Composite":{"kind":"Count","n":1,"count_kind":"Distinct","waitpoints":[]}}"#,
        ] {
            assert!(
                serde_json::from_str::<ResumeCondition>(text).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn each_waitpoint_is_listed_once() {
        let condition = ResumeCondition::Composite(CompositeBody::AllOf {
            members: vec![
                ResumeCondition::any_of_waitpoints(["b", "a", "b"]),
                ResumeCondition::OperatorOnly,
                ResumeCondition::all_of_waitpoints(["a", "c"]),
            ],
        });
        assert_eq!(condition.waitpoint_keys(), ["b", "a", "c"]);
    }
}
