//! `/healthz` says that the process answers, `/readyz` that it can work.
//!
//! Work needs a database that takes writes, connections to it, flushes that
//! end, sweeps that succeed, tasks that do not panic, and a host that is
//! neither starting nor ending. A problem names each of these that is
//! missing, for how long, and why.

use axum::extract::State;
use engine::Trouble;
use serde_json::json;

use crate::api::Health;
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::problem::{Code, Problem};

/// Says that the process answers, also without its database.
#[utoipa::path(
    get, path = "/healthz", tag = "host",
    responses((status = 200, body = Health))
)]
pub async fn healthz(app: State<App>) -> Json<Health> {
    Json(health(&app))
}

/// Says whether the host can work.
///
/// If not, the problem has a member `troubles`: a list of what is missing, each with
/// `part`, `for_ms` and `why`.
#[utoipa::path(
    get, path = "/readyz", tag = "host",
    responses((status = 200, body = Health))
)]
pub async fn readyz(app: State<App>) -> Answer<Health> {
    let mut troubles = app.engine.troubles().await;
    if let Some(lasting) = app.draining() {
        troubles.insert(0, of_host("draining", lasting));
    } else if !app.is_ready() {
        troubles.insert(0, of_host("starting", app.counters.age()));
    }
    if troubles.is_empty() {
        return Ok(Json(health(&app)));
    }
    let names: Vec<&str> = troubles.iter().map(|it| it.part.as_str()).collect();
    let detail = format!("not ready: {}", names.join(", "));
    let shown: Vec<_> = troubles
        .iter()
        .map(|it| json!({"part": it.part, "for_ms": it.lasting.as_millis() as u64, "why": it.why}))
        .collect();
    Err(Problem::new(Code::NotReady, detail).with("troubles", shown))
}

fn of_host(part: &str, lasting: std::time::Duration) -> Trouble {
    Trouble {
        part: part.to_owned(),
        lasting,
        why: format!("the host is {part}"),
    }
}

fn health(app: &App) -> Health {
    Health {
        status: "ok".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        worker_instance_id: app.instance.clone(),
    }
}
