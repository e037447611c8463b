//! The fair-share scheduler: how a claim is shared between lanes, and within a lane
//! between namespaces, by their weights.
//!
//! Each lane, and each namespace of a lane, has a *pass*: the number of executions it
//! was given so far, divided by its weight. The next execution is taken from the one
//! with the lowest pass, so over time each gets its share, also when claims are small. A
//! lane or namespace that had nothing waiting returns at the pass of those that are
//! served now: it is served soon, and is not owed the time it was away. A share that is
//! not used is given to the others.
//!
//! This is the memory of one host about one partition, and a hint: which namespaces have
//! work is found by a probe of the queue, every [`PROBE_EVERY`] and when nothing is
//! known. Hosts need not agree; each shares fairly what it claims.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::time::{Duration, Instant};

/// Longest a namespace that has work goes unnoticed on a host that claims, for each
/// [`LANES_AT_ONCE`] lanes it serves.
const PROBE_EVERY: Duration = Duration::from_millis(20);
/// Lanes that are probed at the cost of one claim.
const LANES_AT_ONCE: usize = 64;
/// Most namespaces of a lane that one probe finds; the next one continues after them.
pub(crate) const PROBE_MAX: usize = 64;
/// Namespaces of a lane whose pass is remembered while they have no work.
const REMEMBERED_MAX: usize = 1024;
/// The weight of a lane or namespace that was given none.
pub(super) const WEIGHT_DEFAULT: u16 = 100;

/// A lane that serves, and its weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServingLane {
    pub(crate) name: String,
    pub(crate) weight: u16,
}

/// Most executions that a claim takes from one namespace of one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) lane: String,
    pub(crate) namespace: String,
    pub(crate) max: usize,
}

/// A search of one lane for namespaces that have work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) lane: String,
    /// The search begins after this namespace.
    pub(crate) after: String,
}

/// The scheduler of one partition.
#[derive(Default)]
pub(crate) struct Scheduler {
    lanes: HashMap<String, LanePass>,
    /// Pass of the lane served last.
    clock: f64,
}

#[derive(Default)]
struct LanePass {
    pass: f64,
    namespaces: BTreeMap<String, NamespacePass>,
    /// Pass of the namespace served last.
    clock: f64,
    /// Time of the last probe; absent before the first.
    probed_at: Option<Instant>,
    /// The next probe begins after this namespace.
    probe_after: String,
}

#[derive(Default)]
struct NamespacePass {
    pass: f64,
    /// Whether the last probe or claim found work in it.
    ready: bool,
}

impl Scheduler {
    /// Returns the probes to make: of the lanes that were not probed for a while, or of
    /// `all`.
    pub(crate) fn probes(&self, serving: &[ServingLane], all: bool) -> Vec<Probe> {
        let every = PROBE_EVERY.mul_f64((serving.len() as f64 / LANES_AT_ONCE as f64).max(1.0));
        let due = |lane: &LanePass| lane.probed_at.is_none_or(|at| at.elapsed() >= every);
        serving
            .iter()
            .filter_map(|lane| {
                let known = self.lanes.get(&lane.name);
                (all || known.is_none_or(due)).then(|| Probe {
                    lane: lane.name.clone(),
                    after: known.map(|it| it.probe_after.clone()).unwrap_or_default(),
                })
            })
            .collect()
    }

    /// Notes the lanes and namespaces that probes found, in each lane in the order of
    /// the namespaces.
    pub(crate) fn found(&mut self, probes: &[Probe], found: Vec<(String, String)>) {
        let mut count: HashMap<String, usize> = HashMap::new();
        for probe in probes {
            let lane = self.lanes.entry(probe.lane.clone()).or_default();
            lane.probed_at = Some(Instant::now());
            lane.probe_after.clear();
        }
        for (name, namespace) in found {
            let lane = self.lanes.entry(name.clone()).or_default();
            let count = count.entry(name).or_default();
            *count += 1;
            if *count == PROBE_MAX {
                lane.probe_after.clone_from(&namespace);
            }
            lane.has_work(namespace);
        }
    }

    /// Notes lanes and namespaces that have work, found without a probe of the lanes.
    pub(crate) fn have_work(&mut self, found: Vec<(String, String)>) {
        for (lane, namespace) in found {
            self.lanes.entry(lane).or_default().has_work(namespace);
        }
    }

