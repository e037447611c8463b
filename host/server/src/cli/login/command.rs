//! Logs a person in at the issuer that a host names, and out again.

use clap::Args;
use serde_json::json;

use super::device;
use crate::api::Login;
use crate::cli::io::{Context, Exit, Failure, Issuer, StoredToken, Tokens, escape};
use crate::config::is_trustworthy;

/// Arguments of `login`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost login
  flowhost --url https://flow.example.com login --issuer https://id.example.com")]
pub struct LoginArgs {
    /// Log in only if the host names this issuer
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

/// Runs `login`.
pub async fn login(context: &Context, args: LoginArgs) -> Result<Exit, Failure> {
    let target = context.target()?;
    let (url, ca) = (&target.url, target.ca.as_deref());
    if !is_trustworthy(url) {
        let message = format!("{url} is not an https URL: tokens are not sent in the clear");
        return Err(Failure::usage(message));
    }
    let answer = context.client()?.get("/v1/login", Vec::new()).await?;
    let offer: Login = answer.read()?;
    if let Some(wanted) = &args.issuer
        && *wanted != offer.issuer
    {
        let message = format!("the host names another issuer: {}", escape(&offer.issuer));
        return Err(Failure::new(Exit::Denied, message));
    }
    let issuer = Issuer::find(&offer.issuer, ca).await?;
    let answer = device::log_in(context, &issuer, &offer).await?;
    let like = StoredToken {
        issuer: offer.issuer,
        client_id: offer.client_id,
        audience: offer.audience,
        token: String::new(),
        expires_at: 0,
        refresh_token: None,
    };
    let token = StoredToken::of(answer, &like)?;
    Tokens::change(url, async |stored| {
        *stored = Some(token);
        Ok(())
    })
    .await?;
    if context.json {
        context
            .terminal
            .json(&json!({ "logged_in": url }).to_string());
    } else {
        context.line(&format!("logged in at {}", escape(url)));
    }
    Ok(Exit::Ok)
}

/// Runs `logout`.
pub async fn logout(context: &Context) -> Result<Exit, Failure> {
    let url = &context.target()?.url;
    let was = Tokens::change(url, async |stored| Ok(stored.take())).await?;
    let Some(was) = was else {
        let message = format!("no one is logged in at {}", escape(url));
        return Err(Failure::new(Exit::NotFound, message));
    };
    // The file is what counts here; an issuer that is down must not keep a token in it.
    let revoked = match &was.refresh_token {
        Some(refresh) => revoke(context, &was, refresh).await,
        None => Ok(()),
    };
    if context.json {
        let shown = json!({ "logged_out": url, "revoked": revoked.is_ok() });
        context.terminal.json(&shown.to_string());
        return Ok(Exit::Ok);
    }
    context.line(&format!("logged out at {}", escape(url)));
    if let Err(failure) = revoked {
        context.line(&format!(
            "the issuer was not told: {}",
            escape(&failure.message)
        ));
    }
    Ok(Exit::Ok)
}

async fn revoke(context: &Context, was: &StoredToken, refresh: &str) -> Result<(), Failure> {
    let issuer = Issuer::find(&was.issuer, context.target()?.ca.as_deref()).await?;
    let form = [
        ("token", refresh),
        ("token_type_hint", "refresh_token"),
        ("client_id", &was.client_id),
    ];
    issuer.revoke(&form).await
}
