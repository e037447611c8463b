//! The token that is sent to a host, renewed before it expires.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::get_current_timestamp;
use serde_json::Value;

use super::oauth::{Issuer, TokenAnswer};
use super::store::{StoredToken, Tokens};
use crate::cli::io::{Exit, Failure};
use crate::config::is_trustworthy;

/// A token with so many seconds left is renewed first.
const RENEWED_BEFORE: u64 = 30;
/// How long a token is assumed to last if its issuer does not say.
const UNSAID_SECONDS: u64 = 300;

/// What sends the token of a person who logged in at a host.
#[derive(Debug, Clone)]
pub struct Session {
    url: String,
    ca: Option<PathBuf>,
}

impl Session {
    /// Returns the session at a host; `None` if the user did not log in there, or tokens
    /// would be sent there in the clear.
    pub fn at(url: &str, ca: Option<&Path>) -> Result<Option<Self>, Failure> {
        if !is_trustworthy(url) || Tokens::read()?.of(url).is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            url: url.to_owned(),
            ca: ca.map(Path::to_owned),
        }))
    }

    /// Returns the token to send, renewed if it is about to expire.
    pub async fn token(&self) -> Result<Option<String>, Failure> {
        let stored = Tokens::read()?;
        match stored.of(&self.url) {
            Some(stored) if is_fresh(stored) => Ok(Some(stored.token.clone())),
            Some(_) => self.renewed().await,
            None => Ok(None),
        }
    }

    async fn renewed(&self) -> Result<Option<String>, Failure> {
        let ca = self.ca.as_deref();
        Tokens::change(&self.url, async |stored| {
            // Another command may have renewed it meanwhile.
            let Some(old) = stored.clone() else {
                return Ok(None);
            };
            if is_fresh(&old) {
                return Ok(Some(old.token));
            }
            let Some(refresh) = &old.refresh_token else {
                return Err(expired(&self.url));
            };
            let issuer = Issuer::find(&old.issuer, ca).await?;
            let mut form = vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh),
                ("client_id", &old.client_id),
            ];
            if is_resource(&old.audience) {
                form.push(("resource", &old.audience));
            }
            match issuer.tokens(&form).await? {
                Ok(answer) => {
                    let mut new = StoredToken::of(answer, &old)?;
                    new.refresh_token = new.refresh_token.or(old.refresh_token);
                    let token = new.token.clone();
                    *stored = Some(new);
                    Ok(Some(token))
                }
                Err(error) if error.error == "invalid_grant" => {
                    *stored = None;
                    Err(expired(&self.url))
                }
                Err(error) => Err(issuer.refused(&error)),
            }
        })
        .await
    }
}

impl StoredToken {
    /// Picks the token that the host accepts out of an answer: the access token if it names
    /// the audience, else the id token. `like` has everything else.
    pub fn of(answer: TokenAnswer, like: &Self) -> Result<Self, Failure> {
        let lasts = answer.expires_in.unwrap_or(UNSAID_SECONDS);
        let both = [answer.access_token, answer.id_token];
        let named = both.into_iter().flatten().find_map(|token| {
            let claims = claims(&token)?;
            let aud = &claims["aud"];
            let is_for = aud == like.audience.as_str()
                || aud
                    .as_array()
                    .is_some_and(|all| all.iter().any(|it| it == like.audience.as_str()));
            let expires_at = claims["exp"].as_u64();
            let expires_at = expires_at.unwrap_or_else(|| get_current_timestamp() + lasts);
            is_for.then_some((token, expires_at))
        });
        let Some((token, expires_at)) = named else {
            let message = format!(
                "the issuer gave no signed token for the audience {}; it must be configured there for this client",
                like.audience
            );
            return Err(Failure::new(Exit::Invalid, message));
        };
        Ok(Self {
            token,
            expires_at,
            refresh_token: answer.refresh_token,
            ..like.clone()
        })
    }
}

/// Whether an audience is a resource, by whose URL tokens for it are asked for.
pub fn is_resource(audience: &str) -> bool {
    audience.contains("://")
}

fn is_fresh(stored: &StoredToken) -> bool {
    stored.expires_at > get_current_timestamp() + RENEWED_BEFORE
}

fn expired(url: &str) -> Failure {
    let message = format!("the login at {url} has expired: `flowhost login` renews it");
    Failure::new(Exit::Denied, message)
}

/// Reads the claims of a token, which its host will verify.
fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    serde_json::from_slice(&claims).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn like() -> StoredToken {
        StoredToken {
            issuer: "https://issuer.example".into(),
            client_id: "cli".into(),
            audience: "flowhost".into(),
            token: String::new(),
            expires_at: 0,
            refresh_token: None,
        }
    }

    fn signed(claims: Value) -> String {
        format!("e30.{}.eA", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn the_token_that_names_the_audience_is_kept() {
        let picked = |access: &str, id: &str| {
            let answer = TokenAnswer {
                access_token: Some(access.to_owned()),
                id_token: Some(id.to_owned()),
                refresh_token: None,
                expires_in: Some(7),
            };
            StoredToken::of(answer, &like()).map(|it| (it.token, it.expires_at))
        };
        let access = signed(json!({"aud": ["flowhost", "x"], "exp": 77}));
        let id = signed(json!({"aud": "flowhost", "exp": 99}));
        let other = signed(json!({"aud": "cli", "exp": 5}));
        assert_eq!(picked(&access, &other).expect("one"), (access, 77));
        assert_eq!(picked("opaque", &id).expect("one"), (id, 99));
        assert!(picked("opaque", &other).is_err());
    }
}
