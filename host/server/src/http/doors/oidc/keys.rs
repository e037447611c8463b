//! The keys that an issuer publishes, each with the algorithms it is for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::token::{Reason, Token};
use crate::config::TokenAlgorithm;

/// Most keys of an issuer that are read.
const KEYS_MAX: usize = 128;
/// Sizes of an RSA modulus, in bytes.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The keys of an issuer.
#[derive(Debug, Default)]
pub struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    /// Never of two types of keys, so that a token cannot choose how its key is used.
    algorithms: Vec<TokenAlgorithm>,
    key: DecodingKey,
}

/// What was found for a token.
#[derive(Debug)]
pub enum Found<'a> {
    /// The key it says it was signed with.
    Key(&'a DecodingKey),
    /// No key has that id.
    Unknown,
    /// A key has that id and is for other algorithms, or it is not said which key it is.
    Wrong(Reason),
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

/// A key as it is published.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    used_for: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a published set. Keys of other types, for other purposes and for algorithms
    /// that are not accepted are left out.
    ///
    /// # Errors
    /// It is not a set of keys, or none of them can be used.
    pub fn read(json: &[u8], accepted: &[TokenAlgorithm]) -> Result<Self, String> {
        let published: Published =
            serde_json::from_slice(json).map_err(|_| "that is not a set of keys".to_owned())?;
        if published.keys.len() > KEYS_MAX {
            return Err(format!("it has more than {KEYS_MAX} keys"));
        }
        let keys = published.keys.into_iter();
        let keys = keys.filter_map(|key| {
            let jwk: Jwk = serde_json::from_value(key).ok()?;
            jwk.usable(accepted)
        });
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() {
            return Err("it has no key for an accepted algorithm".to_owned());
        }
        Ok(Self(keys))
    }

    /// Finds the key of a token.
    pub fn find(&self, token: &Token) -> Found<'_> {
        let is_for = |key: &&Key| key.algorithms.contains(&token.algorithm);
        let Some(kid) = &token.kid else {
            let mut fitting = self.0.iter().filter(is_for);
            return match (fitting.next(), fitting.next()) {
                (Some(only), None) => Found::Key(&only.key),
                _ => Found::Wrong("it names no key, and there is not exactly one"),
            };
        };
        let mut of_id = self.0.iter().filter(|key| key.kid.as_ref() == Some(kid));
        match of_id.clone().find(is_for) {
            Some(key) => Found::Key(&key.key),
            None if of_id.next().is_some() => Found::Wrong("its key is for another algorithm"),
            None => Found::Unknown,
        }
    }
}

impl Jwk {
    fn usable(self, accepted: &[TokenAlgorithm]) -> Option<Key> {
        use TokenAlgorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        if self.used_for.as_deref().is_some_and(|it| it != "sig") {
            return None;
        }
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
        let (algorithms, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => {
                let (n, e) = (bytes(&self.n)?, bytes(&self.e)?);
                if !MODULUS_BYTES.contains(&n.len()) {
                    return None;
                }
                let algorithms = vec![Rs256, Rs384, Rs512, Ps256, Ps384, Ps512];
                (algorithms, DecodingKey::from_rsa_raw_components(&n, &e))
            }
            ("EC", Some(curve @ ("P-256" | "P-384"))) => {
                let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
                let (algorithm, length) = match curve {
                    "P-256" => (Es256, 32),
                    _ => (Es384, 48),
                };
                if x.len() != length || y.len() != length {
                    return None;
                }
                // A point, not compressed.
                let point = [&[4_u8][..], &x, &y].concat();
                (vec![algorithm], DecodingKey::from_ec_der(&point))
            }
            ("OKP", Some("Ed25519")) => {
                let x = bytes(&self.x)?;
                (x.len() == 32).then_some((vec![EdDsa], DecodingKey::from_ed_der(&x)))?
            }
            _ => return None,
        };
        let said = self.alg.map(Value::String);
        let said = said.map(|it| serde_json::from_value::<TokenAlgorithm>(it).ok());
        let is_said = |algorithm: &TokenAlgorithm| said.is_none_or(|it| it == Some(*algorithm));
        let mut algorithms = algorithms;
        algorithms.retain(|it| accepted.contains(it) && is_said(it));
        (!algorithms.is_empty()).then_some(Key {
            kid: self.kid,
            algorithms,
            key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ACCEPTED: [TokenAlgorithm; 2] = [TokenAlgorithm::Rs256, TokenAlgorithm::Es256];

    fn rsa(more: Value) -> Value {
        let mut key = json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xc5; 256]), "e": "AQAB"});
        let members = key.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        key
    }

    fn ec(kid: &str) -> Value {
        let coordinate = URL_SAFE_NO_PAD.encode([1; 32]);
        json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": coordinate, "y": coordinate})
    }

    fn set(keys: &[Value]) -> Result<KeySet, String> {
        KeySet::read(json!({ "keys": keys }).to_string().as_bytes(), &ACCEPTED)
    }

    fn token(algorithm: TokenAlgorithm, kid: Option<&str>) -> Token {
        Token {
            algorithm,
            kid: kid.map(str::to_owned),
            claims: Vec::new(),
        }
    }

    #[test]
    fn a_key_is_found_by_its_id_for_its_own_algorithms_only() {
        let keys = set(&[rsa(json!({"kid": "r"})), ec("e")]).expect("usable");
        let found = |algorithm, kid| match keys.find(&token(algorithm, kid)) {
            Found::Key(_) => "key",
            Found::Unknown => "unknown",
            Found::Wrong(_) => "wrong",
        };
        assert_eq!(found(TokenAlgorithm::Rs256, Some("r")), "key");
        assert_eq!(found(TokenAlgorithm::Es256, Some("e")), "key");
        assert_eq!(found(TokenAlgorithm::Es256, Some("r")), "wrong");
        assert_eq!(found(TokenAlgorithm::Rs256, Some("e")), "wrong");
        assert_eq!(
            found(TokenAlgorithm::Rs512, Some("r")),
            "wrong",
            "not accepted"
        );
        assert_eq!(found(TokenAlgorithm::Rs256, Some("x")), "unknown");
        assert_eq!(found(TokenAlgorithm::Rs256, None), "key", "the only one");
        let two = set(&[ec("a"), ec("b")]).expect("usable");
        let unsaid = two.find(&token(TokenAlgorithm::Es256, None));
        assert!(matches!(unsaid, Found::Wrong(_)), "{unsaid:?}");
    }

    #[test]
    fn keys_of_other_kinds_are_left_out() {
        for wrong in [
            json!({"kty": "oct", "k": "AAAA", "alg": "HS256", "kid": "r"}),
            rsa(json!({"use": "enc"})),
            rsa(json!({"alg": "HS256"})),
            rsa(json!({"alg": "RS512"})),
            rsa(json!({"n": URL_SAFE_NO_PAD.encode([0xc5; 128])})),
            rsa(json!({"n": "+"})),
            rsa(json!({"crv": "P-256"})),
            json!({"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}),
            json!({"kty": "EC", "crv": "secp256k1", "x": "AQ", "y": "AQ"}),
            json!({"kty": 1}),
            json!("key"),
        ] {
            assert!(set(std::slice::from_ref(&wrong)).is_err(), "{wrong}");
        }
        assert!(set(&vec![ec("a"); KEYS_MAX + 1]).is_err());
        assert!(KeySet::read(b"[]", &ACCEPTED).is_err());
    }
}
