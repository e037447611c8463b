//! A host does not let anybody beyond its machine do everything, unless it is told to, and
//! then it says so wherever people look.

use serde_json::Value;
use testkit::database;

use crate::support::api::{Api, builder, command};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_would_be_open_beyond_its_machine_does_not_start() {
    for listen in ["0.0.0.0:0", "[::]:0", "10.1.2.3:7070"] {
        // The database is not reached: the settings are refused before.
        let arguments = [
            "serve",
            "--listen",
            listen,
            "--database-url",
            "postgres://nowhere/x",
        ];
        let (code, _, stderr) = command(&arguments).await;
        assert_ne!(code, 0);
        for setting in [
            "access.required",
            "--require-credentials",
            "--insecure-no-auth",
        ] {
            assert!(stderr.contains(setting), "{listen}: {stderr}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_was_told_to_be_open_says_so() {
    let (_, stdout, _) = command(&[
        "--json",
        "doctor",
        "--listen",
        "0.0.0.0:80",
        "--insecure-no-auth",
    ])
    .await;
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    let access = findings
        .iter()
        .find(|it| it["what"] == "access")
        .expect("access");
    assert_eq!(access["good"], false, "{access}");
    let detail = access["detail"].as_str().expect("text");
    assert!(detail.contains("INSECURE"), "{detail}");
    let database = database().await;
    let host = builder(&database).argument("--insecure-no-auth");
    let api = Api::start(host, &[]).await;
    assert_eq!(api.metric("flowhost_insecure_no_auth").await, 1.0);
    assert_eq!(api.metric("flowhost_access_required").await, 0.0);
    assert!(
        api.host.log().contains("access.insecure_no_auth"),
        "{}",
        api.host.log()
    );
}
