//! What a guest appended to the stream of its attempt under one lease.

use parking_lot::Mutex;

use crate::settings::SandboxLimits;

/// Frames and bytes appended under one lease.
#[derive(Debug, Default)]
pub(crate) struct Streamed(Mutex<Amounts>);

#[derive(Debug, Clone, Copy, Default)]
struct Amounts {
    frames: usize,
    bytes: usize,
}

/// A bound of the sandbox that more frames would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} {what} under one lease exceed the limit of {max} ({setting})")]
pub(in crate::host) struct StreamFull {
    what: &'static str,
    wanted: usize,
    max: u32,
    setting: &'static str,
}

impl Streamed {
    /// Checks that so many more frames, of so many bytes, are within the bounds.
    pub(in crate::host) fn check(
        &self,
        frames: usize,
        bytes: usize,
        limits: &SandboxLimits,
    ) -> Result<(), StreamFull> {
        let before = *self.0.lock();
        for (what, wanted, max, setting) in [
            (
                "frames",
                before.frames + frames,
                limits.stream_frames_max,
                "sandbox.stream_frames_max",
            ),
            (
                "bytes of frames",
                before.bytes + bytes,
                limits.stream_bytes_max,
                "sandbox.stream_bytes_max",
            ),
        ] {
            if wanted > max as usize {
                return Err(StreamFull {
                    what,
                    wanted,
                    max,
                    setting,
                });
            }
        }
        Ok(())
    }

    /// Counts frames that were appended, or may have been.
    pub(in crate::host) fn add(&self, frames: usize, bytes: usize) {
        let mut amounts = self.0.lock();
        amounts.frames += frames;
        amounts.bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_that_would_be_exceeded_is_named() {
        let limits = SandboxLimits {
            stream_frames_max: 3,
            stream_bytes_max: 10,
            ..SandboxLimits::default()
        };
        let streamed = Streamed::default();
        let full = |frames, bytes| {
            streamed
                .check(frames, bytes, &limits)
                .map_err(|it| it.setting)
        };
        assert_eq!(full(3, 10), Ok(()));
        assert_eq!(full(4, 0), Err("sandbox.stream_frames_max"));
        assert_eq!(full(1, 11), Err("sandbox.stream_bytes_max"));
        streamed.add(2, 9);
        assert_eq!(full(1, 1), Ok(()));
        assert_eq!(full(2, 1), Err("sandbox.stream_frames_max"));
        assert_eq!(full(1, 2), Err("sandbox.stream_bytes_max"));
    }
}
