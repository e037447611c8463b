//! The table of routes is what happens: every route, asked by every role of one namespace and
//! of all, for its own namespace, a foreign one and none.

use std::collections::BTreeSet;

use model::Role;
use reqwest::Method;
use serde_json::{Value, json};
use server::http::{Access, ROUTES, Route, Within};

use super::guarded::{Guarded, Key, Raw};
use crate::support::routes::filled;

/// The namespace of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Own,
    Foreign,
    None,
}

impl Names {
    const ALL: [Self; 3] = [Self::Own, Self::Foreign, Self::None];

    const fn namespace(self) -> Option<&'static str> {
        match self {
            Self::Own => Some("a"),
            Self::Foreign => Some("b"),
            Self::None => None,
        }
    }
}

/// What the table says of a request.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// It is not refused for who asks.
    Passes,
    /// The role is missing, in this namespace if one is named.
    Missing(Option<&'static str>),
}

/// Reads the table.
fn told(route: &Route, role: Role, confined: bool, names: Names) -> Told {
    let Access::Wants {
        role: wanted,
        within,
    } = route.access
    else {
        return Told::Passes;
    };
    let named = match within {
        Within::Query => names.namespace(),
        _ => None,
    };
    if !role.covers(wanted) {
        return Told::Missing(named);
    }
    match within {
        Within::Instance if confined => Told::Missing(None),
        Within::Query | Within::Body if confined && names == Names::Foreign => {
            Told::Missing(names.namespace())
        }
        _ => Told::Passes,
    }
}

/// Builds path and body of a request that names a namespace where its route reads one.
fn request(route: &Route, names: Names) -> (String, Option<Value>) {
    let mut path = filled(&route.path);
    let namespace = names.namespace();
    let within = match route.access {
        Access::Wants { within, .. } => Some(within),
        Access::Public => None,
    };
    if within == Some(Within::Query)
        && let Some(namespace) = namespace
    {
        path = format!("{path}?namespace={namespace}");
    }
    if route.method == Method::GET {
        return (path, None);
    }
    let create = json!({"kind": "word", "namespace": namespace});
    let body = match route.path.as_str() {
        "/v1/executions" | "/v1/flows" => create,
        "/v1/executions/batch" => json!({"executions": [create]}),
        "/v1/workers" => json!({
            "worker_id": "w", "worker_instance_id": "w-1", "namespace": namespace,
        }),
        "/v1/webhooks" => json!({
            "name": "w", "url": "https://example.invalid/", "family": "completion",
            "namespace": namespace,
        }),
        "/v1/workers/{worker_instance_id}/claim" => {
            let namespaces: Vec<_> = namespace.into_iter().collect();
            json!({"kinds": ["word"], "namespaces": namespaces})
        }
        _ => json!({}),
    };
    (path, Some(body))
}

/// Reads from an answer, or from its only verdict, whether the role is missing, and where.
fn missing(answer: &Raw) -> Option<Value> {
    let body: Value = serde_json::from_str(&answer.1).unwrap_or_default();
    let problem = match body["code"].is_string() {
        true => &body,
        false => &body["results"][0]["problem"],
    };
    (problem["code"] == "role_missing").then(|| problem["namespace"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_every_role_as_the_table_says() {
    let host = Guarded::start().await;
    host.word().await;
    let mut keys: Vec<(Role, bool, Key)> = Vec::new();
    for role in Role::ALL {
        for confined in [true, false] {
            let name = format!("{role}-{confined}");
            let namespace = confined.then_some("a");
            keys.push((*role, confined, host.key(&name, *role, namespace).await));
        }
    }
    let mut wrong = Vec::new();
    let mut asked = 0;
    for route in ROUTES.iter() {
        for (role, confined, key) in &keys {
            for names in Names::ALL {
                let (path, body) = request(route, names);
                let method = route.method.clone();
                let answer = host
                    .raw(Some(&key.text), method, &path, body.as_ref())
                    .await;
                let happened = match missing(&answer) {
                    Some(_) if answer.0 == 401 => continue,
                    Some(Value::Null) => Told::Missing(None),
                    Some(namespace) => {
                        let known = ["a", "b"].into_iter().find(|it| namespace == *it);
                        Told::Missing(Some(known.expect("a namespace of this test")))
                    }
                    None => Told::Passes,
                };
                let expected = told(route, *role, *confined, names);
                asked += 1;
                if happened != expected || answer.0 == 401 {
                    let who = format!("{role} (confined: {confined}), {names:?}");
                    wrong.push(format!(
                        "{} {path} by {who}: {expected:?} is told, {happened:?} happened: {answer:?}",
                        route.method
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {asked}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(asked, ROUTES.len() * keys.len() * Names::ALL.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_credential_gets_one_answer_on_every_route_that_is_not_public() {
    let host = Guarded::start().await;
    let revoked = host.key("gone", Role::Admin, None).await;
    let everywhere = model::Scope::Everywhere;
    let ended = host.engine.revoke_api_key(revoked.id, &everywhere, "tests");
    testkit::Answered::accepted(ended.await);
    let elsewhere = Guarded::start().await;
    let unknown = elsewhere.key("other", Role::Admin, None).await;
    let cut = &revoked.text[..revoked.text.len() - 1];
    let wrong = [
        None,
        Some(""),
        Some("fh_"),
        Some("x.y.z"),
        Some("fh_é"),
        Some(cut),
        Some(&unknown.text),
        Some(&revoked.text),
    ];
    let mut answers = BTreeSet::new();
    for route in ROUTES.iter() {
        let (path, body) = request(route, Names::None);
        for bearer in wrong {
            let method = route.method.clone();
            let answer = host.raw(bearer, method, &path, body.as_ref()).await;
            match route.access {
                Access::Public => assert_ne!(answer.0, 401, "{path}"),
                Access::Wants { .. } => {
                    answers.insert(answer);
                }
            }
        }
    }
    let [(401, only)] = &Vec::from_iter(answers)[..] else {
        panic!("there is more than one answer");
    };
    assert!(only.contains("unauthenticated"), "{only}");
}
