//! What a puppet is told to do: acts one after the other, then an end. Texts are
//! given with how often they are repeated, so that a short input asks for much.

#[path = "flow_acts.rs"]
mod flow_acts;

use std::io::Write as _;
use std::thread::sleep;
use std::time::Duration;

use flow_acts::FlowAct;
use serde::Deserialize;

use crate::flowhost::engine::claim::Lease;
use crate::flowhost::engine::complete;
use crate::flowhost::engine::executions::{self, Request};
use crate::flowhost::engine::log::{Level, log};
use crate::flowhost::engine::signal::Signal;
use crate::flowhost::engine::streams::{self, Frame, Mode};
use crate::flowhost::engine::suspend::{self, Condition, Matcher, Single};
use crate::flowhost::engine::types::{Failure, FailureClass, Payload};

/// The input.
#[derive(Deserialize)]
pub struct Script {
    /// What to do first.
    #[serde(default)]
    pub acts: Vec<Act>,
    /// How to end.
    pub end: End,
    /// What to do under every later lease, to complete with the answers.
    #[serde(default)]
    pub then: Option<Vec<Act>>,
}

/// A text and how often it is repeated.
#[derive(Deserialize)]
pub struct Text(String, usize);

impl Text {
    /// Returns the whole text.
    pub fn text(&self) -> String {
        self.0.repeat(self.1)
    }
}

/// A media type and the bytes of a text.
#[derive(Deserialize)]
pub struct Bytes(Text, Text);

impl Bytes {
    /// Returns the payload.
    pub fn payload(&self) -> Payload {
        Payload {
            content_type: self.0.text(),
            data: self.1.text().into_bytes(),
        }
    }
}

/// A failure: class by number, code and message.
#[derive(Deserialize)]
pub struct Fault(u8, Text, Text);

impl Fault {
    /// Returns the failure.
    pub fn failure(&self) -> Failure {
        Failure {
            class: match self.0 {
                0 => FailureClass::Transient,
                1 => FailureClass::Permanent,
                2 => FailureClass::InfraCrash,
                3 => FailureClass::Timeout,
                _ => FailureClass::Cancelled,
            },
            code: self.1.text(),
            message: self.2.text(),
        }
    }
}

/// How it ends.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With a result.
    Completed(Bytes),
    /// With what the acts were answered, a line each.
    Answers,
    /// With a failure; a service returns its message.
    Failed(Fault),
    /// Saying that the end is recorded; a service drops the lease.
    Recorded,
    /// With a panic.
    Panic(Text),
    /// By ending the process.
    Exit,
}

/// What a request may have besides kind, input, lane and labels.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Extra {
    policy: Option<Text>,
    capabilities: Option<Vec<Text>>,
    id: Option<Text>,
    deadline_at: Option<f64>,
    delay_ms: Option<u64>,
    delay_until: Option<f64>,
    priority: Option<u16>,
    idempotency_key: Option<Text>,
}

impl Extra {
    fn request(&self) -> Request {
        let request = Request::new(
            "echo",
            &Payload {
                content_type: String::new(),
                data: b"asked for".to_vec(),
            },
        );
        if let Some(policy) = &self.policy {
            request.set_policy(&policy.text());
        }
        if let Some(capabilities) = &self.capabilities {
            let capabilities: Vec<_> = capabilities.iter().map(Text::text).collect();
            request.set_required_capabilities(&capabilities);
        }
        if let Some(id) = &self.id {
            request.set_id(&id.text());
        }
        if let Some(deadline_at) = self.deadline_at {
            request.set_deadline(deadline_at);
        }
        if let Some(delay_ms) = self.delay_ms {
            request.set_delay_ms(delay_ms);
        }
        if let Some(delay_until) = self.delay_until {
            request.set_delay_until(delay_until);
        }
        if let Some(priority) = self.priority {
            request.set_priority(priority);
        }
        if let Some(key) = &self.idempotency_key {
            request.set_idempotency_key(&key.text());
        }
        request
    }
}

