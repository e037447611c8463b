//! A handler that suspends, creates waitpoints and sends signals as its input says,
//! mostly against the rules:
//!
//! | input | does |
//! |---|---|
//! | `empty`, `dangling`, `cycle`, `shared`, `deep`, `huge` | suspends on a condition that is not a tree, or is too large |
//! | `mentions` | suspends on a condition that names 5000 waitpoints |
//! | `bindings` | binds 1000 waitpoints |
//! | `binding` | binds a waitpoint with a malformed id |
//! | `stranger` | binds a waitpoint that does not exist |
//! | `state` | saves a state of 2 MiB |
//! | `never` | suspends until a malformed time |
//! | `yesterday` | suspends until a time that has passed |
//! | `pointless` | sets a timeout behavior and no time limit |
//! | `nobody` | waits for a time limit and sets none |
//! | `waitpoints` | creates 1000 waitpoints |
//! | `forge` | sends signals with forged tokens |
//! | `flood` | sends a signal of 1 MiB, and one with a name of 1 MiB |
//! | `send TOKEN` | sends a signal with that token |
//! | `late` | completes, and then suspends |
//! | `twice` | suspends, suspends again in another way, and sends itself the answer |
//! | `early` | sends itself a signal before it suspends |
//! | `crash` | suspends, and panics when it is resumed in its first attempt |
//! | `linger` | suspends, and does not end when it is resumed in its first attempt |
//!
//! Completes with the answer. If it suspends, it waits at the waitpoint `a`, and
//! completes with its state and the received signals when it is resumed.

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

use std::thread::sleep;
use std::time::Duration;

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::{Lease, current};
use flowhost::engine::complete::complete;
use flowhost::engine::log::{Level, log};
use flowhost::engine::signal::{Signal, observe};
use flowhost::engine::suspend::{
    Binding, Condition, Count, CountKind, Matcher, Request, Resumption, Single, SuspendError,
    Suspended, TimeoutBehavior, create_waitpoint, resumed,
};
use flowhost::engine::types::Payload;

const MANY: u32 = 1000;
const MIB: usize = 1 << 20;
const TICK: Duration = Duration::from_millis(10);

struct Restless;

impl Guest for Restless {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let lease = current();
        let input = String::from_utf8_lossy(task.input.data.trim_ascii()).into_owned();
        if let Some(resumption) = resumed(&lease) {
            return Ok(resume(&lease, &task, &input, &resumption));
        }
        let said = match input.as_str() {
            "empty" => on(&lease, &[]),
            "dangling" => on(&lease, &[Condition::AllOf(vec![u32::MAX])]),
            "cycle" => on(
                &lease,
                &[
                    Condition::OperatorOnly,
                    Condition::AllOf(vec![2]),
                    Condition::AllOf(vec![1]),
                ],
            ),
            "shared" => on(&lease, &[Condition::AllOf(vec![1, 1]), at("a")]),
            "deep" => {
                let mut nodes: Vec<_> = (1..200).map(|next| Condition::AllOf(vec![next])).collect();
                nodes.push(at("a"));
                on(&lease, &nodes)
            }
            "huge" => {
                let mut nodes = vec![Condition::AllOf((1..=MANY).collect())];
                nodes.extend((0..MANY).map(|_| at("a")));
                on(&lease, &nodes)
            }
            "mentions" => on(
                &lease,
                &[Condition::Count(Count {
                    n: 1,
                    kind: CountKind::DistinctSignals,
                    matcher: None,
                    waitpoints: vec!["a".into(); 5000],
                })],
            ),
            "bindings" => {
                let request = Request::new(&[at("a")]);
                for number in 0..MANY {
                    request.add_waitpoint(&Binding::Keyed(number.to_string()));
                }
                describe(request.suspend(&lease, None))
            }
            "binding" => bound_to(&lease, "no id"),
            "stranger" => bound_to(&lease, "00000000-0000-0000-0000-00000000beef"),
            "state" => {
                let state = text(&"s".repeat(2 * MIB));
                describe(Request::new(&[at("a")]).suspend(&lease, Some(&state)))
            }
            "never" => until(&lease, f64::NAN),
            "yesterday" => until(&lease, 1.0),
            "pointless" => {
                let request = Request::new(&[at("a")]);
                request.set_timeout_behavior(TimeoutBehavior::Cancel);
                describe(request.suspend(&lease, None))
            }
            "nobody" => on(&lease, &[Condition::TimeoutOnly]),
            "waitpoints" => hoard(&lease),
            "forge" => ["", "v1", "v1.k.AAAA.AAAA", &"x".repeat(MIB)]
                .map(|token| send(Signal::new("x"), token))
                .join("\n"),
            "flood" => {
                let signal = Signal::new("x");
                signal.set_payload(&text(&"p".repeat(MIB)));
                let named = Signal::new(&"n".repeat(MIB));
                format!("{}\n{}", send(signal, "v1"), send(named, "v1"))
            }
            "late" => {
                complete(&lease, &text("done")).expect("the lease holds");
                log(Level::Info, &on(&lease, &[at("a")]));
                return Ok(Outcome::Recorded);
            }
            "twice" => return Ok(twice(&lease)),
            "early" => early(&lease),
            "crash" | "linger" => {
                let state = text("put down");
                match Request::new(&[at("a")]).suspend(&lease, Some(&state)) {
                    Ok(Suspended::Suspended(_)) => return Ok(Outcome::Recorded),
                    other => describe(other),
                }
            }
            other => match other.strip_prefix("send ") {
                Some(token) => send(Signal::new("hello"), token),
                None => format!("unknown input {other}"),
            },
        };
        Ok(Outcome::Completed(text(&said)))
    }
}

