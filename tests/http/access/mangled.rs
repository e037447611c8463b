//! Thousands of keys that are almost right: none is accepted, and over HTTP all get one answer.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::{CreateApiKey, Engine, KeyHash};
use model::{Role, RoleGrant, Scope};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use sha2::{Digest as _, Sha256};
use testkit::{Answered, database};

use super::guarded::Guarded;

/// Accepted keys, of which the others are made.
const KEYS: usize = 20;
/// Keys of each kind that was accepted once, or is accepted elsewhere.
const ENDED: usize = 60;
/// Characters before the checksum.
const SIGNED_CHARS: usize = 46;
/// Most keys that are asked about at once.
const BATCH: usize = 256;
/// Characters that look like others, or like none.
const ODD: [char; 9] = [
    'ä', 'е', 'ʜ', '０', '\u{200b}', '\u{feff}', '\u{301}', '\0', '🔑',
];

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_keys_that_are_almost_right_get_one_answer_and_none_is_accepted() {
    let host = Guarded::start().await;
    let mut right = Vec::new();
    for number in 0..KEYS {
        let name = format!("right-{number}");
        right.push(host.key(&name, Role::Admin, None).await.text);
    }
    let elsewhere = database().await.engine().await;
    let mut well_formed = ended(&host, &elsewhere).await;
    let foreign = well_formed[..ENDED].to_vec();
    let unknown = engine::bench::unknown_keys(1_000);
    well_formed.extend(unknown.iter().map(|key| key.reveal().to_owned()));
    well_formed.extend(right.iter().flat_map(|text| near(text)));
    let mangled: Vec<String> = right.iter().flat_map(|text| mangled(text)).collect();

    // What the database is asked about is known to it as none that it accepts.
    let mut asked = 0;
    for texts in well_formed.chunks(BATCH) {
        let hashes: Vec<KeyHash> = texts.iter().filter_map(|text| KeyHash::of(text)).collect();
        assert_eq!(hashes.len(), texts.len(), "each is well formed");
        let answers = host.engine.authenticate(&hashes).await.expect("answers");
        for (text, answer) in texts.iter().zip(answers) {
            assert_eq!(answer, None, "{text}");
            asked += 1;
        }
    }
    for text in &mangled {
        assert_eq!(KeyHash::of(text), None, "{text:?}");
    }
    assert!(asked > 4_000, "{asked}");
    assert!(
        asked + mangled.len() >= 10_000,
        "{asked}, {}",
        mangled.len()
    );
    // It does not refuse everything: they are accepted where they are right.
    assert_eq!(accepted(&host.engine, &right).await, KEYS);
    assert_eq!(accepted(&elsewhere, &foreign).await, ENDED);

    // Over HTTP: every one that was accepted once or is elsewhere, and some of the others.
    let (once, others) = well_formed.split_at(4 * ENDED);
    let some = others.iter().step_by(23).chain(mangled.iter().step_by(29));
    let client = reqwest::Client::new();
    let ask = async |text: &str| {
        // Headers hold bytes; those that cannot be in one cannot be sent.
        let value = HeaderValue::from_bytes(format!("Bearer {text}").as_bytes()).ok()?;
        let request = client.get(format!("{}/v1/lanes", host.host.url()));
        let response = request.header(AUTHORIZATION, value).send().await;
        let response = response.expect("the host answers");
        let status = response.status().as_u16();
        let mut headers = response.headers().clone();
        headers.remove("date");
        let body = response.text().await.expect("text");
        Some((status, format!("{headers:?}"), body))
    };
    let mut answers = BTreeSet::new();
    let mut sent = 0;
    for text in once.iter().chain(some) {
        // The space before and after a value is not part of it.
        if text.trim_matches([' ', '\t']) != text {
            continue;
        }
        if let Some(answer) = ask(text).await {
            answers.insert(answer);
            sent += 1;
        }
    }
    assert!(sent > 500, "{sent}");
    let [(401, _, only)] = &Vec::from_iter(answers.clone())[..] else {
        panic!("there is more than one answer: {answers:?}");
    };
    assert!(only.contains("unauthenticated"), "{only}");
    let (status, ..) = ask(&right[0]).await.expect("it can be sent");
    assert_eq!(status, 200);
}

