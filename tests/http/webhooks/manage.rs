//! What people can do with webhooks, and who may.

use model::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::database;

use super::receiver::{Receiver, allowing};
use crate::http::access::guarded::Guarded;
use crate::support::api::{Api, builder, flowhost};

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_makes_tries_rotates_and_deletes_a_webhook() {
    let database = database().await;
    let _engine = database.engine().await;
    let api = Api::start(allowing(builder(&database)), &[]).await;
    let receiver = Receiver::start().await;
    let url = receiver.url();
    let create = [
        "webhook",
        "create",
        "a",
        "--receiver",
        &url,
        "--family",
        "completion",
    ];
    let (code, old, _) = flowhost(&api, &create).await;
    assert_eq!(code, 0);
    let (code, _, said) = flowhost(&api, &create).await;
    assert_eq!(code, 5, "{said}");
    let (code, said, _) = flowhost(&api, &["webhook", "test", "a"]).await;
    assert_eq!((code, said.trim()), (0, "the receiver accepted the ping"));
    let (code, new, _) = flowhost(&api, &["webhook", "rotate", "a"]).await;
    assert_eq!(code, 0);
    receiver.answers(&[503]);
    let (code, _, said) = flowhost(&api, &["webhook", "test", "a"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the receiver answered 503"), "{said}");
    let pings = receiver.messages();
    assert_eq!(pings[0].kind(), "webhook.ping");
    assert_eq!(pings[0].signature, pings[0].signed_by(old.trim()));
    let both = [&new, &old].map(|secret| pings[1].signed_by(secret.trim()));
    assert_eq!(pings[1].signature, both.join(" "));
    assert_eq!(pings[1].status, 503);

    let (code, said, _) = flowhost(&api, &["webhook", "pause", "a", "--dry-run"]).await;
    assert_eq!(
        (code, said.trim()),
        (0, "dry run: webhook a is paused; nothing was changed")
    );
    let (code, _, _) = flowhost(&api, &["webhook", "pause", "a", "--reason", "holidays"]).await;
    assert_eq!(code, 0);
    let (_, said, _) = flowhost(&api, &["webhook", "show", "a"]).await;
    assert!(said.contains("paused: holidays"), "{said}");
    let (_, said, _) = flowhost(&api, &["webhook", "list"]).await;
    assert!(
        said.contains("completion") && said.contains("paused"),
        "{said}"
    );
    for arguments in [
        &["webhook", "update", "a", "--kind", "echo"][..],
        &["webhook", "resume", "a"],
        &["webhook", "delete", "a"],
    ] {
        let (code, _, said) = flowhost(&api, arguments).await;
        assert_eq!(code, 0, "{arguments:?}: {said}");
    }
    let (code, _, said) = flowhost(&api, &["webhook", "show", "a"]).await;
    assert_eq!(code, 3, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_manage_the_webhooks_of_their_namespace_and_no_others() {
    let host = Guarded::start().await;
    let admin = host.key("root", Role::Admin, None).await;
    let operator = host.key("ops", Role::Operator, Some("a")).await;
    let viewer = host.key("eyes", Role::Viewer, Some("a")).await;
    let body = |name: &str| json!({"name": name, "url": "https://example.invalid/", "family": "completion"});
    let (status, refused) = host.post(&viewer, "/v1/webhooks", body("a")).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{refused}");
    let mut foreign = body("a");
    foreign["namespace"] = "b".into();
    let (status, refused) = host.post(&operator, "/v1/webhooks", foreign).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{refused}");
    let (status, own) = host.post(&operator, "/v1/webhooks", body("a")).await;
    assert_eq!(status, StatusCode::CREATED, "{own}");
    assert_eq!(
        own["webhook"]["namespace"], "a",
        "the only one of the operator"
    );
    let (status, all) = host.post(&admin, "/v1/webhooks", body("a")).await;
    assert_eq!(status, StatusCode::CREATED, "{all}");
    assert_eq!(all["webhook"]["namespace"], Value::Null, "every one");
    let (_, listed) = host.get(&operator, "/v1/webhooks").await;
    assert_eq!(
        listed["webhooks"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );
    let (_, listed) = host.get(&admin, "/v1/webhooks").await;
    assert_eq!(
        listed["webhooks"].as_array().map(Vec::len),
        Some(2),
        "{listed}"
    );
    let id = all["webhook"]["id"].as_str().expect("an id");
    let path = format!("/v1/webhooks/{id}");
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/pause")),
        (Method::POST, format!("{path}/resume")),
        (Method::POST, format!("{path}/rotate")),
        (Method::POST, format!("{path}/test")),
    ] {
        let (status, refused) = host.ask(&operator, method.clone(), &path, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}: {refused}");
        assert_eq!(refused["code"], "webhook_not_found");
    }
    let (status, webhook) = host.get(&admin, &path).await;
    assert_eq!(
        (status, &webhook["state"]),
        (StatusCode::OK, &"active".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_webhook_is_refused_by_name() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let body = json!({"name": "a", "url": "https://example.invalid/x", "family": "completion"});
    for (member, value, said) in [
        (
            "url",
            json!("ftp://example.invalid/"),
            "url: must begin with https",
        ),
        (
            "url",
            json!("https://u:p@example.invalid/"),
            "url: must not have a user name",
        ),
        (
            "url",
            json!("http://169.254.169.254/latest"),
            "url: blocked address",
        ),
        (
            "url",
            json!("http://[::ffff:10.0.0.1]/"),
            "url: blocked address",
        ),
        ("name", json!("A"), "name"),
        ("secret", json!("whsec_short"), "secret: must be whsec_"),
        ("filter", json!({"kind": "A"}), "kind"),
        ("filter", json!({"tag": "x"}), "tag"),
    ] {
        let mut body = body.clone();
        body[member] = value;
        let (status, refused) = api.post("/v1/webhooks", body).await;
        assert_eq!(
            status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{member}: {refused}"
        );
        let detail = refused["detail"].as_str().expect("a detail");
        assert!(detail.starts_with(said), "{detail}");
    }
    let mut unknown = body.clone();
    unknown["family"] = "all".into();
    let (status, _) = api.post("/v1/webhooks", unknown).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, refused) = api.get("/v1/webhooks/x").await;
    assert_eq!(
        (status, &refused["code"]),
        (StatusCode::NOT_FOUND, &"webhook_not_found".into())
    );
}