fn resume(lease: &Lease, task: &Task, input: &str, resumption: &Resumption) -> Outcome {
    if task.attempt_index == 0 {
        match input {
            "crash" => panic!("asked to crash"),
            "linger" => loop {
                sleep(TICK);
            },
            _ => {}
        }
    }
    let read = |payload: &Option<Payload>| match payload {
        Some(payload) => String::from_utf8_lossy(&payload.data).into_owned(),
        None => "nothing".to_owned(),
    };
    let signals: Vec<_> = resumption
        .signals
        .iter()
        .map(|signal| {
            format!(
                "{} from {}: {}",
                signal.name,
                signal.source_type,
                read(&signal.payload)
            )
        })
        .collect();
    let observed = observe(lease, 0).map(|signals| signals.len());
    let said = format!(
        "{:?} with {} and [{}], observed {observed:?}",
        resumption.reason,
        read(&resumption.state),
        signals.join(", ")
    );
    Outcome::Completed(text(&said))
}

fn at(key: &str) -> Condition {
    Condition::Single(Single {
        waitpoint_key: key.into(),
        matcher: Matcher::Wildcard,
    })
}

fn on(lease: &Lease, condition: &[Condition]) -> String {
    describe(Request::new(condition).suspend(lease, None))
}

fn bound_to(lease: &Lease, id: &str) -> String {
    let request = Request::new(&[at("a")]);
    request.add_waitpoint(&Binding::UsePending(id.into()));
    describe(request.suspend(lease, None))
}

fn until(lease: &Lease, at_ms: f64) -> String {
    let request = Request::new(&[at("a")]);
    request.set_timeout_at(at_ms);
    describe(request.suspend(lease, None))
}

fn hoard(lease: &Lease) -> String {
    for number in 0..MANY {
        if let Err(error) = create_waitpoint(lease, &number.to_string(), None, &[]) {
            return format!("{number}: {error:?}");
        }
    }
    format!("made {MANY}")
}

fn twice(lease: &Lease) -> Outcome {
    let first = Request::new(&[at("a")]);
    let began = match first.suspend(lease, Some(&text("first"))) {
        Ok(Suspended::Suspended(began)) => began,
        other => return Outcome::Completed(text(&describe(other))),
    };
    let second = on(lease, &[at("b")]);
    let answer = Signal::new("answer");
    answer.set_payload(&text(&second));
    let sent = send(answer, &began.waitpoints[0].token);
    log(Level::Info, &format!("{second}\n{sent}"));
    Outcome::Recorded
}

fn early(lease: &Lease) -> String {
    let made = create_waitpoint(lease, "a", None, &[]).expect("the lease holds");
    let signal = Signal::new("hello");
    signal.set_payload(&text("from before"));
    let sent = send(signal, &made.token);
    let request = Request::new(&[at("a")]);
    request.add_waitpoint(&Binding::UsePending(made.id));
    format!("{sent}\n{}", describe(request.suspend(lease, None)))
}

fn send(signal: Signal, token: &str) -> String {
    format!("{:?}", signal.deliver(token).map(|sent| sent.effect))
}

fn describe(answer: Result<Suspended, SuspendError>) -> String {
    match answer {
        Ok(Suspended::Suspended(_)) => "suspended".to_owned(),
        Ok(Suspended::AlreadySatisfied(satisfied)) => {
            let names: Vec<_> = satisfied
                .resumption
                .signals
                .iter()
                .map(|it| it.name.as_str())
                .collect();
            format!("already satisfied by {}", names.join(", "))
        }
        Err(error) => format!("{error:?}"),
    }
}

fn text(text: &str) -> Payload {
    Payload {
        content_type: "text/plain".into(),
        data: text.as_bytes().to_vec(),
    }
}

export!(Restless);
