//! Waitpoints, where signals arrive, and the claims of waitpoint tokens.

use uuid::Uuid;

use crate::id::random_id;
use crate::wire::named;
use crate::{ExecutionId, Invalid, Limits, Refusal, RefusalCode, Told, ensure, names};

impl Limits {
    /// Most bytes of a waitpoint's key within its suspension.
    pub const WAITPOINT_KEY_BYTES_MAX: usize = 128;
    /// Most open waitpoints of one execution.
    pub const WAITPOINTS_OPEN_MAX: usize = 256;
    /// Milliseconds after which a pending waitpoint expires, unless its maker sets
    /// another time.
    pub const WAITPOINT_PENDING_MS_DEFAULT: u64 = 24 * 3600 * 1000;
    /// Most signal names that a waitpoint token may list.
    pub const WAITPOINT_TOKEN_SIGNAL_NAMES_MAX: usize = 16;
    /// Most bytes of a waitpoint token; a longer text is refused unread.
    pub const WAITPOINT_TOKEN_BYTES_MAX: usize = 3072;
}

random_id! {
    /// Names a waitpoint.
    WaitpointId
}

named! {
    /// Whether signals may arrive at a waitpoint.
    pub enum WaitpointState ("waitpoint state") {
        /// They may, and are stored until its execution suspends on it.
        Pending = "pending",
        /// They may, and its execution waits for them.
        Active = "active",
        /// They may not any more; [`WaitpointCloseReason`] says why.
        Closed = "closed",
        /// They may not: its execution did not suspend on it in time.
        Expired = "expired",
    }
}

named! {
    /// Why a waitpoint takes no more signals.
    pub enum WaitpointCloseReason ("waitpoint close reason") {
        /// The condition was satisfied, or an operator resumed.
        Resumed = "resumed",
        /// The execution was cancelled.
        Cancelled = "cancelled",
        /// The time limit passed, and the execution failed.
        TimedOutFail = "timed_out_fail",
        /// The time limit passed, and the execution was cancelled.
        TimedOutCancel = "timed_out_cancel",
        /// The time limit passed, and the execution expired.
        TimedOutExpire = "timed_out_expire",
        /// The time limit passed, and the execution resumed.
        TimedOutAutoResume = "timed_out_auto_resume",
        /// Its execution never suspended on it.
        NeverCommitted = "never_committed",
        /// An operator closed it.
        ProactiveClose = "proactive_close",
    }
}

/// Which waitpoint of an execution a caller means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitpointRef {
    /// The one with this id.
    Id(WaitpointId),
    /// The open one with this key, or else the last that had it.
    Key(String),
    /// The only one that is open.
    Only,
}

impl WaitpointRef {
    /// Reads which waitpoint a caller means: an id, or else a key.
    pub fn of_text(text: &str) -> Result<Self, Invalid> {
        // Only one spelling of an id is read as an id, so that other spellings can be keys.
        match text.parse::<WaitpointId>() {
            Ok(id) if text.len() == 36 => Ok(Self::Id(id)),
            _ => {
                names::waitpoint_key(text).map_err(|invalid| invalid.about("waitpoint"))?;
                Ok(Self::Key(text.to_owned()))
            }
        }
    }
}

