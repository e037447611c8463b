//! Publishing a component that takes long to compile, that cannot be compiled, or
//! that would cost the host too much; with a compiler the tests can hold up.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use server::Host;
use server::config::Config;
use testkit::{Database, HandmadeComponent, Run, database, eventually, guest};

use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::api::{Api, builder, command, once};

/// A host in this process whose compiler is a script.
struct Scripted {
    host: Option<Host>,
    client: Client,
    folder: tempfile::TempDir,
}

/// Holds up components that are not small until the file `gate` is there. The
/// third argument is the memory a compiler may use, which tells the lanes apart.
const GATED: &str = r#"if [ "$3" = 4294967296 ]; then
    while [ ! -e "$FOLDER/gate" ]; do sleep 0.02; done
fi"#;

/// Is killed by the system the first two times.
const KILLED_AT_FIRST: &str = r#"for mark in one two; do
    if [ ! -e "$FOLDER/$mark" ]; then : > "$FOLDER/$mark"; kill -KILL $$; fi
done"#;

impl Scripted {
    /// Starts a host whose compiler first runs `script`.
    async fn start(database: &Database, script: &str, change: impl FnOnce(&mut Config)) -> Self {
        // Fails only if another test of this process was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let compiler = folder.path().join("compiler");
        let text = format!(
            "#!/bin/sh\nFOLDER={}\n{script}\nexec {} \"$@\"\n",
            folder.path().display(),
            env!("CARGO_BIN_EXE_flowhost")
        );
        write_program(&compiler, &text);
        let mut config = Config::default();
        config.database.url = Some(database.url().to_owned());
        config.database.allow_unsafe = true;
        config.http.listen = ([127, 0, 0, 1], 0).into();
        config.runtime.cache_dir = Some(folder.path().join("cache"));
        config.runtime.sandboxes_max = 16;
        config.worker.slots = 8;
        change(&mut config);
        let host = Host::start(&config, compiler).await.expect("starts");
        Self {
            host: Some(host),
            client: Client::new(),
            folder,
        }
    }

    fn host(&self) -> &Host {
        self.host.as_ref().expect("not stopped")
    }

    fn open_gate(&self) {
        std::fs::write(self.folder.path().join("gate"), b"").expect("written");
    }

    async fn publish(&self, bytes: Vec<u8>, query: &str, prefer: &str) -> reqwest::Response {
        self.client
            .post(format!("{}/v1/components{query}", self.host().url()))
            .header("content-type", "application/wasm")
            .header("prefer", prefer)
            .body(bytes)
            .send()
            .await
            .expect("the host answers")
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.host().url());
        let response = self.client.get(url).send().await.expect("answers");
        let status = response.status();
        (status, response.json().await.unwrap_or_default())
    }

    async fn metric(&self, name: &str) -> f64 {
        let url = format!("{}/metrics", self.host().url());
        let response = self.client.get(url).send().await.expect("answers");
        let page = response.text().await.expect("text");
        page.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
            .unwrap_or_else(|| panic!("no {name} in\n{page}"))
    }

    /// Runs an execution of a kind to its end.
    async fn run(&self, kind: &str) -> Value {
        let url = format!("{}/v1/executions", self.host().url());
        let request = self.client.post(url).header("prefer", "wait=60");
        let response = request
            .json(&once(kind, "x"))
            .send()
            .await
            .expect("answers");
        response.json().await.expect("JSON")
    }

    async fn stop(mut self) {
        let host = self.host.take().expect("not stopped");
        host.stop(std::time::Duration::ZERO, None).await;
    }
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode).expect("executable");
}

/// A component that is not compiled in the lane of small ones.
fn large() -> Vec<u8> {
    HandmadeComponent {
        padding: 2 << 20,
        ..HandmadeComponent::default()
    }
    .build()
}

