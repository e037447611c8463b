//! Patterns of the texts that callers give, as JSON Schema writes them, for descriptions
//! of the API. The checks of this crate decide; a test compares the two.
//!
//! A pattern says nothing about the length.

/// Lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or digit: kinds
/// and namespaces.
pub const IDENTIFIER: &str = "^[a-z0-9][a-z0-9._-]*$";
/// Printable ASCII: lanes, workers and media types.
pub const PRINTABLE: &str = "^[ -~]*$";
/// No control characters: signals and waitpoints.
pub const PLAIN: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// No U+0000, which the database cannot store.
pub const STORABLE: &str = r"^[^\x00]*$";
/// The key of a label: its owner, a dot, and a name.
pub const TAG_KEY: &str = r"^[a-z][a-z0-9_]*\.[a-z0-9_][a-z0-9_.]*$";
/// A label in a query: its key, a colon, and the value.
pub const TAG: &str = r"^[a-z][a-z0-9_]*\.[a-z0-9_][a-z0-9_.]*:[^\x00]*$";
/// The code of a failure.
pub const FAILURE_CODE: &str = "^[a-z0-9_]*$";
/// On whose behalf an execution is cancelled.
pub const CANCEL_SOURCE: &str = "^[a-z0-9_.:-]*$";
/// A capability of a worker: no comma, space or control character.
pub const CAPABILITY: &str = r"^[^\x00-\x20,\x7f]*$";
/// The id of a waitpoint key.
pub const KID: &str = "^[A-Za-z0-9_-]*$";
/// Pairs of hexadecimal digits.
pub const HEX: &str = "^([0-9A-Fa-f]{2})*$";
/// A UUID.
pub const UUID: &str = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";
/// A UUID of version 7.
pub const UUID_V7: &str = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$";
/// The SHA-256 of some bytes.
pub const DIGEST: &str = "^sha256:[0-9a-f]{64}$";
/// Base64 in the standard alphabet, padded.
pub const BASE64: &str =
    "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?$";
/// A time, whose format says the rest: from 1970 to 9999. One that is in another of these
/// years in UTC is described less exactly.
pub const TIME: &str = "^(19[7-9][0-9]|[2-9][0-9]{3})-";
/// A cursor of a stream: `start`, `end`, milliseconds, or the id of a frame.
pub const STREAM_CURSOR: &str = "^(start|end|[0-9]+(-[0-9]+)?)$";
/// A cursor of a stream that names a place: milliseconds, or the id of a frame.
pub const FRAME_CURSOR: &str = "^[0-9]+(-[0-9]+)?$";
/// The frame that a browser saw last; an empty text counts as absent.
pub const LAST_FRAME: &str = "^([0-9]+(-[0-9]+)?)?$";
/// A place in the log of an attempt.
pub const LOG_PLACE: &str = "^[0-9]{1,18}-[0-9]{1,18}$";
/// The place that a browser saw last; an empty text counts as absent.
pub const LAST_LOG_PLACE: &str = "^([0-9]{1,18}-[0-9]{1,18})?$";
