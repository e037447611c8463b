//! Audit entries, and sums of requests whose credential was not accepted.

use std::net::IpAddr;

use time::OffsetDateTime;
use time::serde::rfc3339;
use uuid::Uuid;

use crate::api::answer::{answers, pages};

pages! {
    /// A page of audit entries.
    AuditEntries of engine::Audited {
        /// The newest first. A page may have fewer rows than asked for, or none, and be
        /// followed by another, since only so many entries are read for one.
        entries: Vec<AuditEntry>,
    }
}

pages! {
    /// A page of the sums of requests whose credential was not accepted.
    RefusedRequestSums of engine::RefusedRequests {
        /// By minute, the newest first.
        refusals: Vec<RefusedRequests>,
    }
}

answers! {
    /// What a credential did, or was refused.
    AuditEntry(entry: engine::Audited) {
        /// Id of the entry.
        #[schema(value_type = String)]
        id: Uuid,
        /// Time at which it was about to be done.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
        /// The credential, such as `key:ci`; null where none was asked for.
        credential: Option<String>,
        /// Id of the API key, if it was one.
        #[schema(value_type = Option<String>)]
        key_id: Option<Uuid>,
        /// Address that the request came from; null if it came from no network.
        #[schema(value_type = Option<String>)]
        address: Option<IpAddr>,
        /// Operation id of the API, or the command of the command line.
        verb: String,
        /// Namespace in which it was done; null for what belongs to none.
        namespace: Option<String>,
        /// What it was done to: the path of the request.
        target: Option<String>,
        /// What the caller added about itself.
        note: Option<String>,
        /// W3C trace context of the request.
        traceparent: Option<String>,
        /// `done`, or the code of the problem that was answered; null while it is being done,
        /// and for good if the host ended meanwhile.
        outcome: Option<String>,
    }

    /// Requests of one minute, address and reason whose credential was not accepted.
    RefusedRequests(refused: engine::RefusedRequests) {
        /// The minute in which they were counted.
        #[serde(with = "rfc3339")]
        minute: OffsetDateTime,
        /// Where they came from: an address, the first 64 bits of one of IPv6, or `others`
        /// for those beyond the bound of a minute.
        address: String,
        /// Why they were refused.
        reason: String,
        /// How many they were.
        count: u64,
    }
}
