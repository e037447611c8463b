//! `/v1/components`: what handles executions, by digest.

use axum::extract::State;
use model::{Digest, DigestError};

use crate::api::{Component, Components};
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::page::{ListRequest, Paging};
use crate::http::path::Path;
use crate::http::problem::{Code, Problem};
use crate::http::query::NoQuery;

/// Lists the components published, the last one first.
#[utoipa::path(
    get, path = "/v1/components", tag = "components",
    params(Paging),
    responses((status = 200, body = Components))
)]
pub async fn list(app: State<App>, list: ListRequest<(), i32>) -> Answer<Components> {
    let components = app.engine.components(list.after, list.limit).await?;
    Ok(Json(Components::new(components, |id| list.cursor(id))))
}

/// Shows one component.
#[utoipa::path(
    get, path = "/v1/components/{digest}", tag = "components",
    params(("digest" = String, Path, description = "`sha256:` and 64 hexadecimal digits")),
    responses((status = 200, body = Component))
)]
pub async fn get(app: State<App>, Path(digest): Path<String>, _: NoQuery) -> Answer<Component> {
    let digest = parse(&digest)?;
    let component = app.engine.component(digest).await?;
    component.map(|row| Json(row.into())).ok_or_else(|| {
        Problem::new(
            Code::ComponentNotFound,
            format!("there is no component {digest}"),
        )
    })
}

/// Reads a digest in a path.
pub(super) fn parse(digest: &str) -> Result<Digest, Problem> {
    digest
        .parse()
        .map_err(|error: DigestError| Problem::new(Code::InvalidId, error.to_string()))
}
