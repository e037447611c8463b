//! Native workers as their readers run them: processes that speak to a host.

use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;
use testkit::eventually;

use super::api::Api;

/// A running worker; killed when dropped.
pub(crate) struct NativeWorker(Child);

impl Drop for NativeWorker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl NativeWorker {
    /// Starts a worker for the host of an API, and waits until it has registered.
    /// `installed_by` is named when the program is not there.
    pub(crate) async fn start(
        api: &Api,
        worker_id: &str,
        command: Command,
        installed_by: &str,
    ) -> Self {
        let before = live(api, worker_id).await.len();
        let worker = Self::spawn(api.host.url(), worker_id, command, installed_by);
        eventually(&format!("another {worker_id} is live"), async || {
            (live(api, worker_id).await.len() == before + 1).then_some(())
        })
        .await;
        worker
    }

    /// Starts a worker for the host at a URL.
    pub(crate) fn spawn(
        url: &str,
        worker_id: &str,
        mut command: Command,
        installed_by: &str,
    ) -> Self {
        let child = command
            .args(["--url", url, "--worker-id", worker_id])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap_or_else(|error| {
            panic!("{command:?} does not start: {error}; {installed_by} installs it")
        }))
    }

    /// Asks the worker to end, and waits until it has.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        let id = self.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.expect("kill runs").success());
        eventually("the worker ends", async || {
            self.0.try_wait().expect("a child")
        })
        .await
    }
}

/// Returns the instances of a worker that are believed to live.
pub(crate) async fn live(api: &Api, worker_id: &str) -> Vec<Value> {
    let (_, page) = api.get("/v1/workers?live=true").await;
    let workers = page["workers"].as_array().expect("a list").iter();
    workers
        .filter(|worker| worker["worker_id"] == worker_id)
        .cloned()
        .collect()
}
