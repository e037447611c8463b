//! Conditions as a list of nodes, for interfaces whose types cannot nest.
//!
//! ```text
//!         AllOf                  0  AllOf [1, 2]
//!        /     \                 1  Single
//!    Single   AllOf      ⇄       2  AllOf [3]
//!               |                3  Count
//!             Count
//! ```
//!
//! The root is node 0. [`ResumeCondition::flatten`] writes each node before its
//! members; [`ResumeCondition::unflatten`] takes them in any order, as long as
//! they form one tree.

use super::fault::at_most;
use super::{
    CompositeBody, ConditionError, ConditionFault, CountKind, ResumeCondition, SignalMatcher,
};
use crate::Limits;

/// A node whose members are places in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlatCondition {
    /// See [`ResumeCondition::Single`].
    Single {
        /// Key of the waitpoint.
        waitpoint_key: String,
        /// Which signals there count.
        matcher: SignalMatcher,
    },
    /// See [`ResumeCondition::OperatorOnly`].
    OperatorOnly,
    /// See [`ResumeCondition::TimeoutOnly`].
    TimeoutOnly,
    /// See [`CompositeBody::AllOf`].
    AllOf {
        /// Places of the members, in their order.
        members: Vec<u32>,
    },
    /// See [`CompositeBody::Count`].
    Count {
        /// How many, at least 1.
        n: u32,
        /// What must differ between signals for each to count.
        count_kind: CountKind,
        /// Which signals count; absent: all at the waitpoints.
        matcher: Option<SignalMatcher>,
        /// Keys of the waitpoints whose signals count.
        waitpoints: Vec<String>,
    },
}

impl ResumeCondition {
    /// Writes the condition as a list, the root first.
    pub fn flatten(&self) -> Vec<FlatCondition> {
        let mut nodes = Vec::new();
        self.flatten_into(&mut nodes);
        nodes
    }

    /// Adds this node and its members; returns its place.
    fn flatten_into(&self, nodes: &mut Vec<FlatCondition>) -> u32 {
        let place = nodes.len();
        nodes.push(match self {
            Self::Single {
                waitpoint_key,
                matcher,
            } => FlatCondition::Single {
                waitpoint_key: waitpoint_key.clone(),
                matcher: matcher.clone(),
            },
            Self::OperatorOnly => FlatCondition::OperatorOnly,
            Self::TimeoutOnly => FlatCondition::TimeoutOnly,
            Self::Composite(CompositeBody::AllOf { .. }) => FlatCondition::AllOf {
                members: Vec::new(),
            },
            Self::Composite(CompositeBody::Count {
                n,
                count_kind,
                matcher,
                waitpoints,
            }) => FlatCondition::Count {
                n: *n,
                count_kind: *count_kind,
                matcher: matcher.clone(),
                waitpoints: waitpoints.clone(),
            },
        });
        if let Self::Composite(CompositeBody::AllOf { members }) = self {
            let places = members.iter().map(|it| it.flatten_into(nodes)).collect();
            nodes[place] = FlatCondition::AllOf { members: places };
        }
        u32::try_from(place).expect("invariant: a condition in memory has fewer than 2³² nodes")
    }

    /// Reads a condition from a list, the root first. Everything but its form is left to
    /// [`Self::check`].
    ///
    /// # Errors
    /// The list is not a tree ([`ConditionFault::FlatEmpty`] and the like), or has
    /// more nodes or depth than a condition may have.
    pub fn unflatten(nodes: Vec<FlatCondition>) -> Result<Self, ConditionError> {
        let mut tree = Tree::of(nodes)?;
        let root = tree.take(0, 1)?;
        tree.end()?;
        Ok(root)
    }
}

/// A list in which every node is a member at most once, and the root is not a member.
struct Tree {
    nodes: Vec<Option<FlatCondition>>,
    is_member: Vec<bool>,
}

impl Tree {
    fn of(nodes: Vec<FlatCondition>) -> Result<Self, ConditionError> {
        if nodes.is_empty() {
            return Err(wrong(ConditionFault::FlatEmpty, 0, "there are no nodes"));
        }
        at_most(
            ConditionFault::ConditionNodesExceeded,
            "nodes",
            nodes.len(),
            Limits::CONDITION_NODES_MAX,
        )?;
        let mut is_member = vec![false; nodes.len()];
        for (place, node) in nodes.iter().enumerate() {
            let FlatCondition::AllOf { members } = node else {
                continue;
            };
            for &member in members {
                let Some(seen) = is_member.get_mut(member as usize) else {
                    let detail = format!("there is no node {member}");
                    return Err(wrong(ConditionFault::FlatIndexDangling, place, detail));
                };
                if std::mem::replace(seen, true) {
                    let detail = format!("node {member} is a member twice");
                    return Err(wrong(ConditionFault::FlatSeveralParents, place, detail));
                }
            }
        }
        if is_member[0] {
            let detail = "the root is a member";
            return Err(wrong(ConditionFault::FlatCycle, 0, detail));
        }
        Ok(Self {
            nodes: nodes.into_iter().map(Some).collect(),
            is_member,
        })
    }

