//! A compiler that the tests can hold up, kill and count.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use reqwest::{Client, StatusCode};
use serde_json::Value;
use server::Host;
use server::config::Config;
use testkit::{Database, HandmadeComponent};

use crate::support::api::once;

/// A host in this process whose compiler is a script.
pub(super) struct Scripted {
    pub(super) host: Option<Host>,
    pub(super) client: Client,
    pub(super) folder: tempfile::TempDir,
}

/// Holds up components that are not small until the file `gate` is there. The
/// third argument is the memory a compiler may use, which tells the lanes apart.
pub(super) const GATED: &str = r#"if [ "$3" = 4294967296 ]; then
    while [ ! -e "$FOLDER/gate" ]; do sleep 0.02; done
fi"#;

/// Is killed by the system the first two times.
pub(super) const KILLED_AT_FIRST: &str = r#"for mark in one two; do
    if [ ! -e "$FOLDER/$mark" ]; then : > "$FOLDER/$mark"; kill -KILL $$; fi
done"#;

impl Scripted {
    /// Starts a host whose compiler first runs `script`.
    pub(super) async fn start(
        database: &Database,
        script: &str,
        change: impl FnOnce(&mut Config),
    ) -> Self {
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

    pub(super) fn host(&self) -> &Host {
        self.host.as_ref().expect("not stopped")
    }

    pub(super) fn open_gate(&self) {
        std::fs::write(self.folder.path().join("gate"), b"").expect("written");
    }

    pub(super) async fn publish(
        &self,
        bytes: Vec<u8>,
        query: &str,
        prefer: &str,
    ) -> reqwest::Response {
        self.client
            .post(format!("{}/v1/components{query}", self.host().url()))
            .header("content-type", "application/wasm")
            .header("prefer", prefer)
            .body(bytes)
            .send()
            .await
            .expect("the host answers")
    }

    pub(super) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.host().url());
        let response = self.client.get(url).send().await.expect("answers");
        let status = response.status();
        (status, response.json().await.unwrap_or_default())
    }

    pub(super) async fn metric(&self, name: &str) -> f64 {
        let url = format!("{}/metrics", self.host().url());
        let response = self.client.get(url).send().await.expect("answers");
        let page = response.text().await.expect("text");
        page.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
            .unwrap_or_else(|| panic!("no {name} in\n{page}"))
    }

    /// Runs an execution of a kind to its end.
    pub(super) async fn run(&self, kind: &str) -> Value {
        let url = format!("{}/v1/executions", self.host().url());
        let request = self.client.post(url).header("prefer", "wait=60");
        let response = request
            .json(&once(kind, "x"))
            .send()
            .await
            .expect("answers");
        response.json().await.expect("JSON")
    }

    pub(super) async fn stop(mut self) {
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
pub(super) fn large() -> Vec<u8> {
    HandmadeComponent {
        padding: 2 << 20,
        ..HandmadeComponent::default()
    }
    .build()
}

pub(super) fn digest(bytes: &[u8]) -> String {
    runtime::digest(bytes).to_string()
}
