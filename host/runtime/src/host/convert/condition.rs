//! Resume conditions: lists of nodes as guests pass them, read into trees.

use model::{FlatCondition, Invalid, ResumeCondition};

use super::texts_bytes;
use crate::host::bindings::flowhost::engine::suspend::{Condition, Matcher};

/// Reads a condition and checks its structure, so that no more of it is kept than a
/// condition may have.
pub(in crate::host) fn read(nodes: Vec<Condition>) -> Result<ResumeCondition, Invalid> {
    let flat = nodes.into_iter().map(node).collect();
    let condition = ResumeCondition::unflatten(flat)?;
    condition.check_structure()?;
    Ok(condition)
}

fn node(node: Condition) -> FlatCondition {
    match node {
        Condition::Single(single) => FlatCondition::Single {
            waitpoint_key: single.waitpoint_key,
            matcher: matcher(single.matcher),
        },
        Condition::OperatorOnly => FlatCondition::OperatorOnly,
        Condition::TimeoutOnly => FlatCondition::TimeoutOnly,
        Condition::AllOf(members) => FlatCondition::AllOf { members },
        Condition::Count(count) => FlatCondition::Count {
            n: count.n,
            count_kind: count.kind.into(),
            matcher: count.matcher.map(matcher),
            waitpoints: count.waitpoints,
        },
    }
}

fn matcher(matcher: Matcher) -> model::SignalMatcher {
    match matcher {
        Matcher::ByName(name) => model::SignalMatcher::ByName(name),
        Matcher::Wildcard => model::SignalMatcher::Wildcard,
    }
}

/// Returns the bytes of a condition.
pub(in crate::host) fn bytes(nodes: &[Condition]) -> usize {
    size_of_val(nodes) + nodes.iter().map(bytes_of).sum::<usize>()
}

fn bytes_of(node: &Condition) -> usize {
    let named = |matcher: &Matcher| match matcher {
        Matcher::ByName(name) => name.len(),
        Matcher::Wildcard => 0,
    };
    match node {
        Condition::Single(single) => single.waitpoint_key.len() + named(&single.matcher),
        Condition::OperatorOnly | Condition::TimeoutOnly => 0,
        Condition::AllOf(members) => size_of_val(members.as_slice()),
        Condition::Count(count) => {
            texts_bytes(&count.waitpoints) + count.matcher.as_ref().map_or(0, named)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::bindings::flowhost::engine::suspend::{Count, CountKind};

    #[test]
    fn a_condition_is_refused_by_the_name_of_what_is_wrong_with_it() {
        let told = |nodes| read(nodes).map_err(|invalid| invalid.to_string());
        let leaf = || Condition::OperatorOnly;
        assert_eq!(told(vec![leaf()]), Ok(ResumeCondition::OperatorOnly));
        let count = |n, waitpoints: usize| {
            Condition::Count(Count {
                n,
                kind: CountKind::DistinctSources,
                matcher: Some(Matcher::ByName("x".into())),
                waitpoints: vec!["a".into(); waitpoints],
            })
        };
        for (nodes, name) in [
            (vec![], "flat_empty"),
            (vec![Condition::AllOf(vec![7])], "flat_index_dangling"),
            (vec![Condition::AllOf(vec![0])], "flat_cycle"),
            (vec![Condition::AllOf(vec![])], "allof_empty_members"),
            (vec![leaf(), leaf()], "flat_unreachable"),
            (vec![count(0, 1)], "count_n_zero"),
            (vec![count(1, 2000)], "condition_mentions_exceeded"),
            (vec![leaf(); 300], "condition_nodes_exceeded"),
        ] {
            let told = told(nodes).expect_err(name);
            assert!(told.contains(name), "{told}");
        }
    }
}
