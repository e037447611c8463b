//! `/v1/login` says where people log in. It is public: a caller needs it to get a
//! credential.

use axum::extract::State;

use crate::api::{Login, ProblemBody};
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::problem::{Code, Problem};
use crate::http::query::NoQuery;

/// Says at which issuer people log in, for programs that do it for them.
///
/// A host that names none (`oidc.issuer` and `oidc.client_id`) answers `not_found`.
#[utoipa::path(
    get, path = "/v1/login", tag = "host",
    responses(
        (status = 200, body = Login),
        (status = 404, description = "`not_found`: people cannot log in here", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn login(app: State<App>, _: NoQuery) -> Answer<Login> {
    let settings = &app.doors.oidc_settings;
    let named = (&settings.issuer, &settings.client_id, &settings.audience);
    let (Some(issuer), Some(client_id), Some(audience)) = named else {
        let detail = "no one can log in here: the host names no issuer and client (oidc.issuer, oidc.client_id)";
        return Err(Problem::new(Code::NotFound, detail));
    };
    Ok(Json(Login {
        issuer: issuer.clone(),
        client_id: client_id.clone(),
        scopes: settings.scopes.clone(),
        audience: audience.clone(),
    }))
}
