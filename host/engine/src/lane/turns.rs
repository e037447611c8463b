//! Whose turn it is: how a claim is shared between lanes, and within a lane
//! between namespaces, by their weights.
//!
//! Each lane, and each namespace of a lane, has a *pass*: what it was given so
//! far, divided by its weight. The next execution is taken from the one with the
//! least, so over time each gets its share, also when claims are small. Whoever
//! had nothing waiting comes back at the pass of those that are served now: it is
//! served soon, and not for the time it was away. What one does not use goes to
//! the others.
//!
//! This is the memory of one host about one partition, and a hint: which
//! namespaces have work is found by a look at the queue, every [`LOOK_EVERY`] and
//! whenever nothing is known. Hosts need not agree; each shares fairly what it
//! claims.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::time::{Duration, Instant};

/// Longest a namespace that has work goes unnoticed on a host that claims, for
/// each [`LANES_AT_ONCE`] lanes it serves.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Lanes that are looked into at the cost of one claim.
const LANES_AT_ONCE: usize = 64;
/// Most namespaces of a lane that one look meets; the next goes on after them.
pub(crate) const LOOK_MAX: usize = 64;
/// Namespaces of a lane whose pass is remembered while they have no work.
const REMEMBERED_MAX: usize = 1024;
/// The weight of whoever was given none.
pub(crate) const WEIGHT_DEFAULT: u16 = 100;

/// A lane that serves, and its weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) lane: String,
    pub(crate) weight: u16,
}

/// What a claim asks of one namespace of one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) lane: String,
    pub(crate) namespace: String,
    pub(crate) most: usize,
}

/// Where to look for namespaces that have work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) lane: String,
    /// The look begins after this namespace.
    pub(crate) after: String,
}

/// The turns of one partition.
#[derive(Default)]
pub(crate) struct Turns {
    lanes: HashMap<String, LaneTurns>,
    /// Pass of the lane served last.
    clock: f64,
}

#[derive(Default)]
struct LaneTurns {
    pass: f64,
    namespaces: BTreeMap<String, Turn>,
    /// Pass of the namespace served last.
    clock: f64,
    looked_at: Option<Instant>,
    /// Where the next look begins.
    look_after: String,
}

#[derive(Default)]
struct Turn {
    pass: f64,
    /// Whether it had work when it was seen last.
    ready: bool,
}

impl Turns {
    /// Returns where to look: in the lanes that were not looked at for a while, or
    /// in all of them.
    pub(crate) fn look(&self, servers: &[Server], all: bool) -> Vec<Look> {
        let every = LOOK_EVERY.mul_f64((servers.len() as f64 / LANES_AT_ONCE as f64).max(1.0));
        let due = |lane: &LaneTurns| lane.looked_at.is_none_or(|at| at.elapsed() >= every);
        servers
            .iter()
            .filter_map(|server| {
                let turns = self.lanes.get(&server.lane);
                (all || turns.is_none_or(due)).then(|| Look {
                    lane: server.lane.clone(),
                    after: turns.map(|it| it.look_after.clone()).unwrap_or_default(),
                })
            })
            .collect()
    }

    /// Takes in what a look met, in each lane in the order of the namespaces.
    pub(crate) fn met(&mut self, looks: &[Look], met: Vec<(String, String)>) {
        let mut count: HashMap<String, usize> = HashMap::new();
        for look in looks {
            let lane = self.lanes.entry(look.lane.clone()).or_default();
            lane.looked_at = Some(Instant::now());
            lane.look_after.clear();
        }
        for (name, namespace) in met {
            let lane = self.lanes.entry(name.clone()).or_default();
            let count = count.entry(name).or_default();
            *count += 1;
            if *count == LOOK_MAX {
                lane.look_after.clone_from(&namespace);
            }
            lane.comes(namespace);
        }
    }