fn digest(bytes: &[u8]) -> String {
    runtime::digest(bytes).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_compiles_long_is_answered_202_and_small_ones_pass_it() {
    let database = database().await;
    let host = Scripted::start(&database, GATED, |_| {}).await;
    let place = format!("/v1/components/{}/publish", digest(&large()));
    let response = host.publish(large(), "?kind=large", "respond-async").await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()[LOCATION], place.as_str());
    assert_eq!(response.headers()[RETRY_AFTER], "1");
    let working: Value = response.json().await.expect("JSON");
    assert_eq!(working["digest"], json!(digest(&large())));
    eventually("it is being compiled", async || {
        (host.get(&place).await.1["state"] == "compiling").then_some(())
    })
    .await;
    // Another one that is large waits behind it, and says so.
    let second = HandmadeComponent {
        padding: 3 << 20,
        ..HandmadeComponent::default()
    };
    let second = second.build();
    let response = host.publish(second.clone(), "", "respond-async").await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    eventually("the second is queued", async || {
        let path = format!("/v1/components/{}/publish", digest(&second));
        let (_, working) = host.get(&path).await;
        let behind = (&working["state"], &working["ahead"], &working["behind"]);
        (behind == (&json!("queued"), &json!(1), &json!(digest(&large())))).then_some(())
    })
    .await;
    // A small one passes both.
    let response = host.publish(guest("echo"), "?kind=echo", "wait=60").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(host.run("echo").await["state"], "completed");
    // The same bytes join, with another kind.
    let response = host.publish(large(), "?kind=more", "wait=0").await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(host.metric("flowhost_publishing").await, 2.0);
    host.open_gate();
    let published = eventually("it is published", async || {
        let (status, published) = host.get(&place).await;
        (status != StatusCode::ACCEPTED).then_some((status, published))
    })
    .await;
    assert_eq!(published.0, StatusCode::CREATED, "{}", published.1);
    assert_eq!(published.1["kinds"], json!(["large", "more"]));
    for kind in ["large", "more"] {
        assert_eq!(host.run(kind).await["state"], "completed", "{kind}");
    }
    eventually("all are done", async || {
        (host.metric("flowhost_publishing").await == 0.0).then_some(())
    })
    .await;
    // Three components, each compiled once.
    assert_eq!(host.metric("flowhost_compiles_total").await, 3.0);
    let unknown = format!("/v1/components/{}/publish", digest(b"other"));
    assert_eq!(host.get(&unknown).await.0, StatusCode::NOT_FOUND);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_published_though_its_client_left() {
    let database = database().await;
    let host = Scripted::start(&database, GATED, |_| {}).await;
    let gone = tokio::spawn({
        let url = format!("{}/v1/components?kind=large", host.host().url());
        let client = host.client.clone();
        async move { client.post(url).body(large()).send().await.map(|_| ()) }
    });
    eventually("it is being compiled", async || {
        (host.metric("flowhost_compiling").await == 1.0).then_some(())
    })
    .await;
    gone.abort();
    host.open_gate();
    let place = format!("/v1/components/{}/publish", digest(&large()));
    eventually("it is published", async || {
        (host.get(&place).await.0 == StatusCode::CREATED).then_some(())
    })
    .await;
    assert_eq!(host.run("large").await["state"], "completed");
    assert_eq!(host.metric("flowhost_compiles_total").await, 1.0);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_waits_and_shows_how_far_it_is() {
    let database = database().await;
    let host = Scripted::start(&database, GATED, |_| {}).await;
    let file = host.folder.path().join("large.wasm");
    std::fs::write(&file, large()).expect("written");
    let file = file.to_str().expect("text").to_owned();
    let mut publishing = tokio::process::Command::new(env!("CARGO_BIN_EXE_flowhost"))
        .args(["--url", &host.host().url()])
        .args(["component", "publish", &file, "--kind", "large"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    // The gate opens only when it has said how far it is.
    let mut said = BufReader::new(publishing.stderr.take().expect("piped")).lines();
    loop {
        let line = said.next_line().await.expect("text").expect("it continues");
        if line.contains("large.wasm is being compiled") {
            break;
        }
    }
    host.open_gate();
    let output = publishing.wait_with_output().await.expect("ends");
    assert!(output.status.success(), "{output:?}");
    let out = String::from_utf8(output.stdout).expect("text");
    assert!(out.contains("handles large"), "{out}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiler_killed_by_the_system_is_the_hosts_fault_and_tried_again() {
    let database = database().await;
    let host = Scripted::start(&database, KILLED_AT_FIRST, |_| {}).await;
    for _ in 0..2 {
        let response = host.publish(guest("echo"), "?kind=echo", "wait=60").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let problem: Value = response.json().await.expect("JSON");
        assert_eq!(problem["code"], "compiler_unavailable");
        assert!(!problem.to_string().contains("database"), "{problem}");
    }
    let response = host.publish(guest("echo"), "?kind=echo", "wait=60").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(host.run("echo").await["state"], "completed");
    // A host that finds the component published tries again by itself, and no
    // execution fails meanwhile.
    let other = Scripted::start(&database, KILLED_AT_FIRST, |_| {}).await;
    host.stop().await;
    assert_eq!(other.run("echo").await["state"], "completed");
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiler_out_of_time_is_not_remembered_as_the_components_nature() {
    let database = database().await;
    let host = Scripted::start(&database, "kill -XCPU $$", |_| {}).await;
    let response = host.publish(guest("echo"), "", "wait=60").await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let problem: Value = response.json().await.expect("JSON");
    assert_eq!(problem["code"], "component_exceeds_limits");
    let detail = problem["detail"].as_str().expect("text");
    assert!(detail.contains("runtime.compile_cpu_ms_max"), "{detail}");
    host.stop().await;
    let other = Scripted::start(&database, "", |_| {}).await;
    let response = other.publish(guest("echo"), "", "wait=60").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_of_another_type_is_refused_when_it_is_published() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    for run in [Run::OtherResult, Run::OneFieldMore, Run::OtherName] {
        let component = HandmadeComponent {
            run,
            ..HandmadeComponent::default()
        };
        let (status, problem) = api.publish(component.build(), "wrong").await;
        assert_eq!(
            status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{run:?}: {problem}"
        );
        assert_eq!(problem["code"], "component_does_not_link", "{problem}");
        let detail = problem["detail"].as_str().expect("text");
        assert!(detail.contains("`run`"), "{detail}");
    }
    let (status, right) = api
        .publish(HandmadeComponent::default().build(), "right")
        .await;
    assert!(status.is_success(), "{right}");
    assert_eq!(
        api.run(once("right", "x")).await["public_state"],
        "completed"
    );
}

/// The most memory a process had, in bytes.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<u64>().ok())
        .expect("a number")
        << 10
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_cannot_fill_the_memory_of_the_host() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let before = peak(api.host.pid());
    let component = HandmadeComponent {
        instances: vec![256; 120],
        far_data: true,
        ..HandmadeComponent::default()
    };
    let bytes = component.build();
    assert!(bytes.len() < 10_000, "{} bytes", bytes.len());
    let (status, problem) = api.publish(bytes, "wide").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["code"], "component_exceeds_limits", "{problem}");
    let grown = peak(api.host.pid()) - before;
    assert!(grown < 200 << 20, "{grown} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_refused_in_a_sentence_and_few_bytes_of_memory() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let before = peak(api.host.pid());
    // Sections of imports of an instance of type 0, called `a`, to the limit.
    let count = 6_000_000_u32;
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    bytes.extend([0x07, 0x03, 0x01, 0x42, 0x00, 0x0a]);
    let leb = |mut value: u32| {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    let head = leb(count);
    bytes.extend(leb(u32::try_from(head.len()).expect("few") + 5 * count));
    bytes.extend(head);
    for _ in 0..count {
        bytes.extend([0x00, 0x01, b'a', 0x05, 0x00]);
    }
    let (status, problem) = api.publish(bytes, "wide").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = problem.to_string();
    assert!(text.len() < 1000, "{} bytes", text.len());
    assert_eq!(problem["code"], "component_exceeds_limits", "{problem}");
    let grown = peak(api.host.pid()) - before;
    assert!(grown < 200 << 20, "{grown} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn compiled_code_stays_within_its_budgets_and_what_finds_no_room_waits() {
    let database = database().await;
    // Different bytes that compile to the same code.
    let of = |n: usize| {
        let component = HandmadeComponent {
            padding: n,
            ..HandmadeComponent::default()
        };
        component.build()
    };
    let host = Scripted::start(&database, "", |_| {}).await;
    let response = host.publish(of(0), "", "wait=60").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let bytes = host.metric("flowhost_code_loaded_bytes").await;
    host.stop().await;
    // Two find room.
    let bytes_max = (bytes * 2.5) as u64;
    let host = Scripted::start(&database, "", |config| {
        config.runtime.compiled_bytes_max = bytes as u64 + 1000;
        config.runtime.loaded_bytes_max = bytes_max;
        config.runtime.cache_bytes_max = bytes_max;
    })
    .await;
    let bytes_max = bytes_max as f64;
    for n in 1..=5 {
        let response = host.publish(of(n), "", "wait=60").await;
        assert_eq!(response.status(), StatusCode::CREATED, "{n}");
        assert!(host.metric("flowhost_code_loaded_bytes").await <= bytes_max);
        assert!(host.metric("flowhost_code_cached_bytes").await <= bytes_max);
    }
    // Routed, they are held, until one finds no room.
    let mut kinds = Vec::new();
    for n in 1..=5 {
        let kind = format!("kind-{n}");
        let response = host
            .publish(of(n), &format!("?kind={kind}"), "wait=60")
            .await;
        assert_eq!(response.status(), StatusCode::OK, "{kind}");
        kinds.push(kind);
    }
    let missing = eventually("some find no room", async || {
        let missing = host.metric("flowhost_components_unavailable").await;
        let loaded = host.metric("flowhost_components_loaded").await;
        (missing + loaded == 5.0).then_some(missing)
    })
    .await;
    assert_eq!(missing, 3.0);
    assert!(host.metric("flowhost_code_loaded_bytes").await <= bytes_max);
    // Those that wait run once others are routed away.
    for kind in &kinds[..4] {
        let url = format!("{}/v1/kinds/{kind}/routes", host.host().url());
        let request = host.client.request(Method::PUT, url);
        let response = request.json(&json!({"routes": []})).send().await;
        assert!(response.expect("answers").status().is_success());
    }
    assert_eq!(host.run(&kinds[4]).await["state"], "completed");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_takes_its_lists_as_its_help_shows_them() {
    let (code, help, _) = command(&["bench", "--help"]).await;
    assert_eq!(code, 0);
    // What stands in the brackets after each list is accepted, as is the same
    // with commas. A component that is not there ends the command before it
    // measures anything.
    let missing = PathBuf::from("/nonexistent/echo.wasm");
    let missing = missing.to_str().expect("text");
    let defaults: Vec<&str> = help
        .split("[default: ")
        .skip(1)
        .filter_map(|rest| rest.split(']').next())
        .filter(|default| default.contains(' '))
        .collect();
    assert_eq!(defaults.len(), 2, "{help}");
    for (option, default) in ["--in-flight", "--backlog"].into_iter().zip(defaults) {
        for values in [
            default.split(' ').collect::<Vec<_>>(),
            vec![&*default.replace(' ', ",")],
        ] {
            let arguments = [
                &["bench", option][..],
                &values,
                &[
                    "--config",
                    "/nonexistent/flowhost.toml",
                    "--component",
                    missing,
                ],
            ]
            .concat();
            let (code, _, errors) = command(&arguments).await;
            assert!(errors.contains("configuration file"), "{option}: {errors}");
            assert_eq!(code, 2, "{errors}");
        }
    }
}