    /// Takes the node at a place with all its members. Each node has one parent and the
    /// root none, so none is visited twice.
    fn take(&mut self, place: usize, depth: usize) -> Result<ResumeCondition, ConditionError> {
        let node = self.nodes[place]
            .take()
            .expect("invariant: a node of a tree has one parent");
        Ok(match node {
            FlatCondition::Single {
                waitpoint_key,
                matcher,
            } => ResumeCondition::Single {
                waitpoint_key,
                matcher,
            },
            FlatCondition::OperatorOnly => ResumeCondition::OperatorOnly,
            FlatCondition::TimeoutOnly => ResumeCondition::TimeoutOnly,
            FlatCondition::AllOf { members } => {
                if depth > Limits::COMPOSITE_DEPTH_MAX {
                    let detail = format!("depth {depth} exceeds {}", Limits::COMPOSITE_DEPTH_MAX);
                    let fault = ConditionFault::ConditionDepthExceeded;
                    return Err(wrong(fault, place, detail));
                }
                let members = members
                    .into_iter()
                    .map(|member| self.take(member as usize, depth + 1))
                    .collect::<Result<_, _>>()?;
                ResumeCondition::Composite(CompositeBody::AllOf { members })
            }
            FlatCondition::Count {
                n,
                count_kind,
                matcher,
                waitpoints,
            } => ResumeCondition::Composite(CompositeBody::Count {
                n,
                count_kind,
                matcher,
                waitpoints,
            }),
        })
    }

    /// Checks that no node is left; nodes that are left and all members form a cycle.
    fn end(self) -> Result<(), ConditionError> {
        let left = |place: &usize| self.nodes[*place].is_some();
        let places = || (0..self.nodes.len()).filter(left);
        if let Some(place) = places().find(|&place| !self.is_member[place]) {
            let detail = "it is neither the root nor a member";
            return Err(wrong(ConditionFault::FlatUnreachable, place, detail));
        }
        match places().next() {
            Some(place) => {
                let detail = "it is a member of itself";
                Err(wrong(ConditionFault::FlatCycle, place, detail))
            }
            None => Ok(()),
        }
    }
}

fn wrong(fault: ConditionFault, place: usize, detail: impl Into<String>) -> ConditionError {
    ConditionError::new(fault, format!("nodes[{place}]"), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(members: &[u32]) -> FlatCondition {
        FlatCondition::AllOf {
            members: members.to_vec(),
        }
    }

    const LEAF: FlatCondition = FlatCondition::OperatorOnly;

    #[test]
    fn a_condition_is_read_as_it_was_written() {
        let condition = ResumeCondition::Composite(CompositeBody::AllOf {
            members: vec![
                ResumeCondition::all_of_waitpoints(["a", "b"]),
                ResumeCondition::TimeoutOnly,
                ResumeCondition::any_of_waitpoints(["c"]),
            ],
        });
        let flat = condition.flatten();
        assert_eq!(flat[0], all(&[1, 4, 5]));
        assert_eq!(ResumeCondition::unflatten(flat), Ok(condition));
    }

    #[test]
    fn nodes_may_come_in_any_order_after_the_root() {
        let flat = vec![all(&[2, 1]), FlatCondition::TimeoutOnly, all(&[3]), LEAF];
        let read = ResumeCondition::unflatten(flat).expect("a tree");
        let wanted = ResumeCondition::Composite(CompositeBody::AllOf {
            members: vec![
                ResumeCondition::Composite(CompositeBody::AllOf {
                    members: vec![ResumeCondition::OperatorOnly],
                }),
                ResumeCondition::TimeoutOnly,
            ],
        });
        assert_eq!(read, wanted);
    }

    #[test]
    fn a_list_that_is_not_a_tree_is_refused_by_name() {
        use ConditionFault as F;
        let deep: Vec<_> = (1..100).map(|next| all(&[next])).chain([LEAF]).collect();
        for (flat, fault) in [
            (vec![], F::FlatEmpty),
            (vec![all(&[1])], F::FlatIndexDangling),
            (vec![all(&[u32::MAX])], F::FlatIndexDangling),
            (vec![all(&[1, 1]), LEAF], F::FlatSeveralParents),
            (vec![all(&[1, 2]), all(&[2]), LEAF], F::FlatSeveralParents),
            (vec![all(&[0])], F::FlatCycle),
            (vec![all(&[1]), all(&[0])], F::FlatCycle),
            (vec![LEAF, all(&[2]), all(&[1])], F::FlatCycle),
            (vec![LEAF, all(&[1])], F::FlatCycle),
            (vec![LEAF, LEAF], F::FlatUnreachable),
            (vec![LEAF, all(&[2]), LEAF], F::FlatUnreachable),
            (deep, F::ConditionDepthExceeded),
            (
                vec![LEAF; Limits::CONDITION_NODES_MAX + 1],
                F::ConditionNodesExceeded,
            ),
        ] {
            let found = ResumeCondition::unflatten(flat.clone());
            assert_eq!(found.expect_err("no tree").fault, fault, "{flat:?}");
        }
    }
}
