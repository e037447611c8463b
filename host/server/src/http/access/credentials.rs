//! The credential of a request: an API key, a token of an issuer, or a client certificate.
//!
//! Every credential that is missing, malformed, unknown, expired or revoked gets one and the
//! same answer.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use model::{Identity, Principal};
use tokio::sync::watch;

use crate::http::App;
use crate::http::doors::CertificateHolder;
use crate::http::problem::Problem;

/// What every API key begins with.
const KEY_PREFIX: &str = "fh_";
/// How often a credential is verified again while a long request is open.
pub(super) const VERIFIED_EVERY: Duration = Duration::from_millis(900);
/// Longest bearer that is looked at.
const BEARER_BYTES_MAX: usize = 16 << 10;

/// Who asks where no credential is required.
static ANYBODY: LazyLock<Arc<Identity>> =
    LazyLock::new(|| Arc::new(Identity::new(Principal::anybody())));

/// A credential that was verified.
pub(super) struct Verified {
    /// The caller it is of.
    pub(super) identity: Arc<Identity>,
    /// How to notice that it is not valid any more.
    standing: Standing,
}

/// Whether a request may stay open for longer than what is remembered of its credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    /// It is answered soon.
    Short,
    /// It may wait, and ends when its credential does.
    Long,
}

/// How a credential is noticed to be not valid any more while its request is open.
enum Standing {
    /// Nothing ends it while the connection is open, or the request is a short one.
    Lasting,
    /// The table of sessions tells.
    Session(watch::Receiver<bool>),
    /// It is verified again.
    Token(String),
}

impl App {
    /// Verifies the credential of a request.
    ///
    /// # Errors
    /// It is missing or not valid; or the database does not answer.
    pub(super) async fn verify_credential(
        &self,
        headers: &HeaderMap,
        request: &axum::http::Extensions,
        stay: Stay,
    ) -> Result<Verified, Problem> {
        if !self.access.required {
            return Ok(Verified {
                identity: Arc::clone(&ANYBODY),
                standing: Standing::Lasting,
            });
        }
        if !headers.contains_key(header::AUTHORIZATION) {
            let identity = request
                .get::<CertificateHolder>()
                .map(|it| Arc::clone(&it.0));
            return Ok(Verified {
                identity: identity.ok_or_else(Problem::unauthenticated)?,
                standing: Standing::Lasting,
            });
        }
        let bearer = bearer(headers).ok_or_else(Problem::unauthenticated)?;
        if bearer.starts_with(KEY_PREFIX) {
            let session = self.sessions.find(&self.engine, bearer, stay).await?;
            let session = session.ok_or_else(Problem::unauthenticated)?;
            return Ok(Verified {
                identity: session.identity,
                standing: session.gone.map_or(Standing::Lasting, Standing::Session),
            });
        }
        let identity = self.verify_token(bearer).await;
        Ok(Verified {
            identity: identity.ok_or_else(Problem::unauthenticated)?,
            standing: match stay {
                Stay::Short => Standing::Lasting,
                Stay::Long => Standing::Token(bearer.to_owned()),
            },
        })
    }

    async fn verify_token(&self, token: &str) -> Option<Arc<Identity>> {
        self.doors.oidc.as_ref()?.verify(token).await
    }
}

/// The end of the credential of a request, for answers that go on after they began.
#[derive(Clone)]
pub struct CredentialEnd(Shared<BoxFuture<'static, ()>>);

impl CredentialEnd {
    /// Returns when the credential is not valid any more.
    pub async fn reached(&self) {
        self.0.clone().await;
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CredentialEnd {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let end = parts.extensions.get::<Self>().cloned();
        Ok(end.expect("invariant: an answer that continues says so in the table of routes"))
    }
}

impl Verified {
    /// Returns the end of the credential.
    pub(super) fn end(self, app: App) -> CredentialEnd {
        let gone = async move { self.gone(&app).await };
        CredentialEnd(gone.boxed().shared())
    }

    async fn gone(self, app: &App) {
        match self.standing {
            Standing::Lasting => std::future::pending().await,
            Standing::Session(mut gone) => {
                if gone.wait_for(|gone| *gone).await.is_err() {
                    // The table keeps what is waited for, so it is being dropped itself.
                    std::future::pending().await
                }
            }
            Standing::Token(token) => loop {
                tokio::time::sleep(VERIFIED_EVERY).await;
                let now = app.verify_token(&token).await;
                if now.as_ref() != Some(&self.identity) {
                    return;
                }
            },
        }
    }
}

/// Returns the bearer of a request, if it sends one and only one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (only, None) = (given.next()?, given.next()) else {
        return None;
    };
    let (scheme, bearer) = only.to_str().ok()?.split_once(' ')?;
    let bearer = bearer.trim();
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    (is_bearer && (1..=BEARER_BYTES_MAX).contains(&bearer.len())).then_some(bearer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_bearer_is_a_credential() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().expect("a value"));
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(of(&["Bearer fh_x"]).as_deref(), Some("fh_x"));
        assert_eq!(of(&["bearer  fh_x "]).as_deref(), Some("fh_x"));
        for wrong in [
            &[][..],
            &["fh_x"],
            &["Bearer"],
            &["Bearer "],
            &["Basic fh_x"],
            &["Bearer a", "Bearer b"],
        ] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }
}
