//! `/v1/workers`: who said that it works, and until when that is believed.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use engine::{MarkDead, RegisterWorker, WorkerFilter};
use model::{WorkerRefusal, WorkerType};

use crate::api::{
    Beat, DeadWorker, MarkWorkerDead, ProblemBody, RegisterNativeWorker, RegisteredWorker, Worker,
    WorkerPage,
};
use crate::http::answer::Json;
use crate::http::page::List;
use crate::http::path::Path;
use crate::http::problem::{Code, Problem};
use crate::http::query::Query;
use crate::http::{App, body};

/// Registers a worker, or hears again from one that is registered.
///
/// The kinds it names can be created from now on. A worker need not register to
/// claim.
#[utoipa::path(
    post, path = "/v1/workers", tag = "workers",
    request_body = RegisterNativeWorker,
    responses(
        (status = 201, body = RegisteredWorker, description = "Registered"),
        (status = 200, body = RegisteredWorker, description = "Was live already"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn register(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<RegisteredWorker>), Problem> {
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let request: RegisterNativeWorker = body::json(&headers, &bytes)?;
    let worker_instance_id = request.worker_instance_id.clone();
    let worker = RegisterWorker {
        worker_instance_id: request.worker_instance_id,
        worker_id: request.worker_id,
        worker_type: WorkerType::Native,
        namespace: request.namespace,
        lanes: request.lanes,
        kinds: request.kinds,
        capabilities: request.capabilities,
        host: request.host,
        version: request.version,
        liveness_ttl_ms: request.liveness_ttl_ms,
    };
    let registered = app.engine.register_worker(worker).await??;
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

/// Lists workers by the names of their instances.
#[utoipa::path(
    get, path = "/v1/workers", tag = "workers",
    params(
        ("namespace" = Option<String>, Query, description = "That work for this namespace"),
        ("lane" = Option<String>, Query, description = "That serve this lane"),
        ("live" = Option<bool>, Query, description = "That are live, or that are not"),
        ("after" = Option<String>, Query, description = "The `next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Most workers, 1 to 1000; 50 when absent"),
    ),
    responses(
        (status = 200, body = WorkerPage),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(app): State<App>,
    list: List,
    mut query: Query,
) -> Result<Json<WorkerPage>, Problem> {
    let filter = WorkerFilter {
        worker_instance_id: None,
        namespace: query.namespace()?,
        lane: query.text("lane")?,
        live: query.value("live")?,
    };
    let after: Option<String> = list.after(&mut query)?;
    let limit = query.limit()?;
    query.end()?;
    let workers = app.engine.workers(&filter, after.as_deref(), limit).await?;
    Ok(Json(WorkerPage::new(workers, |name| list.cursor(name))))
}

/// Returns a worker.
#[utoipa::path(
    get, path = "/v1/workers/{worker_instance_id}", tag = "workers",
    params(("worker_instance_id" = String, Path, description = "The process")),
    responses(
        (status = 200, body = Worker),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn get(
    State(app): State<App>,
    Path(worker): Path<String>,
    query: Query,
) -> Result<Json<Worker>, Problem> {
    query.end()?;
    model::worker_name("worker_instance_id", &worker)?;
    let filter = WorkerFilter {
        worker_instance_id: Some(worker),
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

/// Hears from a worker. One whose time has passed registers again.
#[utoipa::path(
    post, path = "/v1/workers/{worker_instance_id}/heartbeat", tag = "workers",
    params(("worker_instance_id" = String, Path, description = "The process")),
    responses(
        (status = 200, body = Beat),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn heartbeat(
    State(app): State<App>,
    Path(worker): Path<String>,
    query: Query,
) -> Result<Json<Beat>, Problem> {
    query.end()?;
    let next_expiry = app.engine.heartbeat_worker(&worker).await??;
    Ok(Json(Beat { next_expiry }))
}

/// Forgets a worker that ends well. Leases it still holds are not touched.
#[utoipa::path(
    delete, path = "/v1/workers/{worker_instance_id}", tag = "workers",
    params(("worker_instance_id" = String, Path, description = "The process")),
    responses(
        (status = 204, description = "Forgotten"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn retire(
    State(app): State<App>,
    Path(worker): Path<String>,
    query: Query,
) -> Result<StatusCode, Problem> {
    query.end()?;
    app.engine.retire_worker(&worker).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Marks a worker dead, on somebody's word.
///
/// Its leases are left to lapse, unless they shall be revoked. Marking it again
/// changes nothing and succeeds.
#[utoipa::path(
    post, path = "/v1/workers/{worker_instance_id}/dead", tag = "workers",
    params(("worker_instance_id" = String, Path, description = "The process")),
    request_body = MarkWorkerDead,
    responses(
        (status = 200, body = DeadWorker),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn dead(
    State(app): State<App>,
    Path(worker_instance_id): Path<String>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<DeadWorker>, Problem> {
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let request: MarkWorkerDead = body::json(&headers, &bytes)?;
    let marked = app.engine.mark_worker_dead(MarkDead {
        worker_instance_id: worker_instance_id.clone(),
        reason: request.reason,
        revoke_leases: request.revoke_leases,
    });
    let marked = marked.await??;
    Ok(Json(DeadWorker {
        worker_instance_id,
        already: marked.already,
        revoked: marked.revoked,
    }))
}
