//! A request with a key that the host remembers, beside the same on a host that requires no
//! credential.
//!
//! The request is the read of one execution, by an id that is none: it passes everything
//! that stands before a handler (credential, role, namespace, limits) and is answered before
//! the database is asked. Four requests take turns over the same number of connections, and
//! each turn is compared with those beside it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::connection::{Ask, Connection, rate};
use crate::cli::bench::measure::median;
use crate::cli::io::Failure;

/// Connections of each kind of request, each with one at a time.
const CONNECTIONS: usize = 16;
/// Turns of each kind of request in a round.
const TURNS: u32 = 16;
/// The read of an execution by an id that is none.
const READ: &str = "/v1/executions/none";
const HEALTH: &str = "/healthz";

/// What a remembered key costs a request. Times are those between two answers, with every
/// connection waiting for one.
#[derive(Debug, Serialize)]
pub struct Cost {
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Median time of a health check on a host that requires no credential, in microseconds.
    pub health_us: f64,
    /// The same on a host that requires one; a health check is public on both.
    pub guarded_health_us: f64,
    /// Median time of a request without a credential, where none is required.
    pub open_us: f64,
    /// Median time of the same request with a key, where a credential is required.
    pub keyed_us: f64,
    /// Median of what a key adds to a request, as a share of the time of a health check.
    pub share: f64,
}

/// Measures requests to both hosts, in turns of `span` together for each kind and round.
pub async fn measure(
    open: SocketAddr,
    guarded: SocketAddr,
    key: &HeaderValue,
    rounds: u32,
    span: Duration,
) -> Result<Cost, Failure> {
    let ask = |path: &str, credential: Option<&HeaderValue>, answered| Ask {
        path: path.into(),
        credential: credential.cloned(),
        answered,
    };
    let asks = [
        (open, ask(HEALTH, None, StatusCode::OK)),
        (open, ask(READ, None, StatusCode::BAD_REQUEST)),
        (guarded, ask(READ, Some(key), StatusCode::BAD_REQUEST)),
        (guarded, ask(HEALTH, None, StatusCode::OK)),
    ];
    let here = IpAddr::from([127, 0, 0, 1]);
    let mut clients = Vec::with_capacity(asks.len());
    for (to, ask) in asks {
        clients.push((Connection::several(to, here, CONNECTIONS).await?, ask));
    }
    let turn = span / TURNS;
    let mut times: [Vec<f64>; 4] = Default::default();
    let mut shares = Vec::new();
    for round in 0..=rounds * TURNS {
        let mut us = [0.0; 4];
        let mut order = [0, 1, 2, 3];
        // So that a machine that becomes faster or slower favors none.
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            let (connections, ask) = &mut clients[at];
            us[at] = 1e6 / rate(connections, ask, turn).await?;
        }
        // The first is to warm up.
        if round == 0 {
            continue;
        }
        for (times, us) in times.iter_mut().zip(us) {
            times.push(us);
        }
        let [health, open, keyed, guarded_health] = us;
        shares.push((keyed - open) / f64::midpoint(health, guarded_health));
    }
    let [health_us, open_us, keyed_us, guarded_health_us] =
        times.map(|mut times| median(&mut times));
    Ok(Cost {
        connections: CONNECTIONS,
        health_us,
        guarded_health_us,
        open_us,
        keyed_us,
        share: median(&mut shares),
    })
}

impl Cost {
    /// Describes the figures for people.
    pub fn line(&self) -> String {
        format!(
            "authentication: a remembered key adds {:.1} % of a health check; {:.1} µs with it and {:.1} µs without, health checks {:.1} µs and {:.1} µs, at {} connections",
            self.share * 1e2,
            self.keyed_us,
            self.open_us,
            self.guarded_health_us,
            self.health_us,
            self.connections
        )
    }
}
