//! audit-begin: nothing → an entry without an outcome, or with the one that is known.

use std::net::IpAddr;

use model::Partition;
use uuid::Uuid;

use crate::batch::{BatchItem, Flush};
use crate::columns::columns;
use crate::statements::Statements;
use crate::{Engine, Error, random};

/// Most bytes of each text; what is longer is cut, since an entry is never refused.
const CREDENTIAL_BYTES_MAX: usize = 512;
const WORD_BYTES_MAX: usize = 64;
const TEXT_BYTES_MAX: usize = 1024;

/// What a credential is about to do, or was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditEntry {
    /// Name of the credential; absent where none was asked for.
    pub credential: Option<String>,
    /// The API key, if it is one.
    pub key_id: Option<Uuid>,
    /// Where the request came from; absent if it came from no network.
    pub address: Option<IpAddr>,
    /// Operation id of the API, or the command of the command line.
    pub verb: String,
    /// Namespace in which it acts; absent for what belongs to none.
    pub namespace: Option<String>,
    /// What it acts on: the path of the request without its query.
    pub target: Option<String>,
    /// What the caller adds about itself.
    pub note: Option<String>,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
    /// The outcome, if it is known already, as of a refusal; see [`Engine::audit_end`].
    pub outcome: Option<String>,
}

/// Names an entry, for its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuditId(pub Uuid);

/// An entry to write.
pub(crate) struct AuditBegin {
    id: Uuid,
    entry: AuditEntry,
}

impl Engine {
    /// Writes an entry, which is durable when this returns. Texts that are too long are cut.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database does not answer; then nothing may be done that
    /// must not be done without an entry.
    pub async fn audit_begin(&self, entry: AuditEntry) -> Result<AuditId, Error> {
        let id = random::ordered_uuid();
        let entry = entry.fitted();
        self.inner
            .batchers
            .audit_begin
            .call(AuditBegin { id, entry })
            .await?;
        Ok(AuditId(id))
    }
}

impl AuditEntry {
    fn fitted(self) -> Self {
        let perhaps = |text: Option<String>, max| text.and_then(|text| fitted(&text, max));
        Self {
            credential: perhaps(self.credential, CREDENTIAL_BYTES_MAX),
            verb: fitted(&self.verb, WORD_BYTES_MAX).unwrap_or_else(|| "unnamed".to_owned()),
            namespace: perhaps(self.namespace, WORD_BYTES_MAX),
            target: perhaps(self.target, TEXT_BYTES_MAX),
            note: perhaps(self.note, TEXT_BYTES_MAX),
            traceparent: perhaps(self.traceparent, WORD_BYTES_MAX),
            outcome: perhaps(self.outcome, WORD_BYTES_MAX),
            ..self
        }
    }
}

/// Cuts a text, and takes out what the database cannot hold; `None` if nothing is left.
pub(super) fn fitted(text: &str, bytes_max: usize) -> Option<String> {
    let mut text = text.replace('\0', "");
    text.truncate(text.floor_char_boundary(bytes_max));
    (!text.is_empty()).then_some(text)
}

impl BatchItem for AuditBegin {
    type Key = Uuid;

    fn partition(&self) -> Partition {
        NO_PARTITION
    }

    fn key(&self) -> Uuid {
        self.id
    }
}

/// Entries belong to no partition, so all of them are written together.
pub(super) const NO_PARTITION: Partition = match Partition::new(0) {
    Some(first) => first,
    None => panic!("there is a first partition"),
};

impl Flush<AuditBegin> for Statements {
    type Verdict = ();

    async fn flush(
        &self,
        _: Partition,
        batch: &[Box<AuditBegin>],
        _retried: bool,
    ) -> Result<Vec<()>, Error> {
        columns!(
            query!(
                "INSERT INTO audit (id, credential, key_id, address, verb, namespace, target, note,
                                    traceparent, outcome)
                 SELECT i.id, i.credential, i.key_id, i.address::inet, i.verb, i.namespace,
                        i.target, i.note, i.traceparent, i.outcome
                 FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[],
                             $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
                     AS i(id, credential, key_id, address, verb, namespace, target, note,
                          traceparent, outcome)
                 ON CONFLICT (id) DO NOTHING"
            );
            for call in batch => {
                ids = call.id;
                credentials as Option<&str> = call.entry.credential.as_deref();
                key_ids as Option<Uuid> = call.entry.key_id;
                addresses as Option<String> = call.entry.address.map(|it| it.to_canonical().to_string());
                verbs as &str = call.entry.verb.as_str();
                namespaces as Option<&str> = call.entry.namespace.as_deref();
                targets as Option<&str> = call.entry.target.as_deref();
                notes as Option<&str> = call.entry.note.as_deref();
                traceparents as Option<&str> = call.entry.traceparent.as_deref();
                outcomes as Option<&str> = call.entry.outcome.as_deref();
            }
        )
        .execute(&self.verbs)
        .await?;
        Ok(vec![(); batch.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_to_what_its_column_holds() {
        assert_eq!(fitted("abc", 2).as_deref(), Some("ab"));
        assert_eq!(fitted("ää", 3).as_deref(), Some("ä"));
        assert_eq!(fitted("a\0b", 9).as_deref(), Some("ab"));
        assert_eq!(fitted("\0", 9), None);
    }
}
