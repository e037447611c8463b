//! Reads over HTTP beside a short and beside a long history: what a page costs must not
//! depend on what the table holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use engine::bench::{self, Baseline};
use serde::Serialize;

use super::lifecycles;
use super::measure::{median, percentile};
use super::queues::HERD_LANE;
use crate::Host;
use crate::cli::io::{Exit, Failure, Paint, Terminal, to_stderr};
use crate::stopwatch::Stopwatch;

/// Finished executions of the short history, besides those of the benchmark itself.
const SHORT: u64 = 1_000;
/// Ready, active and suspended executions, beside either.
const UNFINISHED: u64 = 400;
/// Reads of each kind beside each history, and those before them.
const RUNS: usize = 200;
const WARM_UP: usize = 20;
/// Connections that read as fast as they can.
const CONNECTIONS: usize = 16;
/// Lifecycles in flight whose rates beside both histories are compared.
const IN_FLIGHT: usize = 64;

/// Filters of the lists that are measured, alone and combined.
const LISTS: [(&str, &str); 18] = [
    ("newest", ""),
    ("waiting", "state=waiting"),
    ("active", "state=active"),
    ("suspended", "state=suspended"),
    ("completed", "state=completed"),
    ("failed", "state=failed"),
    ("kind", "kind=bench-kind-1"),
    ("lane", "lane=bench-history"),
    ("namespace", "namespace=bench-history-1"),
    ("label", "tag=bench.half:yes"),
    ("creator", "creator=bench-once"),
    ("created within", "created_after={RECENT}"),
    ("ended within", "finished_after={RECENT}"),
    ("kind, failed", "kind=bench-kind-1&state=failed"),
    (
        "namespace, failed",
        "namespace=bench-history-1&state=failed",
    ),
    (
        "namespace, kind",
        "namespace=bench-history-1&kind=bench-kind-1",
    ),
    ("label, failed", "tag=bench.half:yes&state=failed"),
    (
        "failed, created within",
        "state=failed&created_after={RECENT}",
    ),
];

/// Reads beside two histories.
#[derive(Debug, Serialize)]
pub struct Reads {
    /// Finished executions of the long history; the short one has a thousand. Beside both
    /// are those that the benchmark itself finished.
    pub finished: u64,
    /// One entry for each kind of read.
    pub reads: Vec<Read>,
    /// Reads of one execution per second at sixteen connections, beside the long history.
    pub one_per_second: f64,
    /// The same of results.
    pub result_per_second: f64,
    /// The first as a ratio to the second.
    pub one_ratio: f64,
    /// Lifecycles per second at 64 in flight beside the long history, as a ratio to those
    /// beside the short one; each is a ratio to the inserts of its time.
    pub lifecycles_ratio: f64,
}

/// One kind of read, over HTTP and one connection.
#[derive(Debug, Serialize)]
pub struct Read {
    /// Which read it is, in words.
    pub name: &'static str,
    /// Median time beside the short history, in microseconds.
    pub short_p50_us: f64,
    /// Median time beside the long history, in microseconds.
    pub long_p50_us: f64,
    /// The second as a ratio to the first.
    pub ratio: f64,
    /// The second as a multiple of a durable commit.
    pub in_commits: f64,
}

/// Measures reads beside both histories.
pub async fn measure(
    host: &Host,
    finished: u64,
    span: Duration,
    commit_us: f64,
    baseline: &Baseline,
) -> Result<Reads, Failure> {
    let engine = host.engine();
    let finished = finished.max(SHORT);
    bench::backlog(engine, HERD_LANE, lifecycles::KIND, UNFINISHED).await?;
    bench::hold(engine, HERD_LANE, (UNFINISHED / 2) as u32).await?;
    bench::suspend(engine, HERD_LANE, lifecycles::KIND, UNFINISHED).await?;
    bench::backlog(engine, HERD_LANE, lifecycles::KIND, UNFINISHED).await?;
    to_stderr(&format!("reads beside {SHORT} finished"));
    bench::history(engine, 0, SHORT).await?;
    let client = reqwest::Client::new();
    let short = times(host, &client).await?;
    let short_lifecycles = lifecycles_ratio(host, span, baseline).await?;
    to_stderr(&format!("writing {finished} finished executions"));
    bench::history(engine, SHORT, finished).await?;
    to_stderr(&format!("reads beside {finished} finished"));
    let long = times(host, &client).await?;
    let id = newest(host, &client).await?;
    let one_per_second = rate(&client, format!("{}/v1/executions/{id}", host.url()), span).await?;
    let result = format!("{}/v1/executions/{id}/result", host.url());
    let result_per_second = rate(&client, result, span).await?;
    let long_lifecycles = lifecycles_ratio(host, span, baseline).await?;
    if host.database().embedded().is_none() {
        bench::clear_history(engine).await?;
    }
    bench::clear(engine, HERD_LANE).await?;
    let reads = short.into_iter().zip(long).map(|(short, long)| Read {
        name: short.0,
        short_p50_us: short.1,
        long_p50_us: long.1,
        ratio: long.1 / short.1,
        in_commits: long.1 / commit_us,
    });
    Ok(Reads {
        finished,
        reads: reads.collect(),
        one_per_second,
        result_per_second,
        one_ratio: one_per_second / result_per_second,
        lifecycles_ratio: long_lifecycles / short_lifecycles,
    })
}

