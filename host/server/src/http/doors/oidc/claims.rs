//! The claims that every token must have: who issued it, for whom, and when it is valid.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::token::Reason;

/// The claims of a token.
#[derive(Debug)]
pub struct Claims {
    /// When the token expires, in seconds since 1970.
    pub expires_at: u64,
    /// Every claim by its name.
    pub all: Map<String, Value>,
}

/// What the claims must be.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The issuer, letter by letter.
    pub issuer: &'a str,
    /// One of the audiences of the token.
    pub audience: &'a str,
    /// How far the clocks of issuer and host may differ.
    pub leeway: Duration,
    /// The present time, in seconds since 1970.
    pub now: u64,
}

/// The registered claims. One that is given twice is an error.
#[derive(Deserialize)]
struct Registered {
    iss: String,
    aud: OneOrMany,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Claims {
    /// Reads the claims of a token and compares them with what they must be.
    ///
    /// # Errors
    /// They are others.
    pub fn read(json: &[u8], wanted: Wanted<'_>) -> Result<Self, Reason> {
        let Ok(claims) = serde_json::from_slice::<Registered>(json) else {
            return Err("a claim that it must have is absent or of another type");
        };
        if claims.iss != wanted.issuer {
            return Err("it is of another issuer");
        }
        let is_for_us = match &claims.aud {
            OneOrMany::One(one) => one == wanted.audience,
            OneOrMany::Many(many) => many.iter().any(|it| it == wanted.audience),
        };
        if !is_for_us {
            return Err("it is for another audience");
        }
        let (now, leeway) = (wanted.now as f64, wanted.leeway.as_secs_f64());
        let is_time = |time: f64| (0.0..9e15).contains(&time);
        let times = [Some(claims.exp), claims.nbf, claims.iat];
        if !times.iter().flatten().all(|time| is_time(*time)) {
            return Err("one of its times is none");
        }
        if claims.exp + leeway <= now {
            return Err("it has expired");
        }
        if claims.nbf.is_some_and(|nbf| nbf > now + leeway) {
            return Err("it is not valid yet");
        }
        if claims.iat.is_some_and(|iat| iat > now + leeway) {
            return Err("it was issued in the future");
        }
        let Ok(all) = serde_json::from_slice(json) else {
            return Err("its claims are not an object");
        };
        Ok(Self {
            expires_at: claims.exp as u64,
            all,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const WANTED: Wanted<'_> = Wanted {
        issuer: "https://issuer.example",
        audience: "flowhost",
        leeway: Duration::from_secs(10),
        now: 1_000_000,
    };

    fn read(change: Value) -> Result<Claims, Reason> {
        let mut claims = json!({
            "iss": "https://issuer.example", "aud": "flowhost", "exp": 1_000_100, "sub": "ada",
        });
        let members = claims.as_object_mut().expect("an object");
        for (name, value) in change.as_object().expect("an object") {
            match value {
                Value::Null => members.remove(name),
                value => members.insert(name.clone(), value.clone()),
            };
        }
        Claims::read(claims.to_string().as_bytes(), WANTED)
    }

    #[test]
    fn a_token_is_of_the_issuer_for_this_api_and_valid_now() {
        assert_eq!(read(json!({})).expect("good").all["sub"], "ada");
        for good in [
            json!({"aud": ["other", "flowhost"]}),
            json!({"exp": 999_991}),
            json!({"exp": 1_000_000.5}),
            json!({"nbf": 1_000_010}),
            json!({"nbf": 5}),
            json!({"iat": 1_000_009}),
        ] {
            assert!(read(good.clone()).is_ok(), "{good}");
        }
        for wrong in [
            json!({"iss": null}),
            json!({"iss": "https://issuer.example/"}),
            json!({"iss": "HTTPS://issuer.example"}),
            json!({"iss": ["https://issuer.example"]}),
            json!({"aud": null}),
            json!({"aud": "flow"}),
            json!({"aud": []}),
            json!({"aud": ["Flowhost", "flowhost "]}),
            json!({"aud": {"flowhost": true}}),
            json!({"exp": null}),
            json!({"exp": 999_990}),
            json!({"exp": 0}),
            json!({"exp": -1}),
            json!({"exp": "1000100"}),
            json!({"exp": 1e300}),
            json!({"nbf": 1_000_011}),
            json!({"nbf": "1000000"}),
            json!({"nbf": -5}),
            json!({"iat": 1_000_011}),
            json!({"iat": true}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
        let twice = br#"{"iss":"x","iss":"https://issuer.example","aud":"flowhost","exp":1000100}"#;
        assert!(Claims::read(twice, WANTED).is_err());
    }
}
