//! Verifies tokens.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{DecodingKey, Validation, get_current_timestamp};
use model::{Identity, Invalid};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::claims::{Claims, Wanted};
use super::issuer::Issuer;
use super::keys::Found;
use super::memory::Memory;
use super::refresh::{Held, Keys};
use super::rules;
use super::signatures::{self, named};
use super::token::{Reason, TOKEN_BYTES_MAX, Token};
use crate::config::Oidc;

/// Verifies the tokens of one issuer.
#[derive(Debug)]
pub struct Verifier {
    settings: Oidc,
    issuer: String,
    audience: String,
    keys: Keys,
    memory: Memory,
}

impl Verifier {
    /// Makes one for the issuer of the settings; `None` if they name none. The issuer is
    /// asked for its keys with the first token.
    ///
    /// # Errors
    /// The setting that is wrong.
    pub fn new(settings: &Oidc) -> Result<Option<Self>, Invalid> {
        let (Some(url), Some(audience)) = (&settings.issuer, &settings.audience) else {
            return Ok(None);
        };
        signatures::install();
        let issuer = Issuer::new(url, &settings.algorithms)
            .map_err(|error| Invalid::new("oidc.issuer", error.to_string()))?;
        Ok(Some(Self {
            keys: Keys::new(issuer, settings),
            memory: Memory::new(),
            settings: settings.clone(),
            issuer: url.clone(),
            audience: audience.clone(),
        }))
    }

    /// Verifies a token and returns whose it is. Why it is refused stands in the log at
    /// the level `debug`, and the token nowhere.
    pub async fn verify(&self, token: &str) -> Option<Arc<Identity>> {
        match self.judge(token).await {
            Ok(identity) => Some(identity),
            Err(why) => {
                tracing::debug!("a token was refused: {why}");
                None
            }
        }
    }

    /// Asks the issuer for its keys now.
    ///
    /// # Errors
    /// There are none to verify tokens with.
    pub async fn check(&self) -> Result<(), String> {
        self.keys.ask().await;
        match self.keys.held() {
            Some(_) => Ok(()),
            None => Err("the issuer did not answer with its keys".to_owned()),
        }
    }

    /// Returns how often the issuer was asked for its keys, by what came of it.
    pub fn fetches(&self) -> [(&'static str, u64); 2] {
        self.keys.fetches()
    }

    /// Returns the age of the keys of the issuer, if there are some.
    pub fn keys_age(&self) -> Option<Duration> {
        self.keys.age()
    }

    async fn judge(&self, text: &str) -> Result<Arc<Identity>, Reason> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err("it is too long");
        }
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        if let Some(held) = self.keys.held()
            && let Some(identity) = self.memory.recall(&digest, &held.digest)
        {
            return Ok(identity);
        }
        let token = Token::read(text, &self.settings.algorithms)?;
        let now = get_current_timestamp();
        let wanted = Wanted {
            issuer: &self.issuer,
            audience: &self.audience,
            leeway: self.settings.leeway(),
            now,
        };
        let claims = Claims::read(&token.claims, wanted)?;
        let held = self.keys_for(&token).await?;
        match held.keys.find(&token) {
            Found::Key(key) => self.check_signature(text, &token, key)?,
            Found::Unknown => return Err("its key is unknown"),
            Found::Wrong(why) => return Err(why),
        }
        // Only now is anything of it believed.
        let principal = rules::principal(&self.settings, &claims.all)?;
        let identity = Arc::new(Identity::new(principal));
        let left = Duration::from_secs(claims.expires_at.saturating_sub(now));
        self.memory
            .remember(digest, held.digest, Arc::clone(&identity), left);
        Ok(identity)
    }

    /// Returns the keys, which are asked for if none is that of the token.
    async fn keys_for(&self, token: &Token) -> Result<Held, Reason> {
        if let Some(held) = self.keys.held()
            && !matches!(held.keys.find(token), Found::Unknown)
        {
            return Ok(held);
        }
        self.keys.ask().await;
        self.keys.held().ok_or("there are no keys of the issuer")
    }

    fn check_signature(&self, text: &str, token: &Token, key: &DecodingKey) -> Result<(), Reason> {
        let mut wanted = Validation::new(named(token.algorithm));
        wanted.leeway = self.settings.leeway().as_secs();
        wanted.validate_nbf = true;
        wanted.required_spec_claims = HashSet::from(["exp", "iss", "aud"].map(str::to_owned));
        wanted.set_issuer(&[&self.issuer]);
        wanted.set_audience(&[&self.audience]);
        match jsonwebtoken::decode::<Value>(text, key, &wanted) {
            Ok(_) => Ok(()),
            Err(_) => Err("its signature is not that of its key"),
        }
    }
}
