//! The order of these measurements, and the key they use.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use engine::bench::NAMESPACE;
use engine::{CreateApiKey, CreatedApiKey};
use model::{Role, RoleGrant, Scope};
use serde::Serialize;
use tokio::net::TcpSocket;

use super::connection::Ask;
use super::cost::{self, Cost};

use super::wrong_keys::{self, Right, WrongKeys};
use crate::Host;
use crate::cli::bench::hosts::{self, Requires};
use crate::cli::bench::lifecycles::{self, KIND};
use crate::cli::bench::measure::failed;
use crate::cli::io::{Failure, to_stderr};
use crate::config::Config;

/// Who makes the key, and how long it is accepted if the benchmark does not end well.
const ACTOR: &str = "bench";
const KEY_ENDS_AFTER: Duration = Duration::from_secs(3600);

/// What authentication costs.
#[derive(Debug, Serialize)]
pub struct Authentication {
    /// What a remembered key costs a request.
    pub cost: Cost,
    /// Right keys beside wrong ones: from the same address and from another, and each on a
    /// host that does not limit these addresses and on one that does.
    pub wrong_keys: Vec<WrongKeys>,
}

/// Measures both on hosts of their own, with a key that is revoked afterwards.
pub async fn measure(
    host: &Host,
    config: &Config,
    rounds: u32,
    span: Duration,
) -> Result<Authentication, Failure> {
    let key = create(host).await?;
    let measured = with_key(host, config, key.text.reveal(), rounds, span).await;
    let revoked = host
        .engine()
        .revoke_api_key(key.id, &Scope::Everywhere, ACTOR);
    revoked.await.map_err(failed)?;
    measured
}

async fn with_key(
    host: &Host,
    config: &Config,
    key: &str,
    rounds: u32,
    span: Duration,
) -> Result<Authentication, Failure> {
    let key = bearer(key)?;
    to_stderr("authentication");
    let open = hosts::start(host, config, Requires::Nothing).await?;
    let guarded = hosts::start(host, config, Requires::Credentials).await?;
    let addresses = (hosts::address(&open)?, hosts::address(&guarded)?);
    let cost = cost::measure(addresses.0, addresses.1, &key, rounds, span).await?;
    hosts::stop(vec![open]).await;

    let limited = hosts::start(host, config, Requires::CredentialsOfOthers).await?;
    let id = lifecycles::one(host.engine(), KIND).await?;
    let ask = Ask {
        path: format!("/v1/executions/{id}").into(),
        credential: Some(key),
        answered: StatusCode::OK,
    };
    let mut found = Vec::new();
    for (to, is_limited) in [(addresses.1, false), (hosts::address(&limited)?, true)] {
        let right = Right {
            to,
            limited: is_limited,
            ask: ask.clone(),
        };
        for from in addresses_here() {
            to_stderr(&format!("wrong keys from {from}"));
            found.push(wrong_keys::measure(&right, from, rounds, span).await?);
        }
    }
    hosts::stop(vec![guarded, limited]).await;
    Ok(Authentication {
        cost,
        wrong_keys: found,
    })
}

async fn create(host: &Host) -> Result<CreatedApiKey, Failure> {
    let create = CreateApiKey {
        name: format!("bench-{}", std::process::id()),
        grant: RoleGrant {
            role: Role::Viewer,
            namespace: Some(NAMESPACE.to_owned()),
        },
        expires_in_ms: u64::try_from(KEY_ENDS_AFTER.as_millis()).ok(),
        actor: ACTOR.to_owned(),
    };
    let created = host.engine().create_api_key(create).await;
    created.map_err(failed)
}

/// Returns two addresses of this machine, or one where a system has no other.
fn addresses_here() -> Vec<IpAddr> {
    let is_here = |address: &Ipv4Addr| {
        let socket = TcpSocket::new_v4();
        socket.is_ok_and(|socket| socket.bind((*address, 0).into()).is_ok())
    };
    let both = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)];
    let here = both.into_iter().filter(is_here);
    here.map(IpAddr::V4).collect()
}

/// Returns the value of the header that carries a key.
pub(super) fn bearer(key: &str) -> Result<HeaderValue, Failure> {
    let mut value: HeaderValue = format!("Bearer {key}").parse().map_err(failed)?;
    value.set_sensitive(true);
    Ok(value)
}

impl Authentication {
    /// Describes the figures for people.
    pub fn lines(&self) -> Vec<String> {
        let wrong = self.wrong_keys.iter().map(WrongKeys::line);
        [self.cost.line()].into_iter().chain(wrong).collect()
    }
}
