//! signal: something arrives at a waitpoint.
//!
//! Checks the signal, opens its token and hands it to `deliver.rs`.

use model::{Invalid, InvalidToken, KnownSource, Limits, SignalId, SignalRefusal};
use time::OffsetDateTime;

use super::deliver::{DeliverCall, DeliverVerdict};
use super::{Addressee, Deliver, Delivered, WaitpointRef};
use crate::checks::{content_type, payload_bytes, text};
use crate::operate::Operation;
use crate::statements::conflict;
use crate::{Answer, Engine, OpenedToken, mint};

/// A signal on its way.
#[derive(Debug)]
pub(super) struct Signal {
    pub(super) id: SignalId,
    pub(super) waitpoint: WaitpointRef,
    pub(super) right: Right,
    pub(super) deliver: Deliver,
}

/// What gives the right to signal.
#[derive(Debug)]
pub(super) enum Right {
    /// A token that was opened.
    Token {
        kid: String,
        expires_at: Option<OffsetDateTime>,
        namespace: String,
    },
    /// An operator.
    Operator {
        namespace: Option<String>,
        operation: Operation,
    },
}

impl Engine {
    /// Delivers a signal to a waitpoint. Durable when this returns; if it
    /// satisfies the condition, the execution goes on.
    ///
    /// A repeat under the same key is a duplicate, also when the waitpoint is closed or
    /// the token is over by then.
    ///
    /// # Refusals
    /// See [`SignalRefusal`].
    pub async fn signal(&self, deliver: Deliver) -> Answer<Delivered, SignalRefusal> {
        let answer = self.deliver(deliver).await?;
        self.inner.signals.count(&answer);
        Ok(answer)
    }

    /// Opens the token of somebody who is about to signal, for what it says; one that
    /// does not open is counted as the signal that comes of it.
    ///
    /// # Refusals
    /// [`InvalidToken`], whatever is wrong with it.
    pub async fn open_signal_token(&self, token: &str) -> Answer<OpenedToken, InvalidToken> {
        let opened = self.open_waitpoint_token(token).await?;
        if let Err(refusal) = opened {
            self.inner.signals.count(&Err(refusal.into()));
        }
        Ok(opened)
    }

    async fn deliver(&self, mut deliver: Deliver) -> Answer<Delivered, SignalRefusal> {
        if let Err(invalid) = check(&mut deliver) {
            return Ok(Err(invalid.into()));
        }
        let (execution_id, waitpoint, right) = match &mut deliver.to {
            Addressee::Token {
                token,
                execution_id,
                namespace,
            } => {
                let opened = match self.open_waitpoint_token(token).await? {
                    Ok(opened) => opened,
                    Err(refusal) => return Ok(Err(refusal.into())),
                };
                let claims = opened.claims;
                let meant = execution_id.is_none_or(|id| id == claims.execution_id)
                    && namespace.as_ref().is_none_or(|it| *it == claims.namespace)
                    && claims.allows(&deliver.name);
                if !meant {
                    return Ok(Err(InvalidToken.into()));
                }
                let right = Right::Token {
                    kid: opened.kid,
                    expires_at: opened.expires_at,
                    namespace: claims.namespace,
                };
                let waitpoint = WaitpointRef::Id(claims.waitpoint_id);
                (claims.execution_id, waitpoint, right)
            }
            Addressee::Operator { operate, waitpoint } => {
                if let Err(invalid) = operate.by.check() {
                    return Ok(Err(invalid.into()));
                }
                let operation = Operation {
                    verb: "signal",
                    by: operate.by.clone(),
                };
                let right = Right::Operator {
                    namespace: operate.namespace.clone(),
                    operation,
                };
                (operate.id, waitpoint.clone(), right)
            }
        };
        let signal = Signal {
            id: SignalId(mint::random_id()),
            waitpoint,
            right,
            deliver,
        };
        let call = DeliverCall::signal(execution_id, signal);
        match self.inner.deliver.call(call).await? {
            DeliverVerdict::Signal(answer) => Ok(answer),
            DeliverVerdict::Unreadable(error) => Err(error),
            DeliverVerdict::Resume(_) | DeliverVerdict::Moving => Err(conflict(execution_id)),
        }
    }
}

/// Checks the bounds of a signal.
fn check(deliver: &mut Deliver) -> Result<(), Invalid> {
    model::signal_name(&deliver.name)?;
    let operator = KnownSource::Operator.as_str();
    if matches!(deliver.to, Addressee::Token { .. }) && deliver.source_type == operator {
        let detail = format!("`{operator}` cannot be claimed by whoever carries a token");
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