/// Returns the median time of each read, in microseconds.
async fn times(host: &Host, client: &reqwest::Client) -> Result<Vec<(&'static str, f64)>, Failure> {
    let id = newest(host, client).await?;
    let of_one = |rest: &str| format!("{}/v1/executions/{id}{rest}", host.url());
    let recent = recent(host, client).await?;
    let mut all: Vec<(&'static str, String)> = LISTS
        .iter()
        .map(|(name, filter)| {
            let filter = filter.replace("{RECENT}", &recent);
            let url = format!("{}/v1/executions?limit=20&{filter}", host.url());
            (*name, url.trim_end_matches('&').to_owned())
        })
        .collect();
    all.extend([
        ("one execution", of_one("")),
        ("its result", of_one("/result")),
        ("its attempts", of_one("/attempts")),
        ("its history", of_one("/history")),
    ]);
    let mut found = Vec::with_capacity(all.len());
    for (name, url) in all {
        for _ in 0..WARM_UP {
            get(client, &url).await?;
        }
        let mut times = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            let watch = Stopwatch::start();
            get(client, &url).await?;
            times.push(watch.elapsed());
        }
        found.push((name, percentile(&mut times, 0.5).as_micros() as f64));
    }
    Ok(found)
}

/// Returns the id of one of the newest executions of the histories that succeeded.
async fn newest(host: &Host, client: &reqwest::Client) -> Result<String, Failure> {
    let filter = "namespace=bench-history-1&state=completed";
    listed(host, client, filter, "id").await
}

/// Returns when the twentieth newest of them was created, for a query.
async fn recent(host: &Host, client: &reqwest::Client) -> Result<String, Failure> {
    let filter = "namespace=bench-history-1&state=failed&limit=20";
    let at = listed(host, client, filter, "created_at").await?;
    Ok(at.replace('+', "%2B"))
}

/// Returns a text of the last execution of a page.
async fn listed(
    host: &Host,
    client: &reqwest::Client,
    filter: &str,
    member: &str,
) -> Result<String, Failure> {
    let body = get(client, &format!("{}/v1/executions?{filter}", host.url())).await?;
    let page: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let executions = page["executions"].as_array();
    let last = executions.and_then(|executions| executions.last());
    let found = last.and_then(|last| last[member].as_str());
    found
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(Exit::Failed, "the history is empty"))
}

async fn get(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, Failure> {
    let answer = async {
        let response = client.get(url).send().await?.error_for_status()?;
        Ok::<_, reqwest::Error>(response.bytes().await?.to_vec())
    };
    answer
        .await
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

/// Returns how often per second a page is read over several connections.
async fn rate(client: &reqwest::Client, url: String, span: Duration) -> Result<f64, Failure> {
    let done = Arc::new(AtomicU64::new(0));
    let watch = Stopwatch::start();
    let readers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (client, url, done) = (client.clone(), url.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while watch.elapsed() < span {
                    get(&client, &url).await?;
                    done.fetch_add(1, Relaxed);
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for reader in readers {
        reader
            .await
            .map_err(|error| Failure::new(Exit::Failed, error.to_string()))??;
    }
    Ok(done.load(Relaxed) as f64 / watch.elapsed().as_secs_f64())
}

/// Returns the rate of lifecycles as a ratio to inserts before and after: the median of
/// three.
async fn lifecycles_ratio(
    host: &Host,
    span: Duration,
    baseline: &Baseline,
) -> Result<f64, Failure> {
    let mut ratios = Vec::new();
    let mut before = lifecycles::inserts(host, baseline, span).await?;
    for _ in 0..3 {
        let run = lifecycles::run(host, IN_FLIGHT, span).await?;
        let after = lifecycles::inserts(host, baseline, span).await?;
        ratios.push(run.per_second / f64::midpoint(before, after));
        before = after;
    }
    Ok(median(&mut ratios))
}

impl Reads {
    /// Writes them as a table.
    pub fn show(&self, terminal: Terminal) {
        let plain = |text: String| (Paint::Plain, text);
        let rows: Vec<_> = self
            .reads
            .iter()
            .map(|read| {
                vec![
                    plain(read.name.to_owned()),
                    plain(format!("{:.0}", read.short_p50_us)),
                    plain(format!("{:.0}", read.long_p50_us)),
                    (Paint::Bold, format!("{:.2}", read.ratio)),
                    plain(format!("{:.1}", read.in_commits)),
                ]
            })
            .collect();
        let long = format!("{} p50 µs", self.finished);
        let short = format!("{SHORT} FINISHED p50 µs");
        terminal.table(&["READ", &short, &long, "RATIO", "COMMITS"], &rows);
        terminal.line(&format!(
            "one execution: {:.0} reads per second, {:.2} of the rate of results; lifecycles beside {} finished: {:.2} of those beside {SHORT}",
            self.one_per_second, self.one_ratio, self.finished, self.lifecycles_ratio
        ));
    }
}