    /// Shares `max` executions between the namespaces that have work, or those of them that
    /// are `within` what the claim may take. Charges them immediately, so that a concurrent
    /// claim continues after this one; [`Self::settle`] returns what they did not use.
    pub(crate) fn share(
        &mut self,
        serving: &[ServingLane],
        within: Option<&BTreeSet<String>>,
        weight_of: impl Fn(&str) -> u16,
        max: usize,
    ) -> Vec<Share> {
        let mut lanes: BinaryHeap<Next<Lane<'_>>> = BinaryHeap::new();
        for lane in serving {
            let Some(known) = self.lanes.remove(&lane.name) else {
                continue;
            };
            let waiting: BinaryHeap<Next<Namespace>> = known
                .namespaces
                .iter()
                .filter(|(name, namespace)| {
                    namespace.ready && within.is_none_or(|within| within.contains(*name))
                })
                .map(|(name, namespace)| Next {
                    pass: namespace.pass,
                    of: Namespace {
                        weight: weight_of(name).max(1),
                        name: name.clone(),
                        given: 0,
                    },
                })
                .collect();
            let pass = known.pass.max(self.clock);
            lanes.push(Next {
                pass: if waiting.is_empty() { f64::MAX } else { pass },
                of: Lane {
                    serving: lane,
                    known,
                    waiting,
                },
            });
        }
        let mut left = max;
        while left > 0 {
            let Some(mut next) = lanes.pop() else { break };
            if next.of.waiting.is_empty() {
                lanes.push(next);
                break;
            }
            // A lane that is alone gets the rest.
            let alone = lanes.peek().is_none_or(|other| other.of.waiting.is_empty());
            let count = if alone { left } else { 1 };
            self.clock = next.advance(count, next.of.serving.weight);
            next.of.give(count);
            left -= count;
            lanes.push(next);
        }
        let mut shares = Vec::new();
        for Next { pass, of: lane } in lanes {
            let Lane {
                serving,
                mut known,
                waiting,
            } = lane;
            if !waiting.is_empty() {
                known.pass = pass;
            }
            for Next { pass, of } in waiting {
                if of.given > 0 {
                    shares.push(Share {
                        lane: serving.name.clone(),
                        namespace: of.name.clone(),
                        max: of.given,
                    });
                }
                known.namespaces.entry(of.name).or_default().pass = pass;
            }
            self.lanes.insert(serving.name.clone(), known);
        }
        shares
    }

    /// Notes what a claim of these shares took: the charge for the rest is returned, and
    /// a namespace that had less than its share has nothing left. Returns whether all of
    /// them had less.
    pub(crate) fn settle(
        &mut self,
        serving: &[ServingLane],
        weight_of: impl Fn(&str) -> u16,
        shares: &[Share],
        taken: &HashMap<(&str, &str), usize>,
    ) -> bool {
        let mut all_short = true;
        for share in shares {
            let of = (share.lane.as_str(), share.namespace.as_str());
            let unused = share.max - taken.get(&of).copied().unwrap_or(0).min(share.max);
            let Some(lane) = self.lanes.get_mut(&share.lane) else {
                continue;
            };
            if unused == 0 {
                all_short = false;
                continue;
            }
            let weight = serving
                .iter()
                .find(|lane| lane.name == share.lane)
                .map_or(WEIGHT_DEFAULT, |lane| lane.weight);
            lane.pass -= unused as f64 / f64::from(weight.max(1));
            if let Some(namespace) = lane.namespaces.get_mut(&share.namespace) {
                namespace.pass -= unused as f64 / f64::from(weight_of(&share.namespace).max(1));
                namespace.ready = false;
            }
            lane.forget_some();
        }
        all_short
    }
}

impl LanePass {
    fn has_work(&mut self, namespace: String) {
        let clock = self.clock;
        let namespace = self.namespaces.entry(namespace).or_default();
        if !std::mem::replace(&mut namespace.ready, true) {
            namespace.pass = namespace.pass.max(clock);
        }
    }

    /// Forgets namespaces without work that would return at the clock in any case, and
    /// all of them when there are too many.
    fn forget_some(&mut self) {
        if self.namespaces.len() > REMEMBERED_MAX {
            let clock = self.clock;
            self.namespaces
                .retain(|_, namespace| namespace.ready || namespace.pass > clock);
        }
        if self.namespaces.len() > 2 * REMEMBERED_MAX {
            self.namespaces.retain(|_, namespace| namespace.ready);
        }
    }
}

/// A lane or a namespace with its pass; the greatest of a heap has the lowest pass.
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
    serving: &'a ServingLane,
    known: LanePass,
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
            self.known.clock = next.advance(count, weight);
            next.of.given += count;
            left -= count;
        }
    }
}

#[cfg(test)]
mod tests;
