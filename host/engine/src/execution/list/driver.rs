//! What finds the candidates of a list: indexes and small tables.

use super::{ListFilter, ListOrder, TimeRange};

/// What finds candidates, each by a statement of its own, in the order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    /// The tables that hold the states asked for.
    States,
    /// The index of labels.
    Label,
    /// The index of kinds.
    Kind,
    /// The index of namespaces.
    Namespace,
    /// The ids of all executions.
    Newest,
    /// The index of ends, by outcome.
    Ends,
}

/// The drivers that a filter has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Drivers {
    /// At least one; those that tend to find fewest executions come first.
    pub(super) all: Vec<Driver>,
    /// Whether the only one finds what the filter admits and nothing else.
    pub(super) exact: bool,
}

/// Returns the drivers of a filter.
pub(super) fn drivers(filter: &ListFilter) -> Drivers {
    let all = match filter.order() {
        ListOrder::Finished => vec![Driver::Ends],
        ListOrder::Created => {
            let of = [
                (!filter.states.is_empty()).then_some(Driver::States),
                filter.tag.as_ref().map(|_| Driver::Label),
                filter.kind.as_ref().map(|_| Driver::Kind),
                filter.namespace.as_ref().map(|_| Driver::Namespace),
            ];
            let given: Vec<_> = of.into_iter().flatten().collect();
            if given.is_empty() {
                vec![Driver::Newest]
            } else {
                given
            }
        }
    };
    let mut rest = filter.clone();
    match all[0] {
        Driver::States => rest.states.clear(),
        Driver::Label => rest.tag = None,
        Driver::Kind => rest.kind = None,
        Driver::Namespace => rest.namespace = None,
        Driver::Newest => {}
        Driver::Ends => {
            rest.states.clear();
            rest.finished = TimeRange::default();
        }
    }
    Drivers {
        exact: rest == ListFilter::default(),
        all,
    }
}

#[cfg(test)]
mod tests {
    use model::PublicState;

    use super::Driver::{Ends, Kind, Label, Namespace, Newest, States};
    use super::*;

    /// A filter by the fields that the letters name.
    fn filter(fields: &str) -> ListFilter {
        let has = |field| fields.contains(field);
        let text = |field| has(field).then(|| "x".to_owned());
        let range = |field| TimeRange {
            from: has(field).then(|| "2026-01-01T00:00:00Z".parse().expect("a time")),
            before: None,
        };
        ListFilter {
            namespace: text('n'),
            states: has('s')
                .then_some(PublicState::Failed)
                .into_iter()
                .collect(),
            kind: text('k'),
            lane: text('l'),
            tag: text('t').zip(text('t')),
            creator: text('c'),
            created: range('>'),
            finished: range('<'),
        }
    }

    #[test]
    fn every_filter_that_has_an_index_drives() {
        for (fields, all, exact) in [
            ("", vec![Newest], true),
            ("s", vec![States], true),
            ("t", vec![Label], true),
            ("k", vec![Kind], true),
            ("n", vec![Namespace], true),
            ("l", vec![Newest], false),
            ("c", vec![Newest], false),
            (">", vec![Newest], false),
            ("<", vec![Ends], true),
            ("s>", vec![States], false),
            ("k>", vec![Kind], false),
            ("sl", vec![States], false),
            ("sk", vec![States, Kind], false),
            ("tn", vec![Label, Namespace], false),
            ("stkn", vec![States, Label, Kind, Namespace], false),
            ("s<", vec![Ends], true),
            ("><", vec![Ends], false),
            ("k<", vec![Ends], false),
            ("t<", vec![Label], false),
            ("st<", vec![States, Label], false),
        ] {
            assert_eq!(drivers(&filter(fields)), Drivers { all, exact }, "{fields}");
        }
    }
}