    /// Shares `most` executions between those that have work. Charges them at
    /// once, so that another claim meanwhile goes on after this one; what they
    /// did not use is given back by [`Turns::settle`].
    pub(crate) fn share(
        &mut self,
        servers: &[Server],
        weight_of: impl Fn(&str) -> u16,
        most: usize,
    ) -> Vec<Share> {
        let mut lanes: BinaryHeap<Next<Lane<'_>>> = BinaryHeap::new();
        for server in servers {
            let Some(turns) = self.lanes.remove(&server.lane) else {
                continue;
            };
            let waiting: BinaryHeap<Next<Namespace>> = turns
                .namespaces
                .iter()
                .filter(|(_, turn)| turn.ready)
                .map(|(name, turn)| Next {
                    pass: turn.pass,
                    of: Namespace {
                        weight: weight_of(name).max(1),
                        name: name.clone(),
                        given: 0,
                    },
                })
                .collect();
            let pass = turns.pass.max(self.clock);
            lanes.push(Next {
                pass: if waiting.is_empty() { f64::MAX } else { pass },
                of: Lane {
                    server,
                    turns,
                    waiting,
                },
            });
        }
        let mut left = most;
        while left > 0 {
            let Some(mut next) = lanes.pop() else { break };
            if next.of.waiting.is_empty() {
                lanes.push(next);
                break;
            }
            // Alone, it gets everything at once.
            let alone = lanes.peek().is_none_or(|other| other.of.waiting.is_empty());
            let count = if alone { left } else { 1 };
            self.clock = next.advance(count, next.of.server.weight);
            next.of.give(count);
            left -= count;
            lanes.push(next);
        }
        let mut shares = Vec::new();
        for Next { pass, of: lane } in lanes {
            let Lane {
                server,
                mut turns,
                waiting,
            } = lane;
            if !waiting.is_empty() {
                turns.pass = pass;
            }
            for Next { pass, of } in waiting {
                if of.given > 0 {
                    shares.push(Share {
                        lane: server.lane.clone(),
                        namespace: of.name.clone(),
                        most: of.given,
                    });
                }
                turns.namespaces.entry(of.name).or_default().pass = pass;
            }
            self.lanes.insert(server.lane.clone(), turns);
        }
        shares
    }

    /// Takes in what a claim brought: what was not used is given back, and who
    /// had less than its share has nothing left. Returns whether all of them had
    /// less.
    pub(crate) fn settle(
        &mut self,
        servers: &[Server],
        weight_of: impl Fn(&str) -> u16,
        shares: &[Share],
        brought: &HashMap<(&str, &str), usize>,
    ) -> bool {
        let mut all_short = true;
        for share in shares {
            let of = (share.lane.as_str(), share.namespace.as_str());
            let unused = share.most - brought.get(&of).copied().unwrap_or(0).min(share.most);
            let Some(lane) = self.lanes.get_mut(&share.lane) else {
                continue;
            };
            if unused == 0 {
                all_short = false;
                continue;
            }
            let weight = servers
                .iter()
                .find(|server| server.lane == share.lane)
                .map_or(WEIGHT_DEFAULT, |server| server.weight);
            lane.pass -= unused as f64 / f64::from(weight.max(1));
            if let Some(turn) = lane.namespaces.get_mut(&share.namespace) {
                turn.pass -= unused as f64 / f64::from(weight_of(&share.namespace).max(1));
                turn.ready = false;
            }
            lane.forget_some();
        }
        all_short
    }
}

impl LaneTurns {
    fn comes(&mut self, namespace: String) {
        let clock = self.clock;
        let turn = self.namespaces.entry(namespace).or_default();
        if !std::mem::replace(&mut turn.ready, true) {
            turn.pass = turn.pass.max(clock);
        }
    }

    /// Forgets namespaces without work that would come back at the clock anyhow,
    /// and all of them when there are too many.
    fn forget_some(&mut self) {
        if self.namespaces.len() > REMEMBERED_MAX {
            let clock = self.clock;
            self.namespaces
                .retain(|_, turn| turn.ready || turn.pass > clock);
        }
        if self.namespaces.len() > 2 * REMEMBERED_MAX {
            self.namespaces.retain(|_, turn| turn.ready);
        }
    }
}

