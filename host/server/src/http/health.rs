//! `/healthz` says that the process answers, `/readyz` that it can work.

use std::time::Duration;

use axum::extract::State;

use super::App;
use super::answer::Json;
use super::problem::{Code, Problem};
use crate::api::{Health, ProblemBody};

/// Longest the database may take to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// Says that the process answers, whatever the database does.
#[utoipa::path(
    get, path = "/healthz", tag = "operations",
    responses((status = 200, body = Health))
)]
pub async fn healthz(State(app): State<App>) -> Json<Health> {
    Json(health(&app))
}

/// Says whether the host can work: the database answers and the worker runs.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, body = Health),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn readyz(State(app): State<App>) -> Result<Json<Health>, Problem> {
    if !app.is_ready() {
        return Err(Problem::new(
            Code::NotReady,
            "the host is starting or closing",
        ));
    }
    match tokio::time::timeout(PING_TIMEOUT, app.engine.ping()).await {
        Ok(answer) => answer?,
        Err(_) => {
            let detail = format!(
                "the database did not answer within {} ms",
                PING_TIMEOUT.as_millis()
            );
            return Err(Problem::new(Code::Unavailable, detail));
        }
    }
    Ok(Json(health(&app)))
}

fn health(app: &App) -> Health {
    Health {
        status: "ok".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        worker_instance_id: app.instance.clone(),
    }
}
