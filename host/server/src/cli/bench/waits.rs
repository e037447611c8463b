//! Create and wait over HTTP, beside lifecycles of the engine alone.

use std::time::Duration;

use model::PublicState;
use reqwest::Method;
use serde::Serialize;

use super::lifecycles::{self, EXECUTION_MAX, KIND, input};
use super::measure::percentile;
use crate::Host;
use crate::api::CreatedExecution;
use crate::cli::io::{Client, Exit, Failure, Request, Target, to_stderr};
use crate::stopwatch::Stopwatch;

/// Connections that are measured, each with one request at a time.
const CONNECTIONS: [usize; 2] = [1, 64];

/// Executions that were created with `Prefer: wait`.
#[derive(Debug, Serialize)]
pub struct CreateAndWait {
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Answers that said that an execution has completed, per second.
    pub per_second: f64,
    /// Median time of a request, in microseconds.
    pub p50_us: f64,
    /// The same as a multiple of a durable commit.
    pub p50_in_commits: f64,
    /// Lifecycles of the engine with as many in flight, per second.
    pub lifecycles_per_second: f64,
    /// The rate as a ratio to that of the engine.
    pub ratio: f64,
}

/// Measures requests at each number of connections, each right after lifecycles of the
/// engine; `commit_us` is the median time of a commit.
pub async fn measure(
    host: &Host,
    commit_us: f64,
    span: Duration,
) -> Result<Vec<CreateAndWait>, Failure> {
    let client = Client::of(&Target::at(&host.url()))?;
    let mut measured = Vec::new();
    for connections in CONNECTIONS {
        to_stderr(&format!(
            "create and wait over HTTP at {connections} connections"
        ));
        let lifecycles = lifecycles::run(host, connections, span).await?;
        let (per_second, mut times) = run(&client, connections, span).await?;
        let p50_us = percentile(&mut times, 0.5).as_micros() as f64;
        measured.push(CreateAndWait {
            connections,
            per_second,
            p50_us,
            p50_in_commits: p50_us / commit_us,
            lifecycles_per_second: lifecycles.per_second,
            ratio: per_second / lifecycles.per_second,
        });
    }
    Ok(measured)
}

/// Sends requests for `span`; returns how many were answered per second, and the time of
/// each.
async fn run(
    client: &Client,
    connections: usize,
    span: Duration,
) -> Result<(f64, Vec<Duration>), Failure> {
    let watch = Stopwatch::start();
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                while watch.elapsed() < span {
                    let asked = Stopwatch::start();
                    one(&client).await?;
                    times.push(asked.elapsed());
                }
                Ok::<_, Failure>(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        let ended = task.await;
        times.extend(ended.map_err(|error| Failure::new(Exit::Failed, error.to_string()))??);
    }
    let per_second = times.len() as f64 / watch.elapsed().as_secs_f64();
    Ok((per_second, times))
}

/// Creates an execution and waits until it has completed.
async fn one(client: &Client) -> Result<(), Failure> {
    let input = input();
    let request = Request {
        query: vec![("kind", KIND.to_owned())],
        headers: vec![("prefer", format!("wait={}", EXECUTION_MAX.as_secs()))],
        body: Some((input.content_type, input.data)),
    };
    let answer = client.send(Method::POST, "/v1/executions", request).await?;
    let created: CreatedExecution = answer.read()?;
    match created.state {
        Some(PublicState::Completed) => Ok(()),
        state => {
            let message = format!("execution {} was answered as {state:?}", created.id);
            Err(Failure::new(Exit::Failed, message))
        }
    }
}

impl CreateAndWait {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        format!(
            "create and wait over HTTP, {} connections: {:.0} per second, {:.2} of the engine's {:.0} lifecycles, p50 {:.0} µs ({:.1} commits)",
            self.connections,
            self.per_second,
            self.ratio,
            self.lifecycles_per_second,
            self.p50_us,
            self.p50_in_commits
        )
    }
}
