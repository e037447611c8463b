//! What comes from outside and is parsed: nothing panics, and what is read is
//! written the same. `make fuzz` looks for longer.

use engine::{Addressee, Declined, WaitpointTokenKey};
use model::{
    ConditionFault, ExecutionId, FlatCondition, PublicState, ResumeCondition, SignalRefusal,
    WaitpointClaims, WaitpointId,
};
use testkit::{Answered, Random};
use uuid::Uuid;

use crate::support::conditions::condition;
use crate::support::waiting::{signal, suspended_execution};
use crate::support::work::setup;

fn claims(random: &mut Random) -> WaitpointClaims {
    let mut uuid = || Uuid::from_u64_pair(random.bits(), random.bits());
    let (instance_id, execution_id, waitpoint_id, nonce) = (uuid(), uuid(), uuid(), uuid());
    WaitpointClaims {
        instance_id,
        generation: random.bits() as u32,
        namespace: (*random.pick(&["default", "a", "team-1.x"])).into(),
        execution_id: ExecutionId::from_uuid(execution_id),
        waitpoint_id: WaitpointId(waitpoint_id),
        signal_names: (0..random.below(4))
            .map(|_| (*random.pick(&["approved", "é", "x y"])).to_owned())
            .collect(),
        expires_at_us: (random.below(2) == 0).then(|| random.bits() as i64),
        nonce: nonce.into_bytes(),
    }
}

#[test]
fn fuzz_claims_of_tokens() {
    let (mut read, mut refused) = (0, 0);
    Random::rounds(20_000, |random| {
        let bytes = claims(random).encode();
        let words: [&[u8]; 4] = [&[0], &[1], &[255], b"default"];
        let bytes = random.mutate(&bytes, &words);
        match WaitpointClaims::decode(&bytes) {
            Some(claims) => {
                assert_eq!(claims.encode(), bytes, "one spelling");
                read += 1;
            }
            None => refused += 1,
        }
    });
    assert!(
        read > 1_000 && refused > 1_000,
        "{read} {refused}: mutate less or more"
    );
}

#[test]
fn fuzz_texts_of_tokens() {
    let key = WaitpointTokenKey::new("k1", &[7; 32]);
    Random::rounds(20_000, |random| {
        let claims = claims(random);
        let (token, _) = key.sign(&claims);
        let text = token.reveal();
        assert_eq!(key.verify(text), Some(claims));
        let words: [&[u8]; 8] = [b".", b"v1.", b"=", b"-", b"_", b"+", b"k1", b"\0"];
        let bytes = random.mutate(text.as_bytes(), &words);
        let changed = String::from_utf8_lossy(&bytes);
        if changed != text {
            assert_eq!(key.verify(&changed), None, "{changed}");
        }
    });
}

/// Draws a text that a sender may send: fitting, odd, or too long.
fn odd_text(random: &mut Random) -> String {
    let words: [&[u8]; 6] = [b"\0", b"\xff", "é".as_bytes(), b"\n", b" ", b"'"];
    let text = *random.pick(&["", "x", "open", "wpk:"]);
    let bytes = random.mutate(text.as_bytes(), &words);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.repeat(*random.pick(&[1, 1, 1, 100, 1_000]))
}

/// Any signal to a waitpoint is accepted or refused by name: nothing is a
/// fault, and no token but the one that was made opens it.
#[tokio::test(flavor = "multi_thread")]
async fn fuzz_signals_from_outside() {
    let (database, engine) = setup().await;
    let (claimed, waitpoint) = suspended_execution(&engine, ResumeCondition::OperatorOnly).await;
    let (mut accepted, mut forged, mut refused) = (0, 0, 0);
    tokio::task::block_in_place(|| {
        Random::rounds(2_000, |random| {
            let words: [&[u8]; 8] = [b".", b"v1.", b"=", b"-", b"_", b"+", b"k1", b"\0"];
            let text = waitpoint.token.reveal();
            let mut sent = signal(&waitpoint.token, "open");
            let mut is_forged = false;
            if random.below(2) == 0 {
                let bytes = random.mutate(text.as_bytes(), &words);
                let token = String::from_utf8_lossy(&bytes).into_owned();
                is_forged = token != text;
                sent.to = Addressee::Token {
                    token,
                    execution_id: None,
                    namespace: None,
                };
            }
            for field in [
                &mut sent.name,
                &mut sent.source_type,
                &mut sent.source_identity,
            ] {
                if random.below(6) == 0 {
                    *field = odd_text(random);
                }
            }
            for field in [
                &mut sent.category,
                &mut sent.correlation_id,
                &mut sent.idempotency_key,
            ] {
                *field = (random.below(4) == 0).then(|| odd_text(random));
            }
            if let Some(payload) = &mut sent.payload
                && random.below(4) == 0
            {
                payload.content_type = odd_text(random);
            }
            let times = [None, Some(0), Some(1), Some(u64::MAX)];
            sent.dedup_ttl_ms = *random.pick(&times);
            let answer =
                tokio::runtime::Handle::current().block_on(engine.send_signal(sent.clone()));
            match answer {
                Ok(_) => {
                    assert!(!is_forged, "{sent:?}");
                    accepted += 1;
                }
                Err(Declined::Refused(SignalRefusal::InvalidWaitpointToken(_))) => {
                    assert!(is_forged, "{sent:?}");
                    forged += 1;
                }
                Err(Declined::Refused(SignalRefusal::Invalid(_))) => refused += 1,
                Err(Declined::Refused(SignalRefusal::SignalLimitExceeded { .. })) => {}
                Err(other) => panic!("{other}: {sent:?}"),
            }
        });
    });
    assert!(
        accepted > 100 && forged > 100 && refused > 100,
        "{accepted} {forged} {refused}: change less or more"
    );
    let info = engine.get(claimed.fence.execution_id, None).await;
    let info = info.answered().expect("known");
    assert_eq!(info.public_state, PublicState::Suspended);
    database.assert_invariants().await;
}