/// Something with a pass; the greatest of a heap is the one with the least.
struct Next<T> {
    pass: f64,
    of: T,
}

impl<T> Next<T> {
    /// Charges `count` executions, and returns the pass at which the last of them
    /// was given.
    fn advance(&mut self, count: usize, weight: u16) -> f64 {
        let step = 1.0 / f64::from(weight.max(1));
        let last = self.pass + count.saturating_sub(1) as f64 * step;
        self.pass = last + step;
        last
    }
}

impl<T> Ord for Next<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.pass.total_cmp(&self.pass)
    }
}

impl<T> PartialOrd for Next<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Next<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Next<T> {}

struct Lane<'a> {
    server: &'a Server,
    turns: LaneTurns,
    waiting: BinaryHeap<Next<Namespace>>,
}

struct Namespace {
    name: String,
    weight: u16,
    given: usize,
}

impl Lane<'_> {
    /// Gives `count` executions to the namespaces that wait.
    fn give(&mut self, count: usize) {
        let mut left = count;
        while left > 0 {
            let alone = self.waiting.len() == 1;
            let Some(mut next) = self.waiting.peek_mut() else {
                return;
            };
            let count = if alone { left } else { 1 };
            let weight = next.of.weight;
            self.turns.clock = next.advance(count, weight);
            next.of.given += count;
            left -= count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(lanes: &[(&str, u16)]) -> Vec<Server> {
        lanes
            .iter()
            .map(|(lane, weight)| Server {
                lane: (*lane).to_owned(),
                weight: *weight,
            })
            .collect()
    }

    fn equal(_: &str) -> u16 {
        WEIGHT_DEFAULT
    }

    /// Turns in which these namespaces have work.
    fn turns(servers: &[Server], ready: &[(&str, &str)]) -> Turns {
        let mut turns = Turns::default();
        come(&mut turns, servers, ready);
        turns
    }

    fn come(turns: &mut Turns, servers: &[Server], ready: &[(&str, &str)]) {
        let met = ready
            .iter()
            .map(|(lane, namespace)| ((*lane).to_owned(), (*namespace).to_owned()))
            .collect();
        turns.met(&turns.look(servers, true), met);
    }

    /// What each gets of claims that always bring what they ask for.
    fn served(
        turns: &mut Turns,
        servers: &[Server],
        weight_of: impl Fn(&str) -> u16 + Copy,
        claims: usize,
        most: usize,
    ) -> HashMap<(String, String), usize> {
        let mut given = HashMap::new();
        for _ in 0..claims {
            let shares = turns.share(servers, weight_of, most);
            assert_eq!(shares.iter().map(|share| share.most).sum::<usize>(), most);
            let brought = shares
                .iter()
                .map(|share| ((share.lane.as_str(), share.namespace.as_str()), share.most))
                .collect();
            assert!(!turns.settle(servers, weight_of, &shares, &brought));
            for share in shares {
                *given.entry((share.lane, share.namespace)).or_default() += share.most;
            }
        }
        given
    }

    #[test]
    fn lanes_share_one_claim_and_many_small_ones_by_weight() {
        let servers = servers(&[("a", 300), ("b", 100)]);
        let ready = [("a", "x"), ("b", "x")];
        for (claims, most) in [(1, 64), (64, 1), (21, 3)] {
            let given = served(&mut turns(&servers, &ready), &servers, equal, claims, most);
            let a = given[&("a".into(), "x".into())];
            let whole = claims * most;
            assert!(a.abs_diff(whole * 3 / 4) <= 1, "{a} of {whole}");
        }
    }

    #[test]
    fn namespaces_share_their_lane_by_weight_whatever_other_lanes_hold() {
        let servers = servers(&[("a", 100), ("b", 100)]);
        let weight = |namespace: &str| if namespace == "x" { 500 } else { 100 };
        let ready = [("a", "x"), ("a", "y"), ("b", "z")];
        let given = served(&mut turns(&servers, &ready), &servers, weight, 10, 60);
        assert_eq!(given[&("b".into(), "z".into())], 300);
        assert_eq!(given[&("a".into(), "x".into())], 250);
        assert_eq!(given[&("a".into(), "y".into())], 50);
    }

    #[test]
    fn the_least_weight_is_served_and_many_namespaces_take_turns() {
        let two = servers(&[("a", 1000), ("b", 1)]);
        let given = served(
            &mut turns(&two, &[("a", "x"), ("b", "x")]),
            &two,
            equal,
            2002,
            1,
        );
        assert_eq!(given[&("b".into(), "x".into())], 2);
        let one = servers(&[("a", 100)]);
        let names: Vec<String> = (0..50).map(|n| format!("n{n:02}")).collect();
        let ready: Vec<_> = names.iter().map(|name| ("a", name.as_str())).collect();
        let given = served(&mut turns(&one, &ready), &one, equal, 25, 4);
        assert_eq!(given.len(), 50);
        assert!(given.values().all(|count| *count == 2), "{given:?}");
    }

    #[test]
    fn what_one_does_not_use_goes_to_others_and_is_no_debt() {
        let servers = servers(&[("a", 100), ("b", 100)]);
        let mut turns = turns(&servers, &[("a", "x"), ("b", "x")]);
        let shares = turns.share(&servers, equal, 64);
        let brought = HashMap::from([(("a", "x"), 32)]);
        assert!(!turns.settle(&servers, equal, &shares, &brought));
        // Only `a` is known to have more.
        let more = served(&mut turns, &servers, equal, 10, 32);
        assert_eq!(more[&("a".into(), "x".into())], 320);
        // `b` comes back: half is its share from now on, nothing for before.
        come(&mut turns, &servers, &[("b", "x")]);
        let both = served(&mut turns, &servers, equal, 10, 10);
        let b = both[&("b".into(), "x".into())];
        assert!((49..=51).contains(&b), "{both:?}");
    }

    #[test]
    fn a_namespace_that_comes_is_served_at_once() {
        let servers = servers(&[("a", 100)]);
        let mut turns = turns(&servers, &[("a", "noisy")]);
        served(&mut turns, &servers, equal, 1000, 500);
        come(&mut turns, &servers, &[("a", "noisy"), ("a", "quiet")]);
        let first = served(&mut turns, &servers, equal, 1, 4);
        assert!(first[&("a".into(), "quiet".into())] >= 1, "{first:?}");
    }

    #[test]
    fn a_look_goes_on_where_the_last_one_stopped() {
        let servers = servers(&[("a", 100)]);
        let names: Vec<String> = (0..LOOK_MAX).map(|n| format!("n{n:02}")).collect();
        let ready: Vec<_> = names.iter().map(|name| ("a", name.as_str())).collect();
        let mut turns = turns(&servers, &ready);
        assert_eq!(turns.look(&servers, true)[0].after, "n63");
        come(&mut turns, &servers, &[("a", "z")]);
        assert_eq!(turns.look(&servers, true)[0].after, "");
        assert!(turns.look(&servers, false).is_empty(), "it was just done");
    }

    #[test]
    fn namespaces_without_work_are_forgotten_when_they_are_many() {
        let servers = servers(&[("a", 100)]);
        let mut turns = Turns::default();
        for round in 0..100 {
            let names: Vec<String> = (0..60).map(|n| format!("{round}-{n:02}")).collect();
            let ready: Vec<_> = names.iter().map(|name| ("a", name.as_str())).collect();
            come(&mut turns, &servers, &ready);
            let shares = turns.share(&servers, equal, 500);
            assert!(turns.settle(&servers, equal, &shares, &HashMap::new()));
        }
        assert!(turns.lanes["a"].namespaces.len() <= 2 * REMEMBERED_MAX);
        assert!(turns.share(&servers, equal, 500).is_empty());
    }
}
