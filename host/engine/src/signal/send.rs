//! send: a signal is delivered to a waitpoint.
//!
//! Checks the signal and verifies its token; `deliver/` decides what it does.

use model::{
    Invalid, InvalidWaitpointToken, KnownSource, Limits, SignalId, SignalRefusal, WaitpointRef,
};

use super::deliver::{
    Addressee, Authority, AuthorizedSignal, DeliverCall, DeliverVerdict, Delivered, SendSignal,
};
use crate::checks::{content_type, payload_bytes, text};
use crate::operate::Operation;
use crate::statements::conflict;
use crate::{Answer, Engine, VerifiedWaitpointToken, mint};

impl Engine {
    /// Delivers a signal to a waitpoint. The signal is durable when this returns; if it
    /// satisfies the condition, the execution resumes.
    ///
    /// A repeat with the same idempotency key is a duplicate, also when the waitpoint is
    /// closed or the token has expired by then.
    ///
    /// # Refusals
    /// See [`SignalRefusal`].
    pub async fn send_signal(&self, deliver: SendSignal) -> Answer<Delivered, SignalRefusal> {
        let answer = self.deliver(deliver).await?;
        self.inner.signals.count(&answer);
        Ok(answer)
    }

    /// Verifies the token of a caller who is about to send a signal, and returns its
    /// claims; an invalid one is counted as a signal that was refused.
    ///
    /// # Refusals
    /// [`InvalidWaitpointToken`], whatever is wrong with it.
    pub async fn verify_waitpoint_token_for_signal(
        &self,
        token: &str,
    ) -> Answer<VerifiedWaitpointToken, InvalidWaitpointToken> {
        let verified = self.verify_waitpoint_token_signature(token).await?;
        if let Err(refusal) = verified {
            self.inner.signals.count(&Err(refusal.into()));
        }
        Ok(verified)
    }

    async fn deliver(&self, mut deliver: SendSignal) -> Answer<Delivered, SignalRefusal> {
        if let Err(invalid) = check(&mut deliver) {
            return Ok(Err(invalid.into()));
        }
        let (execution_id, waitpoint, authority) = match &deliver.to {
            Addressee::Token {
                token,
                execution_id,
                namespace,
            } => {
                let verified = match self.verify_waitpoint_token_signature(token).await? {
                    Ok(verified) => verified,
                    Err(refusal) => return Ok(Err(refusal.into())),
                };
                let claims = verified.claims;
                let is_meant = execution_id.is_none_or(|id| id == claims.execution_id)
                    && namespace.as_ref().is_none_or(|it| *it == claims.namespace)
                    && claims.allows(&deliver.name);
                if !is_meant {
                    return Ok(Err(InvalidWaitpointToken.into()));
                }
                let authority = Authority::Token {
                    kid: verified.kid,
                    expires_at: verified.expires_at,
                    namespace: claims.namespace,
                };
                let waitpoint = WaitpointRef::Id(claims.waitpoint_id);
                (claims.execution_id, waitpoint, authority)
            }
            Addressee::Operator { operate, waitpoint } => {
                if let Err(invalid) = operate.by.check() {
                    return Ok(Err(invalid.into()));
                }
                let authority = Authority::Operator {
                    namespace: operate.namespace.clone(),
                    operation: Operation {
                        verb: "signal",
                        by: operate.by.clone(),
                    },
                };
                (operate.id, waitpoint.clone(), authority)
            }
        };
        let signal = AuthorizedSignal {
            id: SignalId(mint::random_id()),
            waitpoint,
            authority,
            request: deliver,
        };
        let call = DeliverCall::signal(execution_id, signal);
        match self.inner.deliver.call(call).await? {
            DeliverVerdict::Signal(answer) => Ok(answer),
            DeliverVerdict::Unreadable(error) => Err(error),
            DeliverVerdict::Resume(_) | DeliverVerdict::Conflict => Err(conflict(execution_id)),
        }
    }
}

/// Checks the bounds of a signal.
fn check(deliver: &mut SendSignal) -> Result<(), Invalid> {
    model::signal_name(&deliver.name)?;
    let operator = KnownSource::Operator.as_str();
    if matches!(deliver.to, Addressee::Token { .. }) && deliver.source_type == operator {
        let detail = format!("`{operator}` cannot be claimed with a token");
        return Err(Invalid::new("source_type", detail));
    }
    let max = Limits::SIGNAL_TEXT_BYTES_MAX;
    for (field, given) in [
        ("source_type", &deliver.source_type),
        ("source_identity", &deliver.source_identity),
    ] {
        if given.is_empty() {
            return Err(Invalid::new(field, "is empty"));
        }
        text(field, given, max)?;
    }
    for (field, given) in [
        ("signal_category", &deliver.category),
        ("correlation_id", &deliver.correlation_id),
    ] {
        text(field, given.as_deref().unwrap_or_default(), max)?;
    }
    if let Some(key) = &deliver.idempotency_key {
        if key.is_empty() {
            return Err(Invalid::new("idempotency_key", "is empty"));
        }
        text("idempotency_key", key, Limits::KEY_BYTES_MAX)?;
    }
    if let Some(ttl) = deliver.dedup_ttl_ms
        && !(1..=Limits::DURATION_MS_MAX).contains(&ttl)
    {
        let detail = format!("{ttl} is out of range: 1 to {}", Limits::DURATION_MS_MAX);
        return Err(Invalid::new("dedup_ttl_ms", detail));
    }
    if let Some(payload) = &mut deliver.payload {
        content_type("payload.content_type", &mut payload.content_type)?;
        payload_bytes("payload", payload.data.len(), Limits::SIGNAL_BYTES_MAX)?;
    }
    Ok(())
}
