//! Checks a condition on its own: its size, and that each node makes sense.

use std::collections::HashSet;
use std::fmt;

use super::fault::{ROOT, at_most};
use super::{
    CompositeBody, ConditionError, ConditionFault, CountKind, ResumeCondition, SignalMatcher,
};
use crate::{Limits, names};

impl ResumeCondition {
    /// Checks a condition on its own, without the waitpoints bound for it.
    ///
    /// # Errors
    /// The first fault, by name.
    pub fn check_structure(&self) -> Result<(), ConditionError> {
        Structure::default().check(self, 1, &mut Path::default())
    }
}

/// Counts nodes while it visits them, so that a condition that is too large is refused
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

pub(super) fn check_key(key: &str, path: &str) -> Result<(), ConditionError> {
    let fault = if key.is_empty() {
        ConditionFault::WaitpointKeyEmpty
    } else {
        ConditionFault::WaitpointKeyInvalid
    };
    names::waitpoint_key(key).map_err(|invalid| ConditionError::new(fault, path, invalid.detail))
}

/// The members on the way to a node.
#[derive(Default)]
struct Path(Vec<usize>);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
