//! What documentation says of access, printed from the table of routes.

use std::fmt::Write as _;

use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};

use super::Access;
use crate::http::routes::ROUTES;

/// Name of the security scheme.
pub const BEARER: &str = "bearer";

/// Returns the scheme by which callers send credentials.
pub fn scheme() -> SecurityScheme {
    let about = "An API key, which begins with `fh_`, or a token of the configured issuer. A host without `access.required` asks for none.";
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(about));
    SecurityScheme::Http(scheme.build())
}

/// Says in the description of a route who may use it.
pub fn document(operation: &mut Operation, access: Access) {
    let (role, sentence) = match access {
        Access::Public => ("public", "Wants no credential.".to_owned()),
        Access::Wants { role, within } => (
            role.as_str(),
            format!("Wants the role `{role}` {}.", within.place()),
        ),
    };
    let description = operation.description.take().unwrap_or_default();
    let description = [description.trim_end(), &sentence].join("\n\n");
    operation.description = Some(description.trim_start().to_owned());
    let extensions = ExtensionsBuilder::new().add("x-flowhost-role", role);
    operation.extensions = Some(extensions.build());
    if access == Access::Public {
        operation.security = Some(Vec::new());
        return;
    }
    let none: [&str; 0] = [];
    operation.security = Some(vec![SecurityRequirement::new(BEARER, none)]);
}

/// Returns the table of `docs/security.md`: every route, the role it wants and where.
pub fn table() -> String {
    let mut table = String::from("| route | role | where |\n|---|---|---|\n");
    for route in ROUTES.iter() {
        let (role, place) = match route.access {
            Access::Public => (
                "none",
                "the path is the authority, or there is nothing to hide",
            ),
            Access::Wants { role, within } => (role.as_str(), within.place()),
        };
        let (method, path) = (&route.method, &route.path);
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| `{method} {path}` | {role} | {place} |");
    }
    table
}
