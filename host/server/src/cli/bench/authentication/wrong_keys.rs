//! Right keys while others try wrong ones, each another and well formed, so that the
//! database is asked about it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use engine::bench::unknown_keys;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior};

use super::connection::{Ask, Connection, rate};
use super::measure::bearer;
use crate::cli::bench::measure::{failed, median};
use crate::cli::io::{Exit, Failure};
use crate::stopwatch::Stopwatch;

/// Wrong keys that are tried a second.
const PER_SECOND: usize = 1_000;
/// Connections that try them; answers are late on purpose, and others are tried meanwhile.
const SENDERS: usize = 500;
/// Connections with right keys, each with one request at a time.
const CONNECTIONS: usize = 16;
/// Turns with and turns without wrong keys in a round.
const TURNS: u32 = 2;

/// Requests with a right key beside those with wrong ones, on one host.
#[derive(Debug, Serialize)]
pub struct WrongKeys {
    /// Whether failures of an address are limited and answered late, as those from beyond
    /// this machine are.
    pub limited: bool,
    /// Whether wrong keys come from the address that the right one comes from.
    pub same_address: bool,
    /// Median of wrong keys that were tried a second.
    pub wrong_per_second: f64,
    /// Requests a second with a right key and nothing beside.
    pub alone_per_second: f64,
    /// The same beside wrong ones.
    pub beside_per_second: f64,
    /// Median ratio of the second to the first.
    pub ratio: f64,
}

/// The requests with a right key, and where they are sent.
pub struct Right {
    pub to: SocketAddr,
    /// Whether it limits failures of addresses of this machine.
    pub limited: bool,
    pub ask: Ask,
}

/// Measures requests with a right key alone and beside wrong ones from `from`, in turns.
pub async fn measure(
    right: &Right,
    from: IpAddr,
    rounds: u32,
    span: Duration,
) -> Result<WrongKeys, Failure> {
    let here = IpAddr::from([127, 0, 0, 1]);
    let mut connections = Connection::several(right.to, here, CONNECTIONS).await?;
    let mut senders = Connection::several(right.to, from, SENDERS).await?;
    let turn = span / TURNS;
    let (mut alone, mut beside, mut wrong, mut ratios) = (vec![], vec![], vec![], vec![]);
    // The first warms up, and uses up the failures that are answered late and not refused.
    let mut before = rate(&mut connections, &right.ask, turn).await?;
    for round in 0..=rounds * TURNS {
        let trying = attempts(&mut senders, right.ask.path.clone(), turn);
        let rate_beside = rate(&mut connections, &right.ask, turn);
        let (tried, during) = tokio::join!(trying, rate_beside);
        let (tried, during) = (tried?, during?);
        let after = rate(&mut connections, &right.ask, turn).await?;
        if round > 0 {
            let without = f64::midpoint(before, after);
            ratios.push(during / without);
            alone.push(without);
            beside.push(during);
            wrong.push(tried);
        }
        before = after;
    }
    Ok(WrongKeys {
        limited: right.limited,
        same_address: from == here,
        wrong_per_second: median(&mut wrong),
        alone_per_second: median(&mut alone),
        beside_per_second: median(&mut beside),
        ratio: median(&mut ratios),
    })
}

/// Tries wrong keys for `span`, at their rate however late the answers are; returns how many
/// were tried a second.
async fn attempts(
    senders: &mut Vec<Connection>,
    path: std::sync::Arc<str>,
    span: Duration,
) -> Result<f64, Failure> {
    let each = Duration::from_secs(1) * SENDERS as u32 / PER_SECOND as u32;
    let count = span.as_secs_f64() * PER_SECOND as f64 / SENDERS as f64;
    let count = count.ceil() as usize;
    let mut credentials = Vec::with_capacity(senders.len());
    for _ in 0..senders.len() {
        let keys = unknown_keys(count);
        let headers: Result<Vec<_>, _> = keys.iter().map(|key| bearer(key.reveal())).collect();
        credentials.push(headers?);
    }
    let (watch, began) = (Stopwatch::start(), Instant::now());
    let tasks: Vec<_> = senders
        .drain(..)
        .zip(credentials)
        .enumerate()
        .map(|(at, (mut sender, credentials))| {
            let path = path.clone();
            tokio::spawn(async move {
                let begins = began + each * at as u32 / SENDERS as u32;
                let mut due = tokio::time::interval_at(begins, each);
                due.set_missed_tick_behavior(MissedTickBehavior::Burst);
                let mut tried = 0_u64;
                for credential in &credentials {
                    due.tick().await;
                    if watch.elapsed() >= span {
                        break;
                    }
                    tried += 1;
                    refused(&mut sender, &path, credential).await?;
                }
                Ok::<_, Failure>((sender, tried))
            })
        })
        .collect();
    let mut tried = 0;
    for task in tasks {
        let (sender, its) = task.await.map_err(failed)??;
        senders.push(sender);
        tried += its;
    }
    Ok(tried as f64 / span.as_secs_f64())
}

/// Sends a wrong key, which must be refused.
async fn refused(
    sender: &mut Connection,
    path: &str,
    credential: &HeaderValue,
) -> Result<(), Failure> {
    match sender.get(path, Some(credential)).await? {
        StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS => Ok(()),
        status => {
            let message = format!("a wrong key was answered {status}");
            Err(Failure::new(Exit::Failed, message))
        }
    }
}

impl WrongKeys {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        format!(
            "right keys beside {:.0} wrong ones a second from {} address, {}: {:.0} reads per second, {:.2} of the {:.0} alone",
            self.wrong_per_second,
            if self.same_address {
                "the same"
            } else {
                "another"
            },
            if self.limited {
                "limited"
            } else {
                "not limited"
            },
            self.beside_per_second,
            self.ratio,
            self.alone_per_second
        )
    }
}