/// Why a waitpoint was not closed, or no token was minted for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitpointRefusal {
    /// No such execution.
    #[error("no such execution")]
    ExecutionNotFound,
    /// The execution has no such waitpoint.
    #[error("the execution has no such waitpoint")]
    WaitpointNotFound,
    /// The execution has several open waitpoints, and none was named.
    #[error("the execution has {open} open waitpoints; name one")]
    WaitpointAmbiguous {
        /// How many are open.
        open: usize,
    },
    /// The waitpoint takes no more signals.
    #[error("the waitpoint is closed: {reason}")]
    WaitpointClosed {
        /// Why it was closed.
        reason: WaitpointCloseReason,
    },
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Refusal for WaitpointRefusal {
    fn told(&self) -> Told {
        match self {
            Self::ExecutionNotFound => RefusalCode::ExecutionNotFound.alone(),
            Self::WaitpointNotFound => RefusalCode::WaitpointNotFound.alone(),
            Self::WaitpointAmbiguous { open } => RefusalCode::WaitpointAmbiguous.with("open", open),
            Self::WaitpointClosed { reason } => {
                RefusalCode::WaitpointClosed.with("close_reason", reason)
            }
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}

/// The claims of a waitpoint token: anyone who carries it may signal this waitpoint.
///
/// As bytes, numbers big-endian, every text preceded by its length in one byte:
///
/// ```text
/// instance 16 · generation 4 · namespace · execution 16 · waitpoint 16
/// expiry: 0, or 1 and microseconds since 1970 in 8
/// number of names 1, each a text · nonce 16
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitpointClaims {
    /// The instance that minted it.
    pub instance_id: Uuid,
    /// Generation of the instance: a database restored elsewhere has another.
    pub generation: u32,
    /// Namespace of the execution.
    pub namespace: String,
    /// The execution that the waitpoint is of.
    pub execution_id: ExecutionId,
    /// The waitpoint it opens.
    pub waitpoint_id: WaitpointId,
    /// Names of signals it may send; empty: any. At most
    /// [`Limits::WAITPOINT_TOKEN_SIGNAL_NAMES_MAX`].
    pub signal_names: Vec<String>,
    /// Until when it is valid, by the database's clock, in microseconds since 1970; absent:
    /// as long as its waitpoint and its key are.
    pub expires_at_us: Option<i64>,
    /// Random, so that no two tokens are alike.
    pub nonce: [u8; 16],
}

impl WaitpointClaims {
    /// Checks the bounds of what a caller chooses.
    ///
    /// # Errors
    /// The namespace or a name is not valid, or there are too many names.
    pub fn check(&self) -> Result<(), Invalid> {
        names::namespace_name(&self.namespace)?;
        Self::check_signal_names(&self.signal_names)
    }

    /// Checks the names of signals that a token may send.
    ///
    /// # Errors
    /// A name is not valid, or there are too many.
    pub fn check_signal_names(signal_names: &[String]) -> Result<(), Invalid> {
        let max = Limits::WAITPOINT_TOKEN_SIGNAL_NAMES_MAX;
        ensure("signal_names", signal_names.len() <= max, || {
            format!("at most {max}")
        })?;
        signal_names
            .iter()
            .try_for_each(|name| names::signal_name(name))
    }

    /// Whether it may send a signal of this name.
    pub fn allows(&self, signal_name: &str) -> bool {
        self.signal_names.is_empty() || self.signal_names.iter().any(|name| name == signal_name)
    }

    /// Writes the claims, which must pass [`Self::check`].
    ///
    /// # Panics
    /// When they do not.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(self.instance_id.as_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        put_text(&mut bytes, &self.namespace);
        bytes.extend_from_slice(self.execution_id.uuid().as_bytes());
        bytes.extend_from_slice(self.waitpoint_id.0.as_bytes());
        match self.expires_at_us {
            None => bytes.push(0),
            Some(at) => {
                bytes.push(1);
                bytes.extend_from_slice(&at.to_be_bytes());
            }
        }
        bytes.push(length(self.signal_names.len()));
        for name in &self.signal_names {
            put_text(&mut bytes, name);
        }
        bytes.extend_from_slice(&self.nonce);
        bytes
    }

    /// Reads claims; `None` if the bytes are not what [`Self::encode`] writes for
    /// some claims within their bounds.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let claims = Self {
            instance_id: rest.uuid()?,
            generation: u32::from_be_bytes(rest.bytes()?),
            namespace: rest.text()?,
            execution_id: ExecutionId::from_uuid(rest.uuid()?),
            waitpoint_id: WaitpointId(rest.uuid()?),
            expires_at_us: match rest.byte()? {
                0 => None,
                1 => Some(i64::from_be_bytes(rest.bytes()?)),
                _ => return None,
            },
            signal_names: {
                let count = rest.byte()?;
                (0..count).map(|_| rest.text()).collect::<Option<_>>()?
            },
            nonce: rest.bytes()?,
        };
        (rest.0.is_empty() && claims.check().is_ok()).then_some(claims)
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(length(text.len()));
    bytes.extend_from_slice(text.as_bytes());
}

fn length(length: usize) -> u8 {
    u8::try_from(length).expect("invariant: claims that were checked hold no more than 128 each")
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes().map(|[byte]| byte)
    }

    fn uuid(&mut self) -> Option<Uuid> {
        self.bytes().map(Uuid::from_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(self.byte()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> WaitpointClaims {
        WaitpointClaims {
            instance_id: Uuid::from_u128(1),
            generation: 2,
            namespace: "default".into(),
            execution_id: ExecutionId::from_uuid(Uuid::from_u128(3)),
            waitpoint_id: WaitpointId(Uuid::from_u128(4)),
            signal_names: vec!["approved".into(), "rejected".into()],
            expires_at_us: Some(-5),
            nonce: [6; 16],
        }
    }

    #[test]
    fn claims_are_read_as_they_were_written_and_nothing_else_is() {
        for claims in [
            claims(),
            WaitpointClaims {
                signal_names: vec![],
                expires_at_us: None,
                ..claims()
            },
        ] {
            let bytes = claims.encode();
            assert_eq!(WaitpointClaims::decode(&bytes), Some(claims));
            for end in 0..bytes.len() {
                assert_eq!(WaitpointClaims::decode(&bytes[..end]), None, "{end}");
            }
            let longer = [bytes.as_slice(), &[0]].concat();
            assert_eq!(WaitpointClaims::decode(&longer), None);
        }
    }

    #[test]
    fn a_token_allows_the_names_it_lists_or_all() {
        assert!(claims().allows("approved"));
        assert!(!claims().allows("approve"));
        let any = WaitpointClaims {
            signal_names: vec![],
            ..claims()
        };
        assert!(any.allows("anything"));
    }

    #[test]
    fn claims_out_of_bounds_are_refused() {
        let invalid: [fn(&mut WaitpointClaims); 4] = [
            |claims| claims.namespace = "No".into(),
            |claims| claims.signal_names = vec!["x".repeat(129)],
            |claims| claims.signal_names = vec![String::new()],
            |claims| {
                claims.signal_names = vec!["x".into(); Limits::WAITPOINT_TOKEN_SIGNAL_NAMES_MAX + 1]
            },
        ];
        for invalidate in invalid {
            let mut claims = claims();
            invalidate(&mut claims);
            assert!(claims.check().is_err(), "{claims:?}");
        }
        assert_eq!(claims().check(), Ok(()));
    }
}
