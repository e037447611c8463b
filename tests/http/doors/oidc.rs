//! Tokens of a real issuer: accepted as it signs them, and in no other form.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use server::config::Oidc;
use server::http::oidc::Verifier;
use testkit::{Random, eventually};

use crate::support::doors::issuer::{Issuer, seconds_now};

fn verifier(settings: &Oidc) -> Verifier {
    let made = Verifier::new(settings).expect("valid");
    made.expect("an issuer is named")
}

async fn fetches(verifier: &Verifier) -> u64 {
    verifier.fetches().iter().map(|(_, count)| count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_issuer_is_its_caller_with_the_roles_of_its_claims() {
    let issuer = Issuer::start(300);
    let verifier = verifier(&issuer.settings());
    let token = issuer.token().await;
    let principal = verifier.verify(&token).await.expect("accepted");
    assert_eq!(principal.name.as_deref(), Some("oidc:robot"));
    assert_eq!(principal.grants.len(), 1);
    assert_eq!(principal.grants[0].role, model::Role::Operator);
    assert_eq!(
        verifier.verify(&token).await,
        Some(principal),
        "from memory"
    );
    assert_eq!(fetches(&verifier).await, 1);
    let keys = issuer.keys().await;
    let minted = issuer.claims(json!({}));
    let header = json!({"alg": "ES256", "kid": keys[1], "typ": "JWT"});
    let other = issuer.mint(header, minted, "es").await;
    assert!(verifier.verify(&other).await.is_some(), "of its other key");
}

#[tokio::test(flavor = "multi_thread")]
async fn none_of_ten_thousand_other_tokens_is_accepted() {
    let issuer = Issuer::start(300);
    let verifier = verifier(&issuer.settings());
    let real = [issuer.token().await, issuer.token().await];
    assert!(verifier.verify(&real[0]).await.is_some());
    let keys = issuer.keys().await;
    let now = seconds_now();
    let mut tokens = Vec::new();
    // Signed with the right key, with claims of others.
    let header = json!({"alg": "RS256", "kid": keys[0], "typ": "at+jwt"});
    for change in [
        json!({"iss": "https://issuer.example"}),
        json!({"iss": format!("{}/", issuer.url)}),
        json!({"iss": [issuer.url]}),
        json!({"iss": null}),
        json!({"aud": "https://other.example"}),
        json!({"aud": ["https://other.example"]}),
        json!({"aud": null}),
        json!({"exp": now - 31}),
        json!({"exp": "never"}),
        json!({"exp": null}),
        json!({"nbf": now + 60}),
        json!({"iat": now + 60}),
        json!({"sub": null}),
        json!({"sub": "robot/root"}),
        json!({"sub": ""}),
    ] {
        let minted = issuer
            .mint(header.clone(), issuer.claims(change.clone()), "rs")
            .await;
        tokens.push((format!("{change}"), minted));
    }
    // With the right claims, otherwise signed.
    let good = issuer.claims(json!({}));
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    for (header, key) in [
        (json!({"alg": "RS256", "kid": keys[0]}), "stranger"),
        (json!({"alg": "RS256"}), "stranger"),
        (json!({"alg": "RS256", "kid": "key-9"}), "stranger"),
        (
            json!({"alg": "RS256", "kid": "../../../dev/null"}),
            "stranger",
        ),
        (json!({"alg": "RS256", "kid": ["key-1"]}), "rs"),
        (json!({"alg": "RS256", "kid": keys[1]}), "rs"),
        (json!({"alg": "ES256", "kid": keys[0]}), "rs"),
        (json!({"alg": "ES256", "kid": keys[0]}), "es"),
        (json!({"alg": "RS256", "kid": keys[1]}), "es"),
        (json!({"alg": "PS256", "kid": keys[0]}), "rs"),
        (json!({"alg": "RS384", "kid": keys[0]}), "rs"),
        (json!({"alg": "HS256", "kid": keys[0]}), "public-pem"),
        (json!({"alg": "HS256", "kid": keys[0]}), "public-modulus"),
        (json!({"alg": "HS256"}), "public-pem"),
        (json!({"alg": "RS256", "kid": keys[0]}), "public-pem"),
        (json!({"alg": "none", "kid": keys[0]}), "rs"),
        (json!({"alg": "NONE"}), "rs"),
        (json!({"kid": keys[0]}), "rs"),
        (
            json!({"alg": "RS256", "kid": keys[0], "crit": ["b64"], "b64": false}),
            "rs",
        ),
        (json!({"alg": "RS256", "kid": keys[0], "crit": []}), "rs"),
        (
            json!({"alg": "RS256", "kid": keys[0], "typ": "logout+jwt"}),
            "rs",
        ),
        (
            json!({"alg": "RS256", "kid": "x", "jku": format!("{}/jwks", issuer.url)}),
            "stranger",
        ),
    ] {
        let minted = issuer.mint(header.clone(), good.clone(), key).await;
        let unsigned = parts(&minted);
        tokens.push((format!("{header} by {key}"), minted));
        tokens.push((
            format!("{header}, unsigned"),
            format!("{}.{}.", unsigned[0], unsigned[1]),
        ));
    }
    // A key of its own, in the header.
    let jwk = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode("secret")});
    let own = json!({"alg": "HS256", "jwk": jwk});
    tokens.push((
        "a key in the header".into(),
        issuer.mint(own, good, "public-pem").await,
    ));
    tokens.push(("nothing".into(), String::new()));
    tokens.push((
        "too long".into(),
        format!("{}{}", real[0], "A".repeat(17_000)),
    ));
    // Changed by chance.
    let mut random = Random::new();
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0";
    let (one, other) = (parts(&real[0]), parts(&real[1]));
    while tokens.len() < 10_000 {
        let mut bytes = real[0].clone().into_bytes();
        let at = random.below(bytes.len());
        let how = match random.below(6) {
            0 => {
                bytes[at] ^= 1 << random.below(7);
                "a bit"
            }
            1 => {
                bytes[at] = letters[random.below(letters.len())];
                "a letter"
            }
            2 => {
                bytes.truncate(at);
                "cut"
            }
            3 => {
                bytes.drain(at..=at);
                "one less"
            }
            4 => {
                bytes.insert(at, letters[random.below(letters.len())]);
                "one more"
            }
            _ => {
                let mixed = [0, 1, 2].map(|_| {
                    let of = if random.below(2) == 0 { &one } else { &other };
                    of[random.below(3)].clone()
                });
                bytes = mixed.join(".").into_bytes();
                "swapped"
            }
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if !real.contains(&text) {
            tokens.push((how.to_owned(), text));
        }
    }
    for (what, token) in &tokens {
        let accepted = verifier.verify(token).await;
        assert_eq!(accepted, None, "{what}: {token}");
    }
    assert!(
        verifier.verify(&real[1]).await.is_some(),
        "and real ones still are"
    );
    let fetched = fetches(&verifier).await;
    assert!(
        fetched < 20,
        "keys that are unknown had them fetched {fetched} times"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_the_issuer_changes_are_followed() {
    let issuer = Issuer::start(300);
    let settings = Oidc {
        jwks_retry_ms: 100,
        ..issuer.settings()
    };
    let verifier = verifier(&settings);
    let old = issuer.token().await;
    assert!(verifier.verify(&old).await.is_some());
    issuer.control("rotate", json!({})).await;
    let new = issuer.token().await;
    eventually("the new key is known", async || verifier.verify(&new).await).await;
    assert_eq!(
        verifier.verify(&old).await,
        None,
        "the old key is withdrawn"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_kept_while_the_issuer_is_down_and_not_forever() {
    let issuer = Issuer::start(300);
    let settings = |keep: u32| Oidc {
        jwks_retry_ms: 100,
        jwks_refresh_ms: 1000,
        jwks_keep_ms: keep,
        ..issuer.settings()
    };
    let (patient, strict) = (verifier(&settings(600_000)), verifier(&settings(1000)));
    let (token, unseen) = (issuer.token().await, issuer.token().await);
    assert!(patient.verify(&token).await.is_some());
    assert!(strict.verify(&token).await.is_some());
    issuer.control("down", json!({})).await;
    eventually("one that keeps no old keys refuses", async || {
        strict.verify(&token).await.is_none().then_some(())
    })
    .await;
    assert!(patient.verify(&unseen).await.is_some(), "not from memory");
    let never = verifier(&settings(1000));
    assert_eq!(
        never.verify(&token).await,
        None,
        "no keys were ever fetched"
    );
    issuer.control("up", json!({})).await;
    for one in [&strict, &never] {
        eventually("it is accepted again", async || one.verify(&token).await).await;
    }
}
