//! Runs a service until it ends.

use std::sync::Arc;

use super::setup::{call, open};
use super::{Phase, SandboxSetup};
use crate::host::bindings::service::ServicePre;
use crate::host::{Role, SandboxUsage, ServiceHost, State};

/// How a run of a service ended, and what it used.
pub(crate) struct ServiceExit {
    pub(crate) answer: wasmtime::Result<Result<(), String>>,
    pub(crate) phase: Phase,
    pub(crate) used: SandboxUsage,
}

/// Opens a sandbox, has the service serve and drops the sandbox.
///
/// Must be polled on a tokio runtime. Dropping the future stops the guest.
pub(crate) async fn serve(
    component: &ServicePre<State>,
    service: &Arc<dyn ServiceHost>,
    setup: SandboxSetup,
) -> ServiceExit {
    // Declared before the store, so that it is returned after the store was dropped.
    let _reservation = setup.reservation.clone();
    let mut store = open(component.engine(), Role::Service(service.clone()), setup);
    let mut phase = Phase::Opening;
    let serve = async {
        let guest = component.instantiate_async(&mut store).await?;
        phase = Phase::Running;
        guest.flowhost_engine_serve().call_serve(&mut store).await
    };
    let answer = call(serve, service.cpu(), service.stopped()).await;
    let answer = answer.unwrap_or_else(|stop| Err(stop.into()));
    ServiceExit {
        answer,
        phase,
        used: store.data().used(),
    }
}
