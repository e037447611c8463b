//! Calls on one stream under one fence: what they add to it together.

use std::collections::HashMap;

use model::{
    AppendMode, AppendRefusal, ExecutionId, Fence, FrameId, FrameMode, Limits, SummaryDocument,
};

use super::call::AppendCall;
use super::known::{Known, StreamState};
use crate::stream::Appended;

/// Calls on one stream under one fence, by their places in the batch, in order.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) fence: Fence,
    pub(super) calls: Vec<(usize, &'a AppendCall)>,
}

impl<'a> Group<'a> {
    /// Groups the calls that have no verdict; of several fences of one execution, those
    /// under the latest. The others are for a later round.
    pub(super) fn of(open: impl Iterator<Item = (usize, &'a AppendCall)>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        let mut found: HashMap<ExecutionId, usize> = HashMap::new();
        for (index, call) in open {
            let fence = call.fence;
            let number = *found.entry(fence.execution_id).or_insert_with(|| {
                let calls = Vec::new();
                groups.push(Self { fence, calls });
                groups.len() - 1
            });
            let group = &mut groups[number];
            if fence.epoch > group.fence.epoch {
                *group = Self {
                    fence,
                    calls: Vec::new(),
                };
            }
            if fence == group.fence {
                group.calls.push((index, call));
            }
        }
        groups
    }

    pub(super) fn stream(&self) -> (ExecutionId, u32) {
        (self.fence.execution_id, self.fence.attempt)
    }

    pub(super) fn has_patches(&self) -> bool {
        self.calls.iter().any(|(_, call)| call.patch.is_some())
    }

    /// Decides what the statement writes. Patches that would make the document too large
    /// are taken out, and returned with their refusals.
    pub(super) fn decide(
        mut self,
        state: StreamState,
    ) -> (Option<Write<'a>>, Vec<(usize, AppendRefusal)>) {
        let document = state.document.unwrap_or_default();
        let (document, refused) = match self.has_patches() {
            true => self.merge(document),
            false => (None, Vec::new()),
        };
        self.calls
            .retain(|(index, _)| !refused.iter().any(|(other, _)| other == index));
        let write = (!self.calls.is_empty()).then(|| Write::new(self, state.known, document));
        (write, refused)
    }

    /// Merges the patches into a document, and returns it as JSON.
    fn merge(&self, document: SummaryDocument) -> (Option<Vec<u8>>, Vec<(usize, AppendRefusal)>) {
        let max = Limits::SUMMARY_BYTES_MAX;
        let patches = || {
            let calls = self.calls.iter();
            calls.filter_map(|(index, call)| Some((*index, call.patch.as_ref()?)))
        };
        let mut merged = document.clone();
        patches().for_each(|(_, patch)| merged.merge(patch));
        let json = merged.to_json();
        if json.len() <= max {
            return (Some(json), Vec::new());
        }
        // One after the other, to find those that are too much.
        let (mut merged, mut kept, mut refused) = (document, None, Vec::new());
        for (index, patch) in patches() {
            let mut next = merged.clone();
            next.merge(patch);
            let json = next.to_json();
            let bytes = json.len();
            if bytes <= max {
                (merged, kept) = (next, Some(json));
            } else {
                let field = "summary";
                let refusal = AppendRefusal::RetentionLimitExceeded { field, bytes, max };
                refused.push((index, refusal));
            }
        }
        (kept, refused)
    }
}

/// What a statement adds to one stream.
#[derive(Debug)]
pub(super) struct Write<'a> {
    pub(super) group: Group<'a>,
    pub(super) known: Known,
    /// The summary document with the patches; absent if there is none.
    pub(super) document: Option<Vec<u8>>,
    pub(super) durable: Added,
    pub(super) summary: Added,
    pub(super) best_effort: Added,
    /// How long frames of best effort can be read from now on; absent if none is added.
    pub(super) best_effort_ttl_ms: Option<u32>,
}

/// Frames of one mode.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Added {
    pub(super) frames: i64,
    /// The most frames that are trimmed, counted from the first that is added: negative
    /// where some that were there before are left. Absent if none is added.
    pub(super) trim: Option<i64>,
}

impl<'a> Write<'a> {
    fn new(group: Group<'a>, known: Known, document: Option<Vec<u8>>) -> Self {
        let mut write = Self {
            group: Group {
                fence: group.fence,
                calls: Vec::new(),
            },
            known,
            document,
            durable: Added::default(),
            summary: Added::default(),
            best_effort: Added::default(),
            best_effort_ttl_ms: None,
        };
        for (_, call) in &group.calls {
            let maxlen = call.frame.maxlen(known.policy.retention_maxlen);
            let added = match call.frame.mode {
                AppendMode::Durable => &mut write.durable,
                AppendMode::DurableSummary => &mut write.summary,
                AppendMode::BestEffort { ttl_ms } => {
                    write.best_effort_ttl_ms = Some(ttl_ms);
                    &mut write.best_effort
                }
            };
            added.frames += 1;
            added.trim = added.trim.max(Some(added.frames - i64::from(maxlen)));
            call.tried_after.get_or_init(|| known.place.unwrap_or(0));
        }
        write.group = group;
        write
    }