/// A frame: type and payload, and what else it has.
#[derive(Deserialize)]
pub struct Piece(Text, Text, #[serde(default)] Rest);

/// What a frame has besides its type and its payload.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rest {
    /// Whether it is a patch of the summary.
    summary: bool,
    /// How long it is kept, in milliseconds, if it is not durable.
    ttl_ms: Option<u32>,
    correlation_id: Option<Text>,
    metadata: Option<Text>,
    produced_at: Option<f64>,
    /// The payload in place of the text.
    bytes: Option<Vec<u8>>,
}

impl Piece {
    fn frame(&self) -> Frame {
        let Self(frame_type, payload, rest) = self;
        Frame {
            frame_type: frame_type.text(),
            payload: match &rest.bytes {
                Some(bytes) => bytes.clone(),
                None => payload.text().into_bytes(),
            },
            mode: match (rest.summary, rest.ttl_ms) {
                (true, _) => Mode::DurableSummary,
                (false, Some(ttl_ms)) => Mode::BestEffort(ttl_ms),
                (false, None) => Mode::Durable,
            },
            correlation_id: rest.correlation_id.as_ref().map(Text::text),
            metadata: rest.metadata.as_ref().map(Text::text),
            produced_at: rest.produced_at,
        }
    }
}

/// One thing to do.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Adds a record to the log.
    Log(Text),
    /// Writes to standard output.
    Stdout(Text),
    /// Writes to standard error.
    Stderr(Text),
    /// Says how far it is.
    Progress(Option<u8>, Option<Text>),
    /// Completes.
    Complete(Bytes),
    /// Fails.
    Fail(Fault),
    /// Delays itself by so many milliseconds.
    Delay(u64),
    /// Delays itself until a time, in milliseconds since 1970.
    DelayUntil(f64),
    /// Waits for its children.
    WaitChildren,
    /// Cancels itself.
    Cancel(Text),
    /// Suspends at the waitpoint with this key, with a state, for at most so many
    /// milliseconds, under an idempotency key.
    Suspend(Text, Option<Bytes>, Option<u64>, Option<Text>),
    /// Makes a waitpoint with a key and names of signals.
    Waitpoint(Text, Vec<Text>),
    /// Closes the waitpoint with this id or key.
    Close(Text),
    /// Creates an execution: kind, input, lane, idempotency key, labels.
    Create(Text, Bytes, Option<Text>, Option<Text>, Vec<(Text, Text)>),
    /// Creates an execution of the kind `echo` with what else a request may have.
    Request(Extra),
    /// Describes an execution.
    Describe(Text),
    /// Reads the result of an execution.
    ResultOf(Text),
    /// Cancels an execution: id, reason.
    CancelOf(Text, Text),
    /// Sets and removes labels of an execution.
    Label(Text, Vec<(Text, Option<Text>)>),
    /// Sends a signal: name, token, category, payload.
    Signal(Text, Text, Option<Text>, Option<Bytes>),
    /// Appends a frame to its stream.
    Append(Piece),
    /// Appends several frames in one call.
    AppendAll(Vec<Piece>),
    /// Reads the summary of its stream.
    Summary,
    /// Does something with flows.
    Flow(FlowAct),
    /// Sleeps for so many milliseconds.
    Sleep(u64),
    /// Computes without end.
    Spin,
    /// Creates an execution of the kind `echo` with what it was answered so far.
    Tell,
}

/// Does one after the other, and returns what it was answered.
pub fn perform_all(acts: &[Act], lease: &Lease) -> Vec<String> {
    let mut answers: Vec<String> = Vec::new();
    for act in acts {
        let answer = match act {
            Act::Tell => {
                let input = Payload {
                    content_type: "text/plain".into(),
                    data: answers.join("\n").into_bytes(),
                };
                format!("{:?}", Request::new("echo", &input).create())
            }
            act => act.perform(lease),
        };
        answers.push(answer);
    }
    answers
}

