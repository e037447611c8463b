//! Signatures of webhooks, as Standard Webhooks has them (standardwebhooks.com, 1.0.0):
//!
//! ```text
//! webhook-id: <id>                  the same in every try of one message
//! webhook-timestamp: <seconds>      of this try, since 1970
//! webhook-signature: v1,<base64> …  HMAC-SHA-256 of "<id>.<seconds>.<body>"
//! ```
//!
//! While a secret is being replaced, there is a signature by the new one and by the old
//! one, so a receiver with either accepts the message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::WebhookSecret;

/// A message as it is sent: what its signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookMessage<'a> {
    /// Tells repeats of a message from other messages. Without dots, so that the parts of
    /// what is signed cannot be confused.
    pub id: &'a str,
    /// Time of this try by the database's clock, in seconds since 1970.
    pub timestamp_s: i64,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

impl WebhookMessage<'_> {
    /// Returns the value of `webhook-signature`: one signature for each secret, in their
    /// order.
    ///
    /// # Panics
    /// The id has a dot.
    pub fn signatures(&self, secrets: &[WebhookSecret]) -> String {
        assert!(
            !self.id.contains('.'),
            "invariant: ids of messages have no dot"
        );
        let signatures: Vec<_> = secrets
            .iter()
            .map(|secret| self.signature(secret))
            .collect();
        signatures.join(" ")
    }

    fn signature(&self, secret: &WebhookSecret) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes())
            .expect("invariant: HMAC takes keys of any length");
        mac.update(format!("{}.{}.", self.id, self.timestamp_s).as_bytes());
        mac.update(self.body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors that other implementations of the scheme are tested with.
    #[test]
    fn signatures_are_those_that_are_published() {
        for (secret, id, timestamp_s, body, signature) in [
            (
                "whsec_plJ3nmyCDGBKInavdOK15jsl",
                "msg_loFOjxBNrRLzqYUf",
                1_731_705_121,
                r#"{"event_type":"ping","data":{"success":true}}"#,
                "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
            ),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ] {
            let message = WebhookMessage {
                id,
                timestamp_s,
                body: body.as_bytes(),
            };
            let secret = WebhookSecret::parse(secret);
            let secret = secret.unwrap_or_else(|_| panic!("the secret of {id}"));
            assert_eq!(message.signatures(&[secret]), signature, "{id}");
        }
    }

    #[test]
    fn each_secret_signs_and_every_part_is_signed() {
        let (new, old) = (WebhookSecret::draw(), WebhookSecret::draw());
        let message = WebhookMessage {
            id: "m",
            timestamp_s: 1,
            body: b"{}",
        };
        let of = |message: WebhookMessage<'_>, secret: &WebhookSecret| {
            message.signatures(std::slice::from_ref(secret))
        };
        let both = message.signatures(&[new.clone(), old.clone()]);
        assert_eq!(both, format!("{} {}", of(message, &new), of(message, &old)));
        for changed in [
            WebhookMessage { id: "n", ..message },
            WebhookMessage {
                timestamp_s: 2,
                ..message
            },
            WebhookMessage {
                body: b"{ }",
                ..message
            },
        ] {
            assert_ne!(of(changed, &new), of(message, &new));
        }
    }
}
