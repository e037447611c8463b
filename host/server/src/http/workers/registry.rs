//! `/v1/workers`: which workers registered, and until when each is believed to be live.

use axum::extract::State;
use axum::http::StatusCode;
use engine::{MarkDead, RegisterWorker, WorkerFilter};
use model::{WorkerRefusal, WorkerType};

use crate::api::{
    Beat, DeadWorker, MarkWorkerDead, RegisterNativeWorker, RegisteredWorker, Worker, WorkerPage,
};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Answer, Json};
use crate::http::body::Body;
use crate::http::page::{ListRequest, Paging};
use crate::http::path::Path;
use crate::http::problem::{Code, Problem};
use crate::http::query::{FromQuery, Given, InNamespace, NoQuery, Query};

/// Registers a worker, or refreshes one that is registered.
///
/// The kinds it names can be created from now on. A worker need not register to
/// claim.
#[utoipa::path(
    post, path = "/v1/workers", tag = "workers",
    request_body = RegisterNativeWorker,
    responses(
        (status = 201, body = RegisteredWorker, description = "Registered"),
        (status = 200, body = RegisteredWorker, description = "Was live already"),
    )
)]
pub async fn register(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<RegisterNativeWorker>,
) -> Result<(StatusCode, Json<RegisteredWorker>), Problem> {
    let worker_instance_id = request.worker_instance_id.clone();
    let namespace = caller.within(request.namespace.as_deref())?;
    let worker = RegisterWorker {
        worker_instance_id: request.worker_instance_id,
        worker_id: request.worker_id,
        worker_type: WorkerType::Native,
        namespace,
        keeps_namespace: caller.is_confined(),
        lanes: request.lanes,
        kinds: request.kinds,
        capabilities: request.capabilities,
        host: request.host,
        version: request.version,
        liveness_ttl_ms: request.liveness_ttl_ms,
    };
    let registered = app.engine.register_worker(worker).await?;
    let status = if registered.refreshed {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let shown = RegisteredWorker {
        worker_instance_id,
        refreshed: registered.refreshed,
        expires_at: registered.expires_at,
    };
    Ok((status, Json(shown)))
}

/// Which workers are listed: those for which every filter given holds.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filters {
    /// That serve this lane
    lane: Option<String>,
    /// That are live, or that are not
    live: Option<bool>,
}

impl FromQuery for Filters {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let lane = given.text("lane")?;
        if let Some(lane) = &lane {
            model::lane_name(lane)?;
        }
        Ok(Self {
            lane,
            live: given.value("live")?,
        })
    }
}

/// Lists workers by the names of their instances.
#[utoipa::path(
    get, path = "/v1/workers", tag = "workers",
    params(InNamespace, Filters, Paging),
    responses((status = 200, body = WorkerPage))
)]
pub async fn list(
    State(app): State<App>,
    mut list: ListRequest<(InNamespace, Filters), String>,
) -> Answer<WorkerPage> {
    let (within, filters) = &mut list.filter;
    let filter = WorkerFilter {
        worker_instance_id: None,
        namespace: within.namespace.take(),
        lane: filters.lane.take(),
        live: filters.live,
    };
    let after = list.after.as_deref();
    let workers = app.engine.workers(&filter, after, list.limit).await?;
    Ok(Json(WorkerPage::new(workers, |name| list.cursor(name))))
}

/// Returns a worker.
#[utoipa::path(
    get, path = "/v1/workers/{worker_instance_id}", tag = "workers",
    params(("worker_instance_id" = String, Path, description = "The process"), InNamespace),
    responses((status = 200, body = Worker))
)]
pub async fn get(
    State(app): State<App>,
    Path(worker): Path<String>,
    Query(within): Query<InNamespace>,
) -> Answer<Worker> {
    model::worker_name("worker_instance_id", &worker)?;
    let filter = WorkerFilter {
        worker_instance_id: Some(worker),
        namespace: within.namespace,
        ..WorkerFilter::default()
    };
    let mut found = app.engine.workers(&filter, None, 1).await?;
    match (found.rows.pop(), found.unreadable.pop()) {
        (Some(worker), _) => Ok(Json(worker.into())),
        (None, Some(unreadable)) => {
            Err(Problem::new(Code::Unreadable, unreadable.detail).with("id", unreadable.id))
        }
        (None, None) => Err(WorkerRefusal::NotRegistered.into()),
    }
}

/// Extends the time for which a worker is believed to be live. A worker that has expired
/// registers again.
#[utoipa::path(
    post, path = "/v1/workers/{worker_instance_id}/heartbeat", tag = "workers",
    params(("worker_instance_id" = String, Path, description = "The process"), InNamespace),
    responses((status = 200, body = Beat))
)]
pub async fn heartbeat(
    State(app): State<App>,
    Path(worker): Path<String>,
    Query(within): Query<InNamespace>,
) -> Answer<Beat> {
    let next_expiry = app.engine.heartbeat_worker(&worker, within.name()).await?;
    Ok(Json(Beat { next_expiry }))
}

/// Removes a worker that ends in good order. Leases it still holds are not touched.
#[utoipa::path(
    delete, path = "/v1/workers/{worker_instance_id}", tag = "workers",
    params(("worker_instance_id" = String, Path, description = "The process"), InNamespace),
    responses(
        (status = 204, description = "Removed"),
    )
)]
pub async fn retire(
    State(app): State<App>,
    Path(worker): Path<String>,
    Query(within): Query<InNamespace>,
) -> Result<StatusCode, Problem> {
    app.engine.retire_worker(&worker, within.name()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Marks a worker dead, because the caller knows that it is.
///
/// Its leases are left to expire, unless the request revokes them. Marking it again
/// changes nothing and succeeds.
#[utoipa::path(
    post, path = "/v1/workers/{worker_instance_id}/dead", tag = "workers",
    params(("worker_instance_id" = String, Path, description = "The process"), InNamespace),
    request_body = MarkWorkerDead,
    responses((status = 200, body = DeadWorker))
)]
pub async fn dead(
    State(app): State<App>,
    Path(worker_instance_id): Path<String>,
    Query(within): Query<InNamespace>,
    Body(request): Body<MarkWorkerDead>,
) -> Answer<DeadWorker> {
    let marked = app.engine.mark_worker_dead(MarkDead {
        worker_instance_id: worker_instance_id.clone(),
        namespace: within.namespace,
        reason: request.reason,
        revoke_leases: request.revoke_leases,
    });
    let marked = marked.await?;
    Ok(Json(DeadWorker {
        worker_instance_id,
        already: marked.already,
        revoked: marked.revoked,
    }))
}
