//! The routes of the API, as its description lists them.

use reqwest::{Method, StatusCode};

use crate::support::api::Api;

/// Every method and path of the API, as its description lists them, but `callbacks`.
pub(crate) async fn routes(api: &Api) -> Vec<(Method, String)> {
    let (status, document) = api.get("/openapi.json").await;
    assert_eq!(status, StatusCode::OK);
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let method = method.to_uppercase().parse().expect("a method");
            routes.push((method, path.clone()));
        }
    }
    routes.retain(|(_, path)| !path.starts_with("/v1/callbacks/"));
    assert!(routes.len() > 60, "{}", routes.len());
    routes
}

/// A path with something in place of its parameters.
pub(crate) fn filled(path: &str) -> String {
    path.replace("{id}", "00000000-0000-7000-8000-000000000000")
        .replace("{digest}", &"0".repeat(64))
        .replace(['{', '}'], "")
}