impl Act {
    fn perform(&self, lease: &Lease) -> String {
        match self {
            Self::Log(message) => {
                log(Level::Info, &message.text());
                String::new()
            }
            Self::Stdout(text) => {
                format!("{:?}", std::io::stdout().write_all(text.text().as_bytes()))
            }
            Self::Stderr(text) => {
                format!("{:?}", std::io::stderr().write_all(text.text().as_bytes()))
            }
            Self::Progress(percent, message) => {
                let message = message.as_ref().map(Text::text);
                format!("{:?}", lease.progress(*percent, message.as_deref()))
            }
            Self::Complete(result) => format!("{:?}", complete::complete(lease, &result.payload())),
            Self::Fail(fault) => format!("{:?}", complete::fail(lease, &fault.failure())),
            Self::Delay(delay_ms) => format!("{:?}", complete::delay(lease, *delay_ms)),
            Self::DelayUntil(until) => format!("{:?}", complete::delay_until(lease, *until)),
            Self::WaitChildren => format!("{:?}", complete::wait_children(lease)),
            Self::Cancel(reason) => format!("{:?}", complete::cancel(lease, &reason.text())),
            Self::Suspend(key, state, timeout_ms, idempotency_key) => {
                let request = suspend::Request::new(&[Condition::Single(Single {
                    waitpoint_key: key.text(),
                    matcher: Matcher::Wildcard,
                })]);
                if let Some(timeout_ms) = timeout_ms {
                    request.set_timeout_ms(*timeout_ms);
                }
                if let Some(key) = idempotency_key {
                    request.set_idempotency_key(&key.text());
                }
                let state = state.as_ref().map(Bytes::payload);
                let answer = request.suspend(lease, state.as_ref());
                format!("{:?}", answer.map(|_| ()))
            }
            Self::Waitpoint(key, names) => {
                let names: Vec<_> = names.iter().map(Text::text).collect();
                let made = suspend::create_waitpoint(lease, &key.text(), None, &names);
                format!("{:?}", made.map(|_| ()))
            }
            Self::Close(which) => {
                format!("{:?}", suspend::close_waitpoint(lease, &which.text()))
            }
            Self::Request(extra) => format!("{:?}", extra.request().create()),
            Self::Describe(id) => format!("{:?}", executions::describe(&id.text())),
            Self::ResultOf(id) => format!("{:?}", executions::result(&id.text())),
            Self::CancelOf(id, reason) => {
                format!("{:?}", executions::cancel(&id.text(), &reason.text()))
            }
            Self::Label(id, labels) => {
                let labels: Vec<_> = labels
                    .iter()
                    .map(|(key, value)| (key.text(), value.as_ref().map(Text::text)))
                    .collect();
                format!("{:?}", executions::set_tags(&id.text(), &labels))
            }
            Self::Create(kind, input, lane, key, tags) => {
                let request = Request::new(&kind.text(), &input.payload());
                if let Some(lane) = lane {
                    request.set_lane(&lane.text());
                }
                if let Some(key) = key {
                    request.set_idempotency_key(&key.text());
                }
                for (key, value) in tags {
                    request.set_tag(&key.text(), &value.text());
                }
                format!("{:?}", request.create())
            }
            Self::Signal(name, token, category, payload) => {
                let signal = Signal::new(&name.text());
                if let Some(category) = category {
                    signal.set_category(&category.text());
                }
                if let Some(payload) = payload {
                    signal.set_payload(&payload.payload());
                }
                format!("{:?}", signal.deliver(&token.text()).map(|_| ()))
            }
            Self::Append(piece) => format!("{:?}", streams::append(lease, &piece.frame())),
            Self::AppendAll(pieces) => {
                let frames: Vec<_> = pieces.iter().map(Piece::frame).collect();
                format!("{:?}", streams::append_all(lease, &frames))
            }
            Self::Summary => format!("{:?}", streams::read_summary(lease)),
            Self::Flow(act) => act.perform(lease),
            Self::Sleep(ms) => {
                sleep(Duration::from_millis(*ms));
                String::new()
            }
            Self::Spin => loop {
                std::hint::spin_loop();
            },
            Self::Tell => unreachable!("told where the answers are"),
        }
    }
}