#[test]
fn fuzz_json_of_conditions() {
    let (mut read, mut valid, mut refused) = (0, 0, 0);
    Random::rounds(20_000, |random| {
        let json = serde_json::to_string(&condition(random, 3)).expect("writes");
        let words: [&[u8]; 12] = [
            b"{\"Composite\":{\"kind\":\"AllOf\",\"members\":[",
            b"\"kind\":",
            b"\"AllOf\"",
            b"\"Wildcard\"",
            b"\"OperatorOnly\"",
            b"null",
            b"[]",
            b",",
            b"}",
            b"\\u0000",
            b"4294967296",
            b"\"\"",
        ];
        // Blind changes seldom leave JSON; these leave some, and no condition.
        let swaps = [
            ("\"n\":1", "\"n\":0"),
            ("AllOf", "Count"),
            ("\"Wildcard\"", "{\"ByName\":\"\"}"),
            ("\"x\"", "\"\\u0000\""),
            ("\"a\"", "\"\""),
            ("DistinctSources", "DistinctWaitpoints"),
        ];
        let (old, new) = *random.pick(&swaps);
        let bytes = if random.below(4) == 0 {
            json.replacen(old, new, 1).into_bytes()
        } else {
            random.mutate(json.as_bytes(), &words)
        };
        match serde_json::from_slice::<ResumeCondition>(&bytes) {
            Ok(condition) => {
                read += 1;
                let text = serde_json::to_string(&condition).expect("writes");
                let again: ResumeCondition = serde_json::from_str(&text).expect("reads");
                assert_eq!(again, condition, "{text}");
                valid += u32::from(condition.check_structure().is_ok());
                // Whether it is valid or not, it can be looked at.
                assert!(!model::evaluate(&condition, &[]).is_satisfied());
                let keys = condition.waitpoint_keys();
                let _ = condition.check(&keys, false);
            }
            Err(_) => refused += 1,
        }
    });
    assert!(
        read > 1_000 && valid > 500 && refused > 1_000,
        "{read} {valid} {refused}: mutate less or more"
    );
}

#[test]
fn fuzz_deep_json_of_conditions() {
    let open = r#"{"Composite":{"kind":"AllOf","members":["#;
    for depth in [5, 40, 1_000, 100_000] {
        let text = format!(
            "{}\"OperatorOnly\"{}",
            open.repeat(depth),
            "]}}".repeat(depth)
        );
        if let Ok(condition) = serde_json::from_str::<ResumeCondition>(&text) {
            let error = condition.check_structure().expect_err("too deep");
            assert_eq!(error.fault, ConditionFault::ConditionDepthExceeded);
        } else {
            assert!(depth > 5);
        }
    }
}

#[test]
fn fuzz_lists_of_conditions() {
    let (mut trees, mut refused) = (0, 0);
    Random::rounds(20_000, |random| {
        let mut nodes = condition(random, 4).flatten();
        for _ in 0..random.below(4) {
            let (at, count) = (random.below(nodes.len()), nodes.len());
            match random.below(4) {
                0 => nodes.truncate(at),
                1 => nodes.push(FlatCondition::TimeoutOnly),
                2 => {
                    let other = random.below(count);
                    nodes.swap(at, other);
                }
                _ => {
                    if let FlatCondition::AllOf { members } = &mut nodes[at] {
                        members.push(random.below(count + 1) as u32);
                    }
                }
            }
            if nodes.is_empty() {
                break;
            }
        }
        match ResumeCondition::unflatten(nodes.clone()) {
            Ok(condition) => {
                let flat = condition.flatten();
                assert_eq!(flat.len(), nodes.len(), "every node is somewhere");
                assert_eq!(ResumeCondition::unflatten(flat).as_ref(), Ok(&condition));
                trees += 1;
            }
            Err(_) => refused += 1,
        }
    });
    assert!(
        trees > 1_000 && refused > 1_000,
        "{trees} {refused}: change less or more"
    );
}
