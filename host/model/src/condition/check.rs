//! Checks a condition before it is stored: that it makes sense on its own, and together
//! with the waitpoints bound for it.
//!
//! The first fault found is reported.

use std::collections::HashSet;

use super::fault::{ROOT, at_most};
use super::structure::check_key;
use super::{ConditionError, ConditionFault, ResumeCondition};
use crate::Limits;

impl Limits {
    /// Most composite conditions within each other; FlowFabric's `MAX_COMPOSITE_DEPTH`.
    pub const COMPOSITE_DEPTH_MAX: usize = 4;
    /// Most nodes of a condition.
    pub const CONDITION_NODES_MAX: usize = 256;
    /// Most mentions of waitpoints in a condition; repeated ones count.
    pub const CONDITION_MENTIONS_MAX: usize = 1024;
}

impl ResumeCondition {
    /// Checks a condition together with the keys of the waitpoints bound for it,
    /// the primary one first, and whether the suspension has a time limit.
    ///
    /// A single waitpoint may be bound without being named by the condition, so that an
    /// `OperatorOnly` suspension is listed with one; of several, each must be named.
    ///
    /// # Errors
    /// The first fault, by name.
    pub fn check<K: AsRef<str>>(
        &self,
        bound: &[K],
        has_deadline: bool,
    ) -> Result<(), ConditionError> {
        check_bindings(bound)?;
        self.check_structure()?;
        self.check_deadline(has_deadline)?;
        self.check_bound(bound)
    }

    fn check_deadline(&self, has_deadline: bool) -> Result<(), ConditionError> {
        let mut timeout_only = false;
        self.visit(&mut |node| timeout_only |= matches!(node, Self::TimeoutOnly));
        if timeout_only && !has_deadline {
            return Err(ConditionError::new(
                ConditionFault::TimeoutOnlyWithoutDeadline,
                ROOT,
                "nothing could end the suspension; give it a time limit",
            ));
        }
        Ok(())
    }

    fn check_bound<K: AsRef<str>>(&self, bound: &[K]) -> Result<(), ConditionError> {
        let keys: HashSet<&str> = bound.iter().map(AsRef::as_ref).collect();
        let named = self.waitpoint_keys();
        if let Some(missing) = named.iter().find(|key| !keys.contains(*key)) {
            let (fault, detail) = match self {
                Self::Single { .. } if keys.len() == 1 => (
                    ConditionFault::WaitpointKeyMismatch,
                    "is not the key of the waitpoint bound",
                ),
                _ => (
                    ConditionFault::ReferencedWaitpointKeyMissingBinding,
                    "is the key of no waitpoint bound",
                ),
            };
            let detail = format!("{} {detail}", quoted(missing));
            return Err(ConditionError::new(fault, ROOT, detail));
        }
        let named: HashSet<&str> = named.into_iter().collect();
        let extra = bound.iter().position(|key| !named.contains(key.as_ref()));
        match extra {
            Some(at) if bound.len() > 1 => Err(ConditionError::new(
                ConditionFault::ExtraBindingNotReferencedByCondition,
                format!("waitpoints[{at}]"),
                format!("the condition does not name {}", quoted(bound[at].as_ref())),
            )),
            _ => Ok(()),
        }
    }
}

fn check_bindings<K: AsRef<str>>(bound: &[K]) -> Result<(), ConditionError> {
    if bound.is_empty() {
        return Err(ConditionError::new(
            ConditionFault::WaitpointsEmpty,
            ROOT,
            "a suspension has at least one waitpoint",
        ));
    }
    at_most(
        ConditionFault::WaitpointsExceeded,
        ROOT,
        bound.len(),
        Limits::WAITPOINTS_MAX,
    )?;
    let mut seen = HashSet::new();
    for (at, key) in bound.iter().enumerate() {
        let (key, path) = (key.as_ref(), format!("waitpoints[{at}]"));
        if key.is_empty() && at > 0 {
            return Err(ConditionError::new(
                ConditionFault::AdditionalWaitpointBindingEmptyKey,
                path,
                "each waitpoint after the first needs a key",
            ));
        }
        check_key(key, &path)?;
        if !seen.insert(key) {
            return Err(ConditionError::new(
                ConditionFault::WaitpointKeyRepeated,
                path,
                format!("another waitpoint is bound as {}", quoted(key)),
            ));
        }
    }
    Ok(())
}