/// Makes keys of another instance, those that were revoked, those that have expired, and the
/// old texts of rotated ones, in this order.
async fn ended(host: &Guarded, elsewhere: &Engine) -> Vec<String> {
    let create = async |engine: &Engine, name: String, expires_in_ms| {
        let grant = RoleGrant {
            role: Role::Admin,
            namespace: None,
        };
        let create = CreateApiKey {
            name,
            grant,
            expires_in_ms,
            actor: "tests".to_owned(),
        };
        let created = engine.create_api_key(create).await.accepted();
        (created.id, created.text.reveal().to_owned())
    };
    let mut texts: [Vec<String>; 4] = Default::default();
    let everywhere = Scope::Everywhere;
    for number in 0..ENDED {
        let (_, text) = create(elsewhere, format!("foreign-{number}"), None).await;
        texts[0].push(text);
        let (id, text) = create(&host.engine, format!("revoked-{number}"), None).await;
        let revoked = host.engine.revoke_api_key(id, &everywhere, "tests").await;
        revoked.accepted();
        texts[1].push(text);
        let (_, text) = create(&host.engine, format!("expired-{number}"), Some(60_000)).await;
        texts[2].push(text);
        let (id, text) = create(&host.engine, format!("rotated-{number}"), None).await;
        let rotated = host.engine.rotate_api_key(id, &everywhere, Some(0)).await;
        rotated.accepted();
        texts[3].push(text);
    }
    host.database.advance(Duration::from_secs(60)).await;
    texts.concat()
}

/// Returns how many of these keys are accepted.
async fn accepted(engine: &Engine, texts: &[String]) -> usize {
    let hashes: Vec<KeyHash> = texts.iter().filter_map(|text| KeyHash::of(text)).collect();
    let answers = engine.authenticate(&hashes).await.expect("answers");
    answers.iter().flatten().count()
}

/// Appends the checksum of a text: anybody can compute it.
fn signed(text: &str) -> String {
    let digest = Sha256::digest(text);
    let digits: String = digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{text}{digits}")
}

/// Returns the texts that differ from a key in one character of its secret, or are its
/// secret in another order, with a checksum that is right.
fn near(text: &str) -> Vec<String> {
    let secret = 3..SIGNED_CHARS - 1;
    let mut near = Vec::new();
    for at in secret.clone() {
        for other in ["A", "b", "7", "-", "_"] {
            let mut changed = text[..SIGNED_CHARS].to_owned();
            changed.replace_range(at..=at, other);
            near.push(signed(&changed));
        }
    }
    let reversed: String = text[secret].chars().rev().collect();
    near.push(signed(&format!(
        "fh_{reversed}{}",
        &text[SIGNED_CHARS - 1..SIGNED_CHARS]
    )));
    near.retain(|changed| changed != text);
    near
}

/// Returns the texts that are none of a key: flipped, cut, longer, in another case, with
/// other beginnings, spaces and characters, also with a checksum that is right.
fn mangled(text: &str) -> Vec<String> {
    let unsigned = &text[..SIGNED_CHARS];
    let mut mangled = vec![
        String::new(),
        text.to_uppercase(),
        text.to_lowercase(),
        text.replacen("fh_", "FH_", 1),
        format!("{text}{text}"),
        format!("{text},{text}"),
        format!("{text}="),
        format!("{text} x"),
        signed(text),
        format!("{unsigned}{}", text[SIGNED_CHARS..].to_uppercase()),
        format!("\"{text}\""),
        text.chars().rev().collect(),
    ];
    for beginning in [
        "FH_", "fh-", "fH_", "gh_", "fk_", "sk_", "key", "fh__", "fh", "",
    ] {
        let other = format!("{beginning}{}", &unsigned[3..]);
        mangled.extend([signed(&other), format!("{other}{}", &text[SIGNED_CHARS..])]);
    }
    for at in 0..text.len() {
        mangled.extend([text[..at].to_owned(), text[at + 1..].to_owned()]);
        mangled.push(format!("{}{}", &text[..at], &text[at + 1..]));
        for bit in 0..7 {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            mangled.push(String::from_utf8(bytes).expect("ASCII"));
        }
        for odd in ODD.into_iter().chain([' ', '\t', '\n', '+', '/', '=']) {
            let inserted = format!("{}{odd}{}", &text[..at], &text[at..]);
            mangled.extend([inserted, format!("{}{odd}{}", &text[..at], &text[at + 1..])]);
        }
    }
    for space in [" ", "\t", "\n", "\r\n", "\u{a0}", "\u{2003}"] {
        mangled.extend([format!("{space}{text}"), format!("{text}{space}")]);
    }
    // The last character of the secret has two bits that are not part of it: one text for
    // each secret.
    let last = ["A", "B", "C", "D"].map(|other| format!("{}{other}", &unsigned[..45]));
    mangled.extend(last[1..].iter().map(|it| signed(it)));
    // A checksum may be the same in upper case.
    mangled.retain(|changed| changed != text);
    mangled
}
