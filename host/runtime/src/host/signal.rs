//! The interface `signal`: signals that a guest sends to suspended executions, and those
//! that its own execution received.
//!
//! A token names the waitpoint; the engine checks that it is valid and of the guest's own
//! namespace.

use engine::{Addressee, Delivered as EngineDelivered, SendSignal};
use model::{Limits, SignalRefusal};
use wasmtime::component::Resource;

use super::bindings::flowhost::engine::signal::{
    Delivered, Host, HostSignal, ReceivedSignal, SignalError,
};
use super::bindings::flowhost::engine::types;
use super::convert::said;
use super::convert::{Bounds, payload_bytes, received, signals_bytes, text_bytes};
use super::setters::setters;
use super::store::{HostResource, refused};
use super::{LeaseCallError, LeaseHandle, SignalCallError, State};

/// A signal about to be sent.
pub struct Signal {
    name: String,
    payload: Option<types::Payload>,
    category: Option<String>,
    correlation_id: Option<String>,
    idempotency_key: Option<String>,
    dedup_ttl_ms: Option<u64>,
    bounds: Bounds,
}

impl HostResource for Signal {
    fn owned_bytes(&self) -> usize {
        let texts = [&self.category, &self.correlation_id, &self.idempotency_key];
        self.name.len()
            + self.payload.as_ref().map_or(0, payload_bytes)
            + texts
                .map(|text| text_bytes(text.as_ref()))
                .iter()
                .sum::<usize>()
            + self.bounds.owned_bytes()
    }
}

impl Host for State {
    fn convert_signal_error(&mut self, error: SignalCallError) -> wasmtime::Result<SignalError> {
        error.refused()
    }

    async fn observe(
        &mut self,
        lease: Resource<LeaseHandle>,
        first: u32,
    ) -> Result<Vec<ReceivedSignal>, LeaseCallError> {
        self.count_call(0)?;
        let held = self.held(&lease)?;
        let signals: Vec<_> = if let Some(backend) = self.engine() {
            let fence = held.attempt.fence;
            let answer = backend.call(&mut self.meter, 0, |engine| async move {
                engine.observe_signals(fence, first).await
            });
            let signals = match answer.await? {
                Ok(signals) => signals,
                Err(declined) => return Err(refused(&held, declined.refusal()?).into()),
            };
            signals.into_iter().map(received).collect()
        } else {
            let signals = held.resumption.as_ref().map(|it| it.signals.as_slice());
            let rest = signals.and_then(|signals| signals.get(first as usize..));
            rest.unwrap_or_default().to_vec()
        };
        self.charge_answer(signals_bytes(&signals))?;
        Ok(signals)
    }
}

impl HostSignal for State {
    fn new(&mut self, name: String) -> wasmtime::Result<Resource<Signal>> {
        self.count_call(name.len())?;
        let mut bounds = Bounds::default();
        let name = bounds.keep(model::signal_name(&name).map(|()| name));
        self.push(Signal {
            name: name.unwrap_or_default(),
            payload: None,
            category: None,
            correlation_id: None,
            idempotency_key: None,
            dedup_ttl_ms: None,
            bounds,
        })
    }

    setters! { Signal:
        set_payload(payload: types::Payload, payload_bytes(&payload)) signal => {
            let max = Limits::SIGNAL_BYTES_MAX;
            signal.payload = signal.bounds.payload("payload", payload, max);
        };
        set_category(category: String, category.len()) signal => {
            let max = Limits::SIGNAL_TEXT_BYTES_MAX;
            signal.category = signal.bounds.text("category", category, max);
        };
        set_correlation_id(id: String, id.len()) signal => {
            let max = Limits::SIGNAL_TEXT_BYTES_MAX;
            signal.correlation_id = signal.bounds.text("correlation_id", id, max);
        };
        set_idempotency_key(key: String, key.len()) signal => {
            let max = Limits::KEY_BYTES_MAX;
            signal.idempotency_key = signal.bounds.text("idempotency_key", key, max);
        };
        set_dedup_ttl_ms(ttl_ms: u64, 0) signal => signal.dedup_ttl_ms = Some(ttl_ms);
    }

    async fn deliver(
        &mut self,
        signal: Resource<Signal>,
        token: String,
    ) -> Result<Delivered, SignalCallError> {
        self.count_call(token.len())?;
        let (backend, caller) = self.engine_and_caller()?;
        let signal = self.get(&signal)?;
        let carries = token.len() + signal.owned_bytes();
        signal.bounds.check()?;
        let deliver = SendSignal {
            to: Addressee::Token {
                token,
                execution_id: None,
                namespace: Some(caller.namespace),
            },
            name: signal.name.clone(),
            category: signal.category.clone(),
            source_type: caller.source_type.to_owned(),
            source_identity: caller.source_identity,
            credential: None,
            correlation_id: signal.correlation_id.clone(),
            payload: signal.payload.clone().map(Into::into),
            idempotency_key: signal.idempotency_key.clone(),
            dedup_ttl_ms: signal.dedup_ttl_ms,
        };
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.send_signal(deliver).await
        });
        match answer.await? {
            Ok(answer) => Ok(delivered(answer)),
            Err(declined) => Err(signal_refusal(declined.refusal()?).into()),
        }
    }

    fn drop(&mut self, signal: Resource<Signal>) -> wasmtime::Result<()> {
        self.delete(signal)?;
        Ok(())
    }
}

fn delivered(answer: EngineDelivered) -> Delivered {
    Delivered {
        id: answer.signal_id.to_string(),
        execution_id: answer.execution_id.to_string(),
        waitpoint_id: answer.waitpoint_id.to_string(),
        effect: answer.effect.into(),
        duplicate: answer.duplicate,
    }
}

fn signal_refusal(refusal: SignalRefusal) -> SignalError {
    match refusal {
        SignalRefusal::InvalidWaitpointToken(_) => SignalError::InvalidToken,
        // A token names one waitpoint, so none is ever ambiguous.
        SignalRefusal::ExecutionNotFound
        | SignalRefusal::WaitpointNotFound
        | SignalRefusal::WaitpointAmbiguous { .. } => SignalError::WaitpointNotFound,
        SignalRefusal::TargetNotSignalable { .. } => SignalError::TargetNotSignalable,
        SignalRefusal::WaitpointClosed { .. } => SignalError::WaitpointClosed,
        SignalRefusal::SignalLimitExceeded { max } => SignalError::SignalLimitExceeded(max),
        SignalRefusal::Invalid(invalid) => SignalError::Invalid(said(&invalid)),
        SignalRefusal::ApprovalByRequester { .. } => {
            unreachable!("invariant: a guest signals without a credential")
        }
    }
}
