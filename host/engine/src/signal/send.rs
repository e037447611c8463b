//! send: a signal is delivered to a waitpoint.
//!
//! Checks the signal and verifies its token; `deliver/` decides what it does.

use model::{
    Invalid, InvalidWaitpointToken, KnownSource, Limits, SignalId, SignalRefusal, WaitpointRef,
};

use super::deliver::{
    Addressee, Authority, AuthorizedSignal, DeliverCall, DeliverVerdict, Delivered, SendSignal,
};
use crate::checks::{content_type, given, payload_bytes, text};
use crate::operate::Operation;
use crate::statements::conflict;
use crate::{Declined, Engine, VerifiedWaitpointToken, random};

impl Engine {
    /// Delivers a signal to a waitpoint. The signal is durable when this returns; if it
    /// satisfies the condition, the execution resumes.
    ///
    /// A repeat with the same idempotency key is a duplicate, also when the waitpoint is
    /// closed or the token has expired by then.
    ///
    /// # Refusals
    /// See [`SignalRefusal`].
    pub async fn send_signal(
        &self,
        send: SendSignal,
    ) -> Result<Delivered, Declined<SignalRefusal>> {
        let answer = self.authorize_and_deliver(send).await;
        match &answer {
            Ok(delivered) => self.inner.signal_counters.count_delivered(delivered),
            Err(Declined::Refused(refusal)) => self.inner.signal_counters.count_refused(refusal),
            Err(Declined::Fault(_)) => {}
        }
        answer
    }

    /// Verifies the token of a caller who is about to send a signal, and returns its
    /// claims; an invalid one is counted as a signal that was refused.
    ///
    /// # Refusals
    /// [`InvalidWaitpointToken`], which does not say what is wrong with it.
    pub async fn verify_waitpoint_token_for_signal(
        &self,
        token: &str,
    ) -> Result<VerifiedWaitpointToken, Declined<InvalidWaitpointToken>> {
        let verified = self.verify_waitpoint_token_signature(token).await;
        if let Err(Declined::Refused(refusal)) = verified {
            self.inner.signal_counters.count_refused(&refusal.into());
        }
        verified
    }

    async fn authorize_and_deliver(
        &self,
        mut send: SendSignal,
    ) -> Result<Delivered, Declined<SignalRefusal>> {
        check(&mut send)?;
        let (execution_id, waitpoint, authority) = match &send.to {
            Addressee::Token {
                token,
                execution_id,
                namespace,
            } => {
                let verified = self.verify_waitpoint_token_signature(token).await?;
                let claims = verified.claims;
                let is_meant = execution_id.is_none_or(|id| id == claims.execution_id)
                    && namespace.as_ref().is_none_or(|it| *it == claims.namespace)
                    && claims.allows(&send.name);
                if !is_meant {
                    return Err(InvalidWaitpointToken.into());
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
                operate.by.check()?;
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
            id: SignalId(random::uuid()),
            waitpoint,
            authority,
            request: send,
        };
        let call = DeliverCall::signal(execution_id, signal);
        match self.inner.batchers.deliver.call(call).await? {
            DeliverVerdict::Signal(answer) => Ok(answer?),
            DeliverVerdict::Unreadable(error) => Err(error.into()),
            DeliverVerdict::Resume(_) | DeliverVerdict::Conflict => {
                Err(conflict(execution_id).into())
            }
        }
    }
}

/// Checks the bounds of a signal.
fn check(send: &mut SendSignal) -> Result<(), Invalid> {
    model::signal_name(&send.name)?;
    let operator = KnownSource::Operator.as_str();
    if matches!(send.to, Addressee::Token { .. }) && send.source_type == operator {
        let detail = format!("`{operator}` cannot be claimed with a token");
        return Err(Invalid::new("source_type", detail));
    }
    let max = Limits::SIGNAL_TEXT_BYTES_MAX;
    given("source_type", &send.source_type, max)?;
    given("source_identity", &send.source_identity, max)?;
    for (field, given) in [
        ("signal_category", &send.category),
        ("correlation_id", &send.correlation_id),
    ] {
        text(field, given.as_deref().unwrap_or_default(), max)?;
    }
    if let Some(key) = &send.idempotency_key {
        given("idempotency_key", key, Limits::KEY_BYTES_MAX)?;
    }
    model::time_limit("dedup_ttl_ms", send.dedup_ttl_ms)?;
    if let Some(payload) = &mut send.payload {
        content_type("payload.content_type", &mut payload.content_type)?;
        payload_bytes("payload", payload.data.len(), Limits::SIGNAL_BYTES_MAX)?;
    }
    Ok(())
}
