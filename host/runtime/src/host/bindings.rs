//! What `wit/` says, as Rust: the worlds `handler` and `service` seen from the
//! host. What both import exists once; `events` is the service's alone.
//!
//! Functions that wait for the database are async and may trap; the others
//! are sync and may trap too, since every call counts against a bound. Those with an
//! error of their interface return a [`CallError`](super::CallError).

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "handler",
    imports: {
        "flowhost:engine/claim.[method]lease.renew": async | trappable,
        "flowhost:engine/claim.[method]lease.progress": async | trappable,
        "flowhost:engine/claim.next": async | trappable,
        "flowhost:engine/complete": async | trappable,
        "flowhost:engine/executions.[method]request.create": async | trappable,
        "flowhost:engine/executions.describe": async | trappable,
        "flowhost:engine/executions.result": async | trappable,
        "flowhost:engine/executions.cancel": async | trappable,
        "flowhost:engine/executions.set-tags": async | trappable,
        "flowhost:engine/flows.[method]new-flow.create": async | trappable,
        "flowhost:engine/flows.start-children": async | trappable,
        "flowhost:engine/flows.children": async | trappable,
        "flowhost:engine/flows.wait-children": async | trappable,
        "flowhost:engine/flows.inputs": async | trappable,
        "flowhost:engine/flows.read-input": async | trappable,
        "flowhost:engine/flows.grow": async | trappable,
        "flowhost:engine/flows.describe": async | trappable,
        "flowhost:engine/flows.members": async | trappable,
        "flowhost:engine/flows.set-tags": async | trappable,
        "flowhost:engine/flows.cancel": async | trappable,
        "flowhost:engine/signal.[method]signal.deliver": async | trappable,
        "flowhost:engine/signal.observe": async | trappable,
        "flowhost:engine/streams": async | trappable,
        "flowhost:engine/suspend.[method]request.suspend": async | trappable,
        "flowhost:engine/suspend.create-waitpoint": async | trappable,
        "flowhost:engine/suspend.close-waitpoint": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    trappable_error_type: {
        "flowhost:engine/claim.claim-error" => crate::host::ClaimCallError,
        "flowhost:engine/claim.lease-error" => crate::host::LeaseCallError,
        "flowhost:engine/executions.error" => crate::host::ExecutionsCallError,
        "flowhost:engine/flows.flow-error" => crate::host::FlowCallError,
        "flowhost:engine/signal.signal-error" => crate::host::SignalCallError,
        "flowhost:engine/streams.stream-error" => crate::host::StreamCallError,
        "flowhost:engine/suspend.suspend-error" => crate::host::SuspendCallError,
    },
    with: {
        "flowhost:engine/claim.lease": crate::host::LeaseHandle,
        "flowhost:engine/executions.request": crate::host::Request,
        "flowhost:engine/flows.graph": crate::host::Graph,
        "flowhost:engine/flows.new-flow": crate::host::NewFlow,
        "flowhost:engine/signal.signal": crate::host::Signal,
        "flowhost:engine/suspend.request": crate::host::SuspendRequest,
    },
});

/// The world `service`.
pub(crate) mod service {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "service",
        imports: {
            "flowhost:engine/events.[method]reader.read": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        trappable_error_type: {
            "flowhost:engine/events.events-error" => crate::host::EventsCallError,
        },
        with: {
            "flowhost:engine/events.reader": crate::host::EventReader,
            "flowhost:engine/types": crate::host::bindings::flowhost::engine::types,
            "flowhost:engine/claim": crate::host::bindings::flowhost::engine::claim,
            "flowhost:engine/complete": crate::host::bindings::flowhost::engine::complete,
            "flowhost:engine/executions": crate::host::bindings::flowhost::engine::executions,
            "flowhost:engine/flows": crate::host::bindings::flowhost::engine::flows,
            "flowhost:engine/log": crate::host::bindings::flowhost::engine::log,
            "flowhost:engine/signal": crate::host::bindings::flowhost::engine::signal,
            "flowhost:engine/streams": crate::host::bindings::flowhost::engine::streams,
            "flowhost:engine/suspend": crate::host::bindings::flowhost::engine::suspend,
        },
    });
}
