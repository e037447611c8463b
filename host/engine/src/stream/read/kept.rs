//! The newest frames of a stream, as a host keeps them for those that follow it.

use std::collections::VecDeque;
use std::sync::Arc;

use model::{FrameMode, Limits, StreamFrame, StreamRefusal, Visibility};

use super::frames::StreamRead;
use crate::Error;
use crate::stream::{StreamPage, TailStream};

/// Most frames that are kept of a stream.
const FRAMES_MAX: usize = 4096;

/// All frames of a stream after one place and up to another, and whether it is closed.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Absent before the first read.
    loaded: Option<Loaded>,
    /// Why the last read failed; absent if it did not.
    pub(super) failed: Option<Error>,
}

#[derive(Debug)]
struct Loaded {
    /// What said whether the stream may be read, of the last read; its frames were moved.
    last: StreamRead,
    from: i64,
    to: i64,
    frames: VecDeque<Arc<StreamFrame>>,
    bytes: usize,
}

/// What is kept for a tail.
pub(super) enum After {
    /// These frames; if there are none, the stream has none after the place.
    Page(StreamPage),
    /// Frames after the place are not kept any more.
    LetGo,
    /// Nothing was read yet.
    Unread,
    /// The caller may not read the stream.
    Refused(StreamRefusal),
}

impl Kept {
    /// Returns the place after which the next read begins; absent before the first.
    pub(super) fn reached(&self) -> Option<i64> {
        self.loaded.as_ref().map(|loaded| loaded.to)
    }

    /// Adds what was read after the place that was reached, up to `bytes_max` bytes in all;
    /// the oldest are let go. Returns whether that changes what tails are answered.
    pub(super) fn add(&mut self, mut read: StreamRead, bytes_max: usize) -> bool {
        self.failed = None;
        let said = self.loaded.as_ref().map(|loaded| loaded.last.says());
        let changed = !read.frames.is_empty() || said.as_ref() != Some(&read.says());
        let frames = std::mem::take(&mut read.frames);
        let last = frames.last().map(|frame| frame.id.place());
        let loaded = match &mut self.loaded {
            Some(loaded) => {
                loaded.last = read;
                loaded
            }
            // With more than one read can have, only what is appended from now on is kept.
            None => {
                let from = if read.more { read.last_place } else { -1 };
                self.loaded.insert(Loaded {
                    from,
                    to: from,
                    frames: VecDeque::new(),
                    bytes: 0,
                    last: read,
                })
            }
        };
        let new = frames.into_iter().filter(|it| it.id.place() > loaded.to);
        for frame in new {
            loaded.bytes += frame.bytes();
            loaded.frames.push_back(frame);
        }
        // What was appended and cannot be read was looked at as well.
        let looked_at = match loaded.last.more {
            true => last.unwrap_or(loaded.to),
            false => loaded.last.last_place,
        };
        loaded.to = loaded.to.max(looked_at);
        while loaded.frames.len() > FRAMES_MAX || loaded.bytes > bytes_max {
            let Some(gone) = loaded.frames.pop_front() else {
                break;
            };
            loaded.bytes -= gone.bytes();
            loaded.from = gone.id.place();
        }
        if loaded.last.is_past_ttl {
            loaded.frames.clear();
            loaded.bytes = 0;
        }
        changed
    }

    /// Returns the frames after a place that a tail asks for.
    pub(super) fn after(&self, place: i64, request: &TailStream) -> After {
        let Some(loaded) = &self.loaded else {
            return After::Unread;
        };
        if let Err(refusal) = loaded.last.check(request.namespace.as_deref()) {
            return After::Refused(refusal);
        }
        if loaded.from > place {
            return After::LetGo;
        }
        let begin = loaded.frames.partition_point(|it| it.id.place() <= place);
        let hides = request.visibility == Visibility::ExcludeBestEffort;
        let mut page = StreamPage::default();
        let mut bytes = 0;
        for frame in loaded.frames.range(begin..) {
            let is_best_effort = frame.mode == FrameMode::BestEffort;
            if is_best_effort && (hides || loaded.last.has_expired(frame)) {
                continue;
            }
            bytes += frame.bytes();
            let full = page.frames.len() == request.count as usize;
            if full || bytes > Limits::STREAM_PAGE_BYTES_MAX && !page.frames.is_empty() {
                page.more = true;
                break;
            }
            page.frames.push(frame.clone());
        }
        // More may be there than was read.
        page.more |= loaded.last.more;
        page.closed = loaded.last.closed.filter(|_| !page.more);
        After::Page(page)
    }
}