fn quoted(key: &str) -> String {
    format!("`{}`", key.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::super::{CompositeBody, CountKind, SignalMatcher};
    use super::*;
    use crate::Invalid;

    fn single(key: &str, name: &str) -> ResumeCondition {
        ResumeCondition::Single {
            waitpoint_key: key.into(),
            matcher: SignalMatcher::ByName(name.into()),
        }
    }

    fn all(members: Vec<ResumeCondition>) -> ResumeCondition {
        ResumeCondition::Composite(CompositeBody::AllOf { members })
    }

    fn count(n: u32, count_kind: CountKind, waitpoints: &[&str]) -> ResumeCondition {
        ResumeCondition::Composite(CompositeBody::Count {
            n,
            count_kind,
            matcher: None,
            waitpoints: waitpoints.iter().map(|&key| key.into()).collect(),
        })
    }

    fn nested(depth: usize) -> ResumeCondition {
        (0..depth).fold(single("a", "x"), |inner, _| all(vec![inner]))
    }

    #[test]
    fn each_fault_has_its_name() {
        use ConditionFault as F;
        let key = |bytes| "k".repeat(bytes);
        let any = SignalMatcher::Wildcard;
        let waitpoints = CountKind::DistinctWaitpoints;
        let cases: Vec<(ResumeCondition, Vec<String>, bool, Option<ConditionFault>)> = vec![
            (single("a", "x"), vec!["a".into()], false, None),
            (single("a", "x"), vec![], false, Some(F::WaitpointsEmpty)),
            (
                single("a", "x"),
                vec!["b".into()],
                false,
                Some(F::WaitpointKeyMismatch),
            ),
            (
                single("a", ""),
                vec!["a".into()],
                false,
                Some(F::MatcherNameEmpty),
            ),
            (
                single("a", "x\0"),
                vec!["a".into()],
                false,
                Some(F::MatcherNameInvalid),
            ),
            (
                single("a", &key(129)),
                vec!["a".into()],
                false,
                Some(F::MatcherNameInvalid),
            ),
            (
                single("", "x"),
                vec!["a".into()],
                false,
                Some(F::WaitpointKeyEmpty),
            ),
            (
                single("a", "x"),
                vec![String::new()],
                false,
                Some(F::WaitpointKeyEmpty),
            ),
            (
                single(&key(129), "x"),
                vec!["a".into()],
                false,
                Some(F::WaitpointKeyInvalid),
            ),
            (
                single("a", "x"),
                vec!["a".into(), String::new()],
                false,
                Some(F::AdditionalWaitpointBindingEmptyKey),
            ),
            (
                single("a", "x"),
                vec!["a".into(), "a".into()],
                false,
                Some(F::WaitpointKeyRepeated),
            ),
            (
                single("a", "x"),
                vec!["a".into(), "b".into()],
                false,
                Some(F::ExtraBindingNotReferencedByCondition),
            ),
            (
                single("c", "x"),
                vec!["a".into(), "b".into()],
                false,
                Some(F::ReferencedWaitpointKeyMissingBinding),
            ),
            (
                count(1, waitpoints, &["a", "b"]),
                vec!["a".into()],
                false,
                Some(F::ReferencedWaitpointKeyMissingBinding),
            ),
            (
                single("a", "x"),
                (0..=Limits::WAITPOINTS_MAX)
                    .map(|n| n.to_string())
                    .collect(),
                false,
                Some(F::WaitpointsExceeded),
            ),
            (ResumeCondition::OperatorOnly, vec!["a".into()], false, None),
            (ResumeCondition::TimeoutOnly, vec!["a".into()], true, None),
            (
                ResumeCondition::TimeoutOnly,
                vec!["a".into()],
                false,
                Some(F::TimeoutOnlyWithoutDeadline),
            ),
            (
                all(vec![single("a", "x"), ResumeCondition::TimeoutOnly]),
                vec!["a".into()],
                false,
                Some(F::TimeoutOnlyWithoutDeadline),
            ),
            (
                all(vec![]),
                vec!["a".into()],
                false,
                Some(F::AllofEmptyMembers),
            ),
            (
                count(0, waitpoints, &["a"]),
                vec!["a".into()],
                false,
                Some(F::CountNZero),
            ),
            (
                count(1, waitpoints, &[]),
                vec!["a".into()],
                false,
                Some(F::CountWaitpointsEmpty),
            ),
            (
                count(2, waitpoints, &["a", "a"]),
                vec!["a".into()],
                false,
                Some(F::CountExceedsWaitpointSet),
            ),
            (
                count(2, CountKind::DistinctSignals, &["a"]),
                vec!["a".into()],
                false,
                None,
            ),
            (
                count(2, CountKind::DistinctSources, &["a"]),
                vec!["a".into()],
                false,
                None,
            ),
            (
                nested(Limits::COMPOSITE_DEPTH_MAX),
                vec!["a".into()],
                false,
                None,
            ),
            (
                nested(Limits::COMPOSITE_DEPTH_MAX + 1),
                vec!["a".into()],
                false,
                Some(F::ConditionDepthExceeded),
            ),
            (
                all(vec![single("a", "x"); Limits::CONDITION_NODES_MAX - 1]),
                vec!["a".into()],
                false,
                None,
            ),
            (
                all(vec![single("a", "x"); Limits::CONDITION_NODES_MAX]),
                vec!["a".into()],
                false,
                Some(F::ConditionNodesExceeded),
            ),
            (
                count(
                    1,
                    waitpoints,
                    &vec!["a"; Limits::CONDITION_MENTIONS_MAX + 1],
                ),
                vec!["a".into()],
                false,
                Some(F::ConditionMentionsExceeded),
            ),
            (
                ResumeCondition::Single {
                    waitpoint_key: "a".into(),
                    matcher: any,
                },
                vec!["a".into()],
                false,
                None,
            ),
        ];
        for (condition, bound, has_deadline, fault) in cases {
            let found = condition.check(&bound, has_deadline).err();
            assert_eq!(
                found.as_ref().map(|error| error.fault),
                fault,
                "{condition:?} {bound:?} {found:?}"
            );
        }
    }

    #[test]
    fn a_fault_is_found_in_its_place() {
        let condition = all(vec![
            single("a", "x"),
            all(vec![
                single("a", "x"),
                count(0, CountKind::DistinctSignals, &["a"]),
            ]),
        ]);
        let error = condition.check(&["a"], false).expect_err("n is zero");
        assert_eq!(
            error.to_string(),
            "count_n_zero at path members[1].members[1]: n is at least 1"
        );
        assert_eq!(Invalid::from(error).field, "resume_condition");
        assert_eq!(
            all(vec![]).check(&["a"], false).expect_err("empty").path,
            "<root>"
        );
    }
}
