//! Graphs must have no cycles.

use std::collections::HashMap;
use std::hash::Hash;

/// Returns the nodes of a cycle, each once and in the order of its edges, if the edges
/// (upstream, downstream) have one. Takes time in proportion to their number, and no depth of
/// the stack.
pub fn find_cycle<N: Copy + Eq + Hash>(edges: &[(N, N)]) -> Option<Vec<N>> {
    let mut following: HashMap<N, Vec<N>> = HashMap::new();
    for (upstream, downstream) in edges {
        following.entry(*upstream).or_default().push(*downstream);
    }
    // Absent: not visited. Otherwise whether it is on the path to the node at hand.
    let mut on_path: HashMap<N, bool> = HashMap::with_capacity(following.len());
    for (start, _) in edges {
        if on_path.contains_key(start) {
            continue;
        }
        // Each node of the path, and how many nodes behind it were visited.
        let mut path = vec![(*start, 0)];
        on_path.insert(*start, true);
        while let Some((node, visited)) = path.last_mut() {
            let next = following.get(node).and_then(|all| all.get(*visited));
            let Some(next) = next.copied() else {
                on_path.insert(*node, false);
                path.pop();
                continue;
            };
            *visited += 1;
            match on_path.get(&next) {
                None => {
                    on_path.insert(next, true);
                    path.push((next, 0));
                }
                Some(true) => {
                    let nodes = path.iter().map(|(node, _)| *node);
                    return Some(nodes.skip_while(|node| *node != next).collect());
                }
                Some(false) => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_found_with_its_nodes_and_a_graph_without_one_is_not() {
        assert_eq!(find_cycle::<u8>(&[]), None);
        // Two ways to one node are no cycle.
        assert_eq!(find_cycle(&[(1, 2), (1, 3), (2, 4), (3, 4)]), None);
        let cycle = find_cycle(&[(0, 1), (1, 2), (2, 3), (3, 1), (3, 4)]);
        assert_eq!(cycle, Some(vec![1, 2, 3]));
        assert_eq!(find_cycle(&[(1, 2), (2, 1)]), Some(vec![1, 2]));
    }

    #[test]
    fn a_chain_of_a_million_nodes_needs_no_deep_stack() {
        let mut chain: Vec<(u32, u32)> = (0..1_000_000).map(|n| (n, n + 1)).collect();
        assert_eq!(find_cycle(&chain), None);
        chain.push((1_000_000, 0));
        assert_eq!(find_cycle(&chain).map(|cycle| cycle.len()), Some(1_000_001));
    }
}
