//! The form of a token, which is judged before any key is looked for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use crate::config::TokenAlgorithm;

/// Most bytes of a token.
pub const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Most bytes of the id of a key.
const KID_BYTES_MAX: usize = 256;
/// Types that tokens for an API have; absent is usual as well.
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// Why a token is refused; written to the log only.
pub type Reason = &'static str;

/// What a token says of its signature, and its claims as they were sent.
#[derive(Debug)]
pub struct Token {
    /// How it says it was signed.
    pub algorithm: TokenAlgorithm,
    /// Which key it says it was signed with.
    pub kid: Option<String>,
    /// The claims in JSON, of which nothing is believed yet.
    pub claims: Vec<u8>,
}

/// What the first part of a token says. A member that is given twice is an error.
#[derive(Deserialize)]
struct Header {
    alg: TokenAlgorithm,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
    b64: Option<Value>,
    enc: Option<Value>,
    zip: Option<Value>,
}

impl Token {
    /// Reads the form of a token.
    ///
    /// # Errors
    /// It is not of the form of a token that could be accepted.
    pub fn read(text: &str, accepted: &[TokenAlgorithm]) -> Result<Self, Reason> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err("it is too long");
        }
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("it does not have three parts");
        };
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let decoded = (decoded(header), decoded(claims), decoded(signature));
        let (Some(header), Some(claims), Some(signature)) = decoded else {
            return Err("a part is not in base64url");
        };
        if signature.is_empty() {
            return Err("it is not signed");
        }
        let Ok(header) = serde_json::from_slice::<Header>(&header) else {
            return Err("its header cannot be read, or names an algorithm there is not");
        };
        if !accepted.contains(&header.alg) {
            return Err("its algorithm is not accepted");
        }
        let typed = |typ: &String| TYPES.iter().any(|it| it.eq_ignore_ascii_case(typ));
        if !header.typ.as_ref().is_none_or(typed) {
            return Err("it is a token for something else");
        }
        if header.crit.is_some() || header.b64.is_some() {
            return Err("its header asks for an extension");
        }
        if header.enc.is_some() || header.zip.is_some() {
            return Err("it is encrypted or compressed");
        }
        if header
            .kid
            .as_ref()
            .is_some_and(|kid| kid.len() > KID_BYTES_MAX)
        {
            return Err("the id of its key is too long");
        }
        Ok(Self {
            algorithm: header.alg,
            kid: header.kid,
            claims,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(header: Value) -> Result<Token, Reason> {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let text = format!("{}.{}.{}", part(&header.to_string()), part("{}"), part("x"));
        Token::read(&text, &[TokenAlgorithm::Rs256, TokenAlgorithm::Es256])
    }

    #[test]
    fn only_tokens_of_the_expected_form_are_read() {
        let read = with(json!({"alg": "RS256", "kid": "a", "typ": "at+JWT", "x5t": "b"}));
        let read = read.expect("of the form");
        assert_eq!(read.algorithm, TokenAlgorithm::Rs256);
        assert_eq!(read.kid.as_deref(), Some("a"));
        assert!(with(json!({"alg": "ES256"})).is_ok());
        for wrong in [
            json!({}),
            json!({"alg": "none"}),
            json!({"alg": "None"}),
            json!({"alg": "HS256"}),
            json!({"alg": "RS512"}),
            json!({"alg": ["RS256"]}),
            json!({"alg": "RS256", "typ": "logout+jwt"}),
            json!({"alg": "RS256", "typ": 1}),
            json!({"alg": "RS256", "crit": ["exp"]}),
            json!({"alg": "RS256", "crit": []}),
            json!({"alg": "RS256", "b64": false}),
            json!({"alg": "RS256", "zip": "DEF"}),
            json!({"alg": "RS256", "enc": "A128GCM"}),
            json!({"alg": "RS256", "kid": 7}),
            json!({"alg": "RS256", "kid": "x".repeat(300)}),
            json!(["RS256"]),
            json!("RS256"),
        ] {
            assert!(with(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_three_parts_in_base64url_is_refused() {
        let read = |text: &str| Token::read(text, &[TokenAlgorithm::Rs256]);
        let good = "eyJhbGciOiJSUzI1NiJ9.e30.eA";
        assert!(read(good).is_ok());
        for wrong in [
            "",
            "..",
            "a.b",
            "eyJhbGciOiJSUzI1NiJ9.e30.",
            "eyJhbGciOiJSUzI1NiJ9.e30",
            "eyJhbGciOiJSUzI1NiJ9.e30.eA.eA",
            "eyJhbGciOiJSUzI1NiJ9.e30.eA==",
            "eyJhbGciOiJSUzI1NiJ9.e30.eB",
            "eyJhbGciOiJSUzI1NiJ9 .e30.eA",
            "eyJhbGciOiJSUzI1NiJ9.e30.e+A",
            &format!("{good}{}", "A".repeat(TOKEN_BYTES_MAX)),
            // A member given twice.
            &format!(
                "{}.e30.eA",
                URL_SAFE_NO_PAD.encode(r#"{"alg":"none","alg":"RS256"}"#)
            ),
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
