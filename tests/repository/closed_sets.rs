//! Closed sets: the database allows the words that `model` knows, and no others.

use sqlx::{AssertSqlSafe, Executor as _};
use testkit::database;

/// A set that is kept as text: its constraint, table and column, and the words of `model`.
type TextSet = (&'static str, &'static str, &'static str, Vec<&'static str>);

fn text_sets() -> Vec<TextSet> {
    use model::{
        SignalEffect, SuspensionCloseReason, SuspensionReason, SuspensionRequester,
        TimeoutBehavior, WaitpointCloseReason,
    };
    macro_rules! words {
        ($of:ty) => {
            <$of>::ALL.iter().map(|value| value.as_str()).collect()
        };
    }
    vec![
        (
            "suspension_reason_is_known",
            "suspension",
            "reason",
            words!(SuspensionReason),
        ),
        (
            "suspension_requester_is_known",
            "suspension",
            "requested_by",
            words!(SuspensionRequester),
        ),
        (
            "suspension_timeout_behavior_is_known",
            "suspension",
            "timeout_behavior",
            words!(TimeoutBehavior),
        ),
        (
            "suspension_close_reason_is_known",
            "suspension",
            "close_reason",
            words!(SuspensionCloseReason),
        ),
        (
            "waitpoint_close_reason_is_known",
            "waitpoint",
            "close_reason",
            words!(WaitpointCloseReason),
        ),
        (
            "signal_effect_is_known",
            "signal",
            "effect",
            words!(SignalEffect),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_each_text_set_are_those_of_the_model() {
    let mut connection = database().await.connection().await;
    for (constraint, table, _, mut expected) in text_sets() {
        let definition: String = sqlx::query_scalar(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint
             WHERE conname = $1 AND conrelid = $2::regclass",
        )
        .bind(constraint)
        .bind(table)
        .fetch_one(&mut connection)
        .await
        .expect(constraint);
        let mut words: Vec<&str> = definition.split('\'').skip(1).step_by(2).collect();
        words.sort_unstable();
        expected.sort_unstable();
        assert_eq!(words, expected, "{constraint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_outside_a_text_set_is_refused_by_the_database() {
    let mut connection = database().await.connection().await;
    connection
        .execute(
            "INSERT INTO suspension (partition, execution_id, id, epoch, attempt, replays, reason,
                                     requested_by, condition, timeout_behavior, at_once)
             VALUES (0, gen_random_uuid(), gen_random_uuid(), 1, 0, 0, 'manual_pause', 'worker',
                     '{}', 'fail', false);
             INSERT INTO waitpoint (partition, execution_id, id, key, state, token_kid,
                                    token_fingerprint)
             VALUES (0, gen_random_uuid(), gen_random_uuid(), 'a', 'pending', 'k1', '0');
             INSERT INTO signal (partition, execution_id, id, waitpoint_id, name, source_type,
                                 source_identity, effect)
             VALUES (0, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'approved',
                     'webhook', 'a', 'no_op')",
        )
        .await
        .expect("rows with known words");
    for (constraint, table, column, _) in text_sets() {
        let update = format!("UPDATE {table} SET {column} = 'later'");
        let refused = connection
            .execute(AssertSqlSafe(update))
            .await
            .expect_err("refused");
        let refused = refused.into_database_error().expect("by the database");
        assert_eq!(refused.constraint(), Some(constraint));
    }
}
