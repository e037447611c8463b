//! The fair-share scheduler under claims that take all or less than their shares.

use super::*;

fn serving(lanes: &[(&str, u16)]) -> Vec<ServingLane> {
    lanes
        .iter()
        .map(|(lane, weight)| ServingLane {
            name: (*lane).to_owned(),
            weight: *weight,
        })
        .collect()
}

fn equal(_: &str) -> u16 {
    WEIGHT_DEFAULT
}

/// A scheduler that knows that these namespaces have work.
fn scheduler(serving: &[ServingLane], ready: &[(&str, &str)]) -> Scheduler {
    let mut scheduler = Scheduler::default();
    find(&mut scheduler, serving, ready);
    scheduler
}

fn find(scheduler: &mut Scheduler, serving: &[ServingLane], ready: &[(&str, &str)]) {
    let found = ready
        .iter()
        .map(|(lane, namespace)| ((*lane).to_owned(), (*namespace).to_owned()))
        .collect();
    scheduler.found(&scheduler.probes(serving, true), found);
}

/// Returns what each namespace gets of claims that always take their shares.
fn served(
    scheduler: &mut Scheduler,
    serving: &[ServingLane],
    weight_of: impl Fn(&str) -> u16 + Copy,
    claims: usize,
    max: usize,
) -> HashMap<(String, String), usize> {
    let mut given = HashMap::new();
    for _ in 0..claims {
        let shares = scheduler.share(serving, None, weight_of, max);
        assert_eq!(shares.iter().map(|share| share.max).sum::<usize>(), max);
        let taken = shares
            .iter()
            .map(|share| ((share.lane.as_str(), share.namespace.as_str()), share.max))
            .collect();
        assert!(!scheduler.settle(serving, weight_of, &shares, &taken));
        for share in shares {
            *given.entry((share.lane, share.namespace)).or_default() += share.max;
        }
    }
    given
}

#[test]
fn lanes_share_one_claim_and_many_small_ones_by_weight() {
    let serving = serving(&[("a", 300), ("b", 100)]);
    let ready = [("a", "x"), ("b", "x")];
    for (claims, max) in [(1, 64), (64, 1), (21, 3)] {
        let given = served(
            &mut scheduler(&serving, &ready),
            &serving,
            equal,
            claims,
            max,
        );
        let a = given[&("a".into(), "x".into())];
        let whole = claims * max;
        assert!(a.abs_diff(whole * 3 / 4) <= 1, "{a} of {whole}");
    }
}

#[test]
fn namespaces_share_their_lane_by_weight_independent_of_other_lanes() {
    let serving = serving(&[("a", 100), ("b", 100)]);
    let weight = |namespace: &str| if namespace == "x" { 500 } else { 100 };
    let ready = [("a", "x"), ("a", "y"), ("b", "z")];
    let given = served(&mut scheduler(&serving, &ready), &serving, weight, 10, 60);
    assert_eq!(given[&("b".into(), "z".into())], 300);
    assert_eq!(given[&("a".into(), "x".into())], 250);
    assert_eq!(given[&("a".into(), "y".into())], 50);
}

#[test]
fn the_lowest_weight_is_served_and_many_namespaces_are_served_in_rotation() {
    let two = serving(&[("a", 1000), ("b", 1)]);
    let given = served(
        &mut scheduler(&two, &[("a", "x"), ("b", "x")]),
        &two,
        equal,
        2002,
        1,
    );
    assert_eq!(given[&("b".into(), "x".into())], 2);
    let one = serving(&[("a", 100)]);
    let names: Vec<String> = (0..50).map(|n| format!("n{n:02}")).collect();
    let ready: Vec<_> = names.iter().map(|name| ("a", name.as_str())).collect();
    let given = served(&mut scheduler(&one, &ready), &one, equal, 25, 4);
    assert_eq!(given.len(), 50);
    assert!(given.values().all(|count| *count == 2), "{given:?}");
}

#[test]
fn an_unused_share_is_given_to_others_and_is_not_owed_later() {
    let serving = serving(&[("a", 100), ("b", 100)]);
    let mut scheduler = scheduler(&serving, &[("a", "x"), ("b", "x")]);
    let shares = scheduler.share(&serving, None, equal, 64);
    let taken = HashMap::from([(("a", "x"), 32)]);
    assert!(!scheduler.settle(&serving, equal, &shares, &taken));
    // Only `a` is known to have more.
    let more = served(&mut scheduler, &serving, equal, 10, 32);
    assert_eq!(more[&("a".into(), "x".into())], 320);
    // `b` returns: its share is half from now on, and nothing for the time before.
    find(&mut scheduler, &serving, &[("b", "x")]);
    let both = served(&mut scheduler, &serving, equal, 10, 10);
    let b = both[&("b".into(), "x".into())];
    assert!((49..=51).contains(&b), "{both:?}");
}

#[test]
fn a_new_namespace_is_served_immediately() {
    let serving = serving(&[("a", 100)]);
    let mut scheduler = scheduler(&serving, &[("a", "noisy")]);
    served(&mut scheduler, &serving, equal, 1000, 500);
    find(&mut scheduler, &serving, &[("a", "noisy"), ("a", "quiet")]);
    let first = served(&mut scheduler, &serving, equal, 1, 4);
    assert!(first[&("a".into(), "quiet".into())] >= 1, "{first:?}");
}

#[test]
fn a_probe_continues_where_the_last_one_stopped() {
    let serving = serving(&[("a", 100)]);
    let names: Vec<String> = (0..PROBE_MAX).map(|n| format!("n{n:02}")).collect();
    let ready: Vec<_> = names.iter().map(|name| ("a", name.as_str())).collect();
    let mut scheduler = scheduler(&serving, &ready);
    assert_eq!(scheduler.probes(&serving, true)[0].after, "n63");
    find(&mut scheduler, &serving, &[("a", "z")]);
    assert_eq!(scheduler.probes(&serving, true)[0].after, "");
    assert!(
        scheduler.probes(&serving, false).is_empty(),
        "it was just done"
    );
}

#[test]
fn namespaces_without_work_are_forgotten_when_they_are_many() {
    let serving = serving(&[("a", 100)]);
    let mut scheduler = Scheduler::default();
    for round in 0..100 {
        let names: Vec<String> = (0..60).map(|n| format!("{round}-{n:02}")).collect();
        let ready: Vec<_> = names.iter().map(|name| ("a", name.as_str())).collect();
        find(&mut scheduler, &serving, &ready);
        let shares = scheduler.share(&serving, None, equal, 500);
        assert!(scheduler.settle(&serving, equal, &shares, &HashMap::new()));
    }
    assert!(scheduler.lanes["a"].namespaces.len() <= 2 * REMEMBERED_MAX);
    assert!(scheduler.share(&serving, None, equal, 500).is_empty());
}
