//! The device flow (RFC 8628): a person lets this program in with a browser, on this or
//! another device, while it asks again and again.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::api::Login;
use crate::cli::io::{
    Context, Exit, Failure, Issuer, Paint, TokenAnswer, escape, interruptible, is_resource,
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Pause between two questions if the issuer names none, and what `slow_down` adds.
const INTERVAL: Duration = Duration::from_secs(5);
/// Longest a person may take, if the issuer allows more.
const PATIENCE_MAX: Duration = Duration::from_secs(3600);

/// What an issuer answers to a device.
#[derive(Deserialize)]
struct DeviceCode {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

/// Asks for a code, shows it, and returns the tokens once the person has let this program
/// in.
pub async fn log_in(
    context: &Context,
    issuer: &Issuer,
    offer: &Login,
) -> Result<TokenAnswer, Failure> {
    let scope = offer.scopes.join(" ");
    let mut form = vec![
        ("client_id", offer.client_id.as_str()),
        ("scope", &scope),
        ("audience", &offer.audience),
    ];
    if is_resource(&offer.audience) {
        form.push(("resource", &offer.audience));
    }
    let code: DeviceCode = issuer.device_code(&form).await?;
    show(context, &code);
    interruptible(poll(issuer, offer, &code)).await
}

fn show(context: &Context, code: &DeviceCode) {
    if context.json {
        let shown = json!({
            "verification_uri": code.verification_uri,
            "verification_uri_complete": code.verification_uri_complete,
            "user_code": code.user_code,
            "expires_in": code.expires_in,
        });
        context.terminal.json(&shown.to_string());
        return;
    }
    let url = code.verification_uri_complete.as_ref();
    let url = escape(url.unwrap_or(&code.verification_uri));
    let user_code = context
        .terminal
        .paint(Paint::Bold, &escape(&code.user_code));
    context.line(&format!(
        "open {url} in a browser, and compare the code: {user_code}"
    ));
}

async fn poll(issuer: &Issuer, offer: &Login, code: &DeviceCode) -> Result<TokenAnswer, Failure> {
    let patience = Duration::from_secs(code.expires_in).min(PATIENCE_MAX);
    let until = Instant::now() + patience;
    let mut interval = code.interval.map_or(INTERVAL, Duration::from_secs);
    interval = interval.clamp(Duration::from_secs(1), PATIENCE_MAX);
    let mut form = vec![
        ("grant_type", GRANT),
        ("device_code", code.device_code.as_str()),
        ("client_id", &offer.client_id),
    ];
    if is_resource(&offer.audience) {
        form.push(("resource", &offer.audience));
    }
    loop {
        tokio::time::sleep(interval).await;
        match issuer.tokens(&form).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => match error.error.as_str() {
                "authorization_pending" => {}
                "slow_down" => interval += INTERVAL,
                _ => return Err(issuer.refused(&error)),
            },
            // It may be back in time.
            Err(failure) if failure.exit == Exit::Unavailable => interval += INTERVAL,
            Err(failure) => return Err(failure),
        }
        if Instant::now() >= until {
            let message = "no one let this program in in time; run the command again";
            return Err(Failure::new(Exit::Timeout, message));
        }
    }
}
