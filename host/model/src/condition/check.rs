//! What a condition must satisfy before it is stored.
//!
//! The first fault found is reported, by the name the contracts give it and with
//! its place in the tree, such as `members[2].members[0]`.

use std::collections::HashSet;

use super::{CompositeBody, CountKind, ResumeCondition, SignalMatcher};
use crate::wire::named;
use crate::{Invalid, Limits, names};

named! {
    /// What is wrong with a condition, or with the waitpoints bound for it.
    pub enum ConditionFault ("condition fault") {
        /// `AllOf` has no members.
        AllofEmptyMembers = "allof_empty_members",
        /// `Count` asks for none.
        CountNZero = "count_n_zero",
        /// `Count` names no waitpoints.
        CountWaitpointsEmpty = "count_waitpoints_empty",
        /// `Count` asks for more different waitpoints than it names.
        CountExceedsWaitpointSet = "count_exceeds_waitpoint_set",
        /// More composites within each other than
        /// [`Limits::COMPOSITE_DEPTH_MAX`].
        ConditionDepthExceeded = "condition_depth_exceeded",
        /// More nodes than [`Limits::CONDITION_NODES_MAX`].
        ConditionNodesExceeded = "condition_nodes_exceeded",
        /// More mentions of waitpoints than [`Limits::CONDITION_MENTIONS_MAX`].
        ConditionMentionsExceeded = "condition_mentions_exceeded",
        /// `ByName` names nothing.
        MatcherNameEmpty = "matcher_name_empty",
        /// `ByName` names what no signal can be called.
        MatcherNameInvalid = "matcher_name_invalid",
        /// A waitpoint key is empty.
        WaitpointKeyEmpty = "waitpoint_key_empty",
        /// A waitpoint key is too long or holds control characters.
        WaitpointKeyInvalid = "waitpoint_key_invalid",
        /// No waitpoint is bound.
        WaitpointsEmpty = "waitpoints_empty",
        /// More waitpoints are bound than [`Limits::WAITPOINTS_MAX`].
        WaitpointsExceeded = "waitpoints_exceeded",
        /// Two waitpoints are bound under one key.
        WaitpointKeyRepeated = "waitpoint_key_repeated",
        /// The key of `Single` is not that of the one waitpoint bound.
        WaitpointKeyMismatch = "waitpoint_key_mismatch",
        /// A waitpoint after the first is bound without a key.
        AdditionalWaitpointBindingEmptyKey = "additional_waitpoint_binding_empty_key",
        /// The condition looks at a waitpoint nobody bound.
        ReferencedWaitpointKeyMissingBinding = "referenced_waitpoint_key_missing_binding",
        /// One of several waitpoints bound is not looked at.
        ExtraBindingNotReferencedByCondition = "extra_binding_not_referenced_by_condition",
        /// Only the time limit could end it, and there is none.
        TimeoutOnlyWithoutDeadline = "timeout_only_without_deadline",
        /// A flat condition has no nodes.
        FlatEmpty = "flat_empty",
        /// A member is the index of no node.
        FlatIndexDangling = "flat_index_dangling",
        /// A node is a member twice.
        FlatSeveralParents = "flat_several_parents",
        /// A node is made of itself.
        FlatCycle = "flat_cycle",
        /// The root is not made of a node.
        FlatUnreachable = "flat_unreachable",
    }
}

/// Why a condition was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at path {path}: {detail}")]
pub struct ConditionError {
    /// The name of it.
    pub fault: ConditionFault,
    /// Where: `<root>`, `members[0]`, `waitpoints[1]`, `nodes[7]`.
    pub path: String,
    /// A sentence for people.
    pub detail: String,
}

impl ConditionError {
    pub(super) fn new(
        fault: ConditionFault,
        path: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            fault,
            path: path.into(),
            detail: detail.into(),
        }
    }
}

impl From<ConditionError> for Invalid {
    fn from(error: ConditionError) -> Self {
        Self::new("resume_condition", error.to_string())
    }
}

impl ResumeCondition {
    /// Checks a condition together with the keys of the waitpoints bound for it,
    /// the primary one first, and whether the suspension has a time limit.
    ///
    /// One waitpoint may be bound without being looked at, so that an
    /// `OperatorOnly` suspension has one to be shown by; of several each must be.
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

    /// Checks what can be said of a condition on its own.
    ///
    /// # Errors
    /// The first fault, by name.
    pub fn check_structure(&self) -> Result<(), ConditionError> {
        Structure::default().check(self, 1, &mut Path::default())
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
        let looked_at = self.waitpoint_keys();
        if let Some(missing) = looked_at.iter().find(|key| !keys.contains(*key)) {
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
            let detail = format!("{} {detail}", shown(missing));
            return Err(ConditionError::new(fault, ROOT, detail));
        }
        let looked_at: HashSet<&str> = looked_at.into_iter().collect();
        let extra = bound
            .iter()
            .position(|key| !looked_at.contains(key.as_ref()));
        match extra {
            Some(at) if bound.len() > 1 => Err(ConditionError::new(
                ConditionFault::ExtraBindingNotReferencedByCondition,
                format!("waitpoints[{at}]"),
                format!(
                    "the condition does not look at {}",
                    shown(bound[at].as_ref())
                ),
            )),
            _ => Ok(()),
        }
    }
}