    /// Returns in how many milliseconds something of the stream may have to be removed.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let best_effort = self.best_effort_ttl_ms.map(u64::from);
        let ttl = self.known.policy.retention_ttl_ms;
        best_effort.into_iter().chain(ttl).min()
    }

    /// Returns the calls, each with how many frames of the stream, and how many of its
    /// mode, follow.
    pub(super) fn frames(&self) -> impl Iterator<Item = (usize, &'a AppendCall, i64, i64)> {
        let mut all = self.group.calls.len() as i64;
        let mut left: HashMap<FrameMode, i64> = HashMap::from([
            (FrameMode::Durable, self.durable.frames),
            (FrameMode::DurableSummary, self.summary.frames),
            (FrameMode::BestEffort, self.best_effort.frames),
        ]);
        self.group.calls.iter().map(move |(index, call)| {
            all -= 1;
            let left = left.get_mut(&call.frame.mode.name());
            let left = left.expect("invariant: every mode is there");
            *left -= 1;
            (*index, *call, all, *left)
        })
    }

    /// Answers the calls from what the statement left.
    pub(super) fn answers(&self, left: Left) -> impl Iterator<Item = (usize, Appended)> {
        self.frames().map(move |(index, call, following, of_mode)| {
            let appended = Appended {
                frame_id: FrameId::from_place(left.place - following),
                frame_count: (left.frames - following).unsigned_abs(),
                summary_version: call
                    .patch
                    .is_some()
                    .then_some((left.summary - of_mode).unsigned_abs()),
            };
            (index, appended)
        })
    }
}

/// A stream after a statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    /// Of the last frame.
    pub(super) place: i64,
    /// Frames that were appended, of all modes.
    pub(super) frames: i64,
    /// How many summaries are among them.
    pub(super) summary: i64,
    /// Frames that are trimmed and not removed.
    pub(super) excess: i32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;
    use model::{LeaseId, NewFrame, Partition, StreamPolicy, SummaryPatch};

    fn fence(epoch: u64) -> Fence {
        Fence {
            execution_id: ExecutionId::from_parts(Partition::new(0).expect("zero"), 1, 1),
            lease_id: LeaseId(random::uuid()),
            epoch,
            attempt: 0,
        }
    }

    fn call(fence: Fence, mode: AppendMode, maxlen: Option<u32>) -> AppendCall {
        let frame = NewFrame {
            mode,
            retention_maxlen: maxlen,
            ..NewFrame::new("x", "{\"a\":1}")
        };
        let patch = matches!(mode, AppendMode::DurableSummary)
            .then(|| SummaryPatch::parse(b"{\"a\":1}").expect("a patch"));
        AppendCall::new(fence, frame, patch)
    }

    #[test]
    fn calls_under_the_latest_fence_go_first() {
        let (old, new) = (fence(1), fence(2));
        let calls = [old, new, old, new].map(|fence| call(fence, AppendMode::Durable, None));
        let groups = Group::of(calls.iter().enumerate());
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].fence, new);
        let numbers: Vec<_> = groups[0].calls.iter().map(|(index, _)| *index).collect();
        assert_eq!(numbers, [1, 3]);
    }

    #[test]
    fn each_mode_is_counted_and_trimmed_by_itself() {
        let fence = fence(1);
        let best_effort = AppendMode::BestEffort { ttl_ms: 50 };
        let calls = [
            call(fence, AppendMode::Durable, Some(1)),
            call(fence, AppendMode::DurableSummary, None),
            call(fence, AppendMode::Durable, Some(5)),
            call(fence, best_effort, None),
            call(fence, AppendMode::Durable, Some(2)),
        ];
        let known = Known {
            place: None,
            policy: StreamPolicy::default(),
        };
        let state = StreamState {
            known,
            document: None,
        };
        let group = Group::of(calls.iter().enumerate()).remove(0);
        let (write, refused) = group.decide(state);
        let write = write.expect("something is written");
        assert_eq!(refused, []);
        assert_eq!((write.durable.frames, write.durable.trim), (3, Some(1)));
        assert_eq!((write.summary.frames, write.summary.trim), (1, Some(-63)));
        assert_eq!(write.best_effort.trim, Some(1 - 16_384));
        assert_eq!(write.due_ms(), Some(50));
        assert_eq!(write.document.as_deref(), Some(br#"{"a":1}"#.as_slice()));
        let left = Left {
            place: 100,
            frames: 15,
            summary: 7,
            excess: 0,
        };
        let answers: Vec<_> = write.answers(left).collect();
        let places: Vec<_> = answers.iter().map(|(_, it)| it.frame_id.place()).collect();
        assert_eq!(places, [96, 97, 98, 99, 100]);
        let counts: Vec<_> = answers.iter().map(|(_, it)| it.frame_count).collect();
        assert_eq!(counts, [11, 12, 13, 14, 15]);
        assert_eq!(answers[1].1.summary_version, Some(7));
        assert_eq!(answers[2].1.summary_version, None);
    }

    #[test]
    fn a_patch_that_makes_the_document_too_large_is_refused_and_others_are_not() {
        let fence = fence(1);
        let patched = |name: &str, bytes: usize| {
            let json = format!("{{\"{name}\":\"{}\"}}", "x".repeat(bytes));
            let mut call = call(fence, AppendMode::DurableSummary, None);
            call.patch = Some(SummaryPatch::parse(json.as_bytes()).expect("a patch"));
            call
        };
        let calls = [
            patched("a", 200_000),
            patched("b", 200_000),
            patched("c", 10),
        ];
        let known = Known {
            place: None,
            policy: StreamPolicy::default(),
        };
        let state = StreamState {
            known,
            document: None,
        };
        let group = Group::of(calls.iter().enumerate()).remove(0);
        let (write, refused) = group.decide(state);
        assert_eq!(refused.len(), 1);
        assert_eq!(
            (refused[0].0, refused[0].1.code()),
            (1, "retention_limit_exceeded")
        );
        let write = write.expect("the others");
        assert_eq!(write.summary.frames, 2);
        let document = write.document.expect("a document");
        let document: serde_json::Value = serde_json::from_slice(&document).expect("JSON");
        assert_eq!(document["c"], "xxxxxxxxxx");
        assert_eq!(document.get("b"), None);
    }
}