const ROOT: &str = "<root>";

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
                format!("another waitpoint is bound as {}", shown(key)),
            ));
        }
    }
    Ok(())
}

/// Counts while it walks, so that a condition that is too large is given up
/// early.
#[derive(Default)]
struct Structure {
    nodes: usize,
    mentions: usize,
}

impl Structure {
    fn check(
        &mut self,
        node: &ResumeCondition,
        depth: usize,
        path: &mut Path,
    ) -> Result<(), ConditionError> {
        self.nodes += 1;
        let fault = ConditionFault::ConditionNodesExceeded;
        at_most(fault, ROOT, self.nodes, Limits::CONDITION_NODES_MAX)?;
        match node {
            ResumeCondition::OperatorOnly | ResumeCondition::TimeoutOnly => Ok(()),
            ResumeCondition::Single {
                waitpoint_key,
                matcher,
            } => {
                self.mention(1)?;
                check_key(waitpoint_key, &path.to_string())?;
                check_matcher(matcher, path)
            }
            ResumeCondition::Composite(body) => {
                if depth > Limits::COMPOSITE_DEPTH_MAX {
                    let detail = format!("depth {depth} exceeds {}", Limits::COMPOSITE_DEPTH_MAX);
                    let fault = ConditionFault::ConditionDepthExceeded;
                    return Err(ConditionError::new(fault, path.to_string(), detail));
                }
                match body {
                    CompositeBody::AllOf { members } => self.check_members(members, depth, path),
                    CompositeBody::Count {
                        n,
                        count_kind,
                        matcher,
                        waitpoints,
                    } => {
                        self.mention(waitpoints.len())?;
                        check_count(*n, *count_kind, waitpoints, path)?;
                        matcher
                            .as_ref()
                            .map_or(Ok(()), |matcher| check_matcher(matcher, path))
                    }
                }
            }
        }
    }

    fn check_members(
        &mut self,
        members: &[ResumeCondition],
        depth: usize,
        path: &mut Path,
    ) -> Result<(), ConditionError> {
        if members.is_empty() {
            return Err(ConditionError::new(
                ConditionFault::AllofEmptyMembers,
                path.to_string(),
                "it has no members",
            ));
        }
        for (at, member) in members.iter().enumerate() {
            path.0.push(at);
            self.check(member, depth + 1, path)?;
            path.0.pop();
        }
        Ok(())
    }

    fn mention(&mut self, count: usize) -> Result<(), ConditionError> {
        self.mentions = self.mentions.saturating_add(count);
        at_most(
            ConditionFault::ConditionMentionsExceeded,
            ROOT,
            self.mentions,
            Limits::CONDITION_MENTIONS_MAX,
        )
    }
}

fn check_count(
    n: u32,
    count_kind: CountKind,
    waitpoints: &[String],
    path: &Path,
) -> Result<(), ConditionError> {
    let wrong = |fault, detail: String| Err(ConditionError::new(fault, path.to_string(), detail));
    if n == 0 {
        return wrong(ConditionFault::CountNZero, "n is at least 1".to_owned());
    }
    if waitpoints.is_empty() {
        let detail = "it names no waitpoints".to_owned();
        return wrong(ConditionFault::CountWaitpointsEmpty, detail);
    }
    for key in waitpoints {
        check_key(key, &path.to_string())?;
    }
    let different = waitpoints.iter().collect::<HashSet<_>>().len();
    if count_kind == CountKind::DistinctWaitpoints && n as usize > different {
        return wrong(
            ConditionFault::CountExceedsWaitpointSet,
            format!("n is {n}, of {different} waitpoints"),
        );
    }
    Ok(())
}

fn check_matcher(matcher: &SignalMatcher, path: &Path) -> Result<(), ConditionError> {
    let SignalMatcher::ByName(name) = matcher else {
        return Ok(());
    };
    let fault = if name.is_empty() {
        ConditionFault::MatcherNameEmpty
    } else {
        ConditionFault::MatcherNameInvalid
    };
    names::signal_name(name)
        .map_err(|invalid| ConditionError::new(fault, path.to_string(), invalid.detail))
}

fn check_key(key: &str, path: &str) -> Result<(), ConditionError> {
    let fault = if key.is_empty() {
        ConditionFault::WaitpointKeyEmpty
    } else {
        ConditionFault::WaitpointKeyInvalid
    };
    names::waitpoint_key(key).map_err(|invalid| ConditionError::new(fault, path, invalid.detail))
}

pub(super) fn at_most(
    fault: ConditionFault,
    path: &str,
    count: usize,
    max: usize,
) -> Result<(), ConditionError> {
    if count > max {
        return Err(ConditionError::new(fault, path, format!("at most {max}")));
    }
    Ok(())
}

fn shown(key: &str) -> String {
    format!("`{}`", key.escape_debug())
}

/// The members on the way to a node.
#[derive(Default)]
struct Path(Vec<usize>);

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str(ROOT);
        }
        for (depth, at) in self.0.iter().enumerate() {
            let dot = if depth > 0 { "." } else { "" };
            write!(f, "{dot}members[{at}]")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
