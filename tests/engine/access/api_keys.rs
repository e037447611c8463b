//! API keys: which texts are accepted, until when, and what is kept of them.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::{ApiKeyFilter, CreateApiKey, CreatedApiKey, Engine, KeyHash};
use model::{ApiKeyRefusal, Limits, Principal, Role, RoleGrant, Scope};
use sqlx::Row as _;
use testkit::{Answered as _, database};

const EVERYWHERE: Scope = Scope::Everywhere;

fn wanted(name: &str) -> CreateApiKey {
    CreateApiKey {
        name: name.to_owned(),
        grant: RoleGrant {
            role: Role::Operator,
            namespace: Some("billing".to_owned()),
        },
        expires_in_ms: None,
        actor: "ada".to_owned(),
    }
}

async fn create(engine: &Engine, wanted: CreateApiKey) -> CreatedApiKey {
    engine.create_api_key(wanted).await.accepted()
}

/// Returns the principal that holds a text, if it is accepted.
async fn holder(engine: &Engine, text: &str) -> Option<Principal> {
    let hash = KeyHash::of(text).expect("well formed");
    let found = engine.authenticate(&[hash]).await.expect("answered");
    found.into_iter().next().expect("one")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_accepted_on_every_host_and_only_its_hash_is_kept() {
    let database = database().await;
    let (engine, other) = (database.engine().await, database.engine().await);
    let made = create(&engine, wanted("ci")).await;
    let unknown = KeyHash::of(create(&engine, wanted("x")).await.text.reveal()).expect("a hash");
    let id = engine.api_keys(&all(), None, 1).await.expect("listed")[0].id;
    engine
        .revoke_api_key(id, &EVERYWHERE, "ada")
        .await
        .accepted();
    let hash = made.text.hash();
    let found = other.authenticate(&[unknown, hash, unknown]).await;
    let found = found.expect("answered");
    assert_eq!((&found[0], &found[2]), (&None, &None));
    let principal = found[1].as_ref().expect("accepted");
    assert_eq!(principal.name.as_deref(), Some("key:ci"));
    assert_eq!(principal.credential_id, Some(made.id));
    assert_eq!(principal.grants, [wanted("ci").grant]);
    assert!(other.authenticate(&[]).await.expect("answered").is_empty());

    // All rows of all tables as text, as a dump has them.
    let mut connection = database.connection().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public'",
    )
    .fetch_all(&mut connection)
    .await
    .expect("tables");
    assert!(tables.iter().any(|name| name == "api_key_secret"));
    let secret = &made.text.reveal()[made.text.shown().len()..];
    let hash: Vec<u8> = sqlx::query("SELECT hash FROM api_key_secret WHERE key_id = $1")
        .bind(made.id)
        .fetch_one(&mut connection)
        .await
        .expect("a hash")
        .get(0);
    let mut found_hash = false;
    for table in tables {
        let statement = format!("SELECT t::text FROM {table} t");
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .fetch_all(&mut connection)
            .await
            .expect("rows");
        for row in rows {
            assert!(!row.contains(secret), "{table} holds the text: {row}");
            found_hash |= row.contains(&hex(&hash));
        }
    }
    assert!(found_hash, "the dump has what is kept");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn all() -> ApiKeyFilter {
    ApiKeyFilter {
        within: EVERYWHERE,
        name: None,
        accepted_only: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_accepts_the_texts_before_for_the_overlap_and_no_longer() {
    let database = database().await;
    let engine = database.engine().await;
    let made = create(&engine, wanted("ci")).await;
    let hour = Duration::from_secs(3600);
    let hour_ms = Some(3_600_000);
    let second = engine.rotate_api_key(made.id, &EVERYWHERE, hour_ms);
    let second = second.await.accepted();
    assert_eq!(second.id, made.id);
    for text in [&made.text, &second.text] {
        let holder = holder(&engine, text.reveal()).await.expect("accepted");
        assert_eq!(holder.credential_id, Some(made.id));
    }
    // A later rotation with a longer overlap does not prolong an end.
    let day_ms = Some(24 * 3_600_000);
    let third = engine.rotate_api_key(made.id, &EVERYWHERE, day_ms);
    let third = third.await.accepted();
    database.advance(hour).await;
    assert_eq!(holder(&engine, made.text.reveal()).await, None);
    assert!(holder(&engine, second.text.reveal()).await.is_some());
    let key = engine.api_key(made.id, &EVERYWHERE).await.expect("read");
    let texts = key.expect("there").texts;
    let shown: Vec<_> = texts.iter().map(|text| text.shown.as_str()).collect();
    assert_eq!(shown, [third.text.shown(), second.text.shown()]);
    assert!(texts[0].valid_until.is_none() && texts[1].valid_until.is_some());
    // Without an overlap, at once.
    let last = engine.rotate_api_key(made.id, &EVERYWHERE, Some(0));
    let last = last.await.accepted();
    for gone in [&made.text, &second.text, &third.text] {
        assert_eq!(holder(&engine, gone.reveal()).await, None);
    }
    assert!(holder(&engine, last.text.reveal()).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn rotations_at_the_same_time_leave_one_text_without_an_end() {
    let database = database().await;
    let engine = database.engine().await;
    let made = create(&engine, wanted("ci")).await;
    let rotating: Vec<_> = (0..8)
        .map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move { engine.rotate_api_key(made.id, &EVERYWHERE, None).await })
        })
        .collect();
    for task in rotating {
        let rotated = task.await.expect("ran").accepted();
        assert!(holder(&engine, rotated.text.reveal()).await.is_some());
    }
    let key = engine.api_key(made.id, &EVERYWHERE).await.expect("read");
    let texts = key.expect("there").texts;
    assert_eq!(texts.len(), 9);
    let current = texts.iter().filter(|text| text.valid_until.is_none());
    assert_eq!(current.count(), 1);
    engine
        .rotate_api_key(made.id, &EVERYWHERE, None)
        .await
        .accepted();
    let refused = engine.rotate_api_key(made.id, &EVERYWHERE, None).await;
    let refused = refused.refused();
    assert_eq!(refused, ApiKeyRefusal::TooManyTexts("ci".into()));
    let at_once = engine.rotate_api_key(made.id, &EVERYWHERE, Some(0)).await;
    assert!(
        holder(&engine, at_once.accepted().text.reveal())
            .await
            .is_some()
    );
    let too_long = Some(Limits::API_KEY_OVERLAP_MS_MAX + 1);
    let refused = engine.rotate_api_key(made.id, &EVERYWHERE, too_long).await;
    assert_eq!(refused.refused().code(), "invalid_input");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_refused_from_its_end_on_and_its_name_is_free() {
    let database = database().await;
    let engine = database.engine().await;
    let minute = CreateApiKey {
        expires_in_ms: Some(60_000),
        ..wanted("ci")
    };
    let made = create(&engine, minute).await;
    assert!(holder(&engine, made.text.reveal()).await.is_some());
    let taken = engine.create_api_key(wanted("ci")).await.refused();
    assert_eq!(taken, ApiKeyRefusal::NameTaken("ci".into()));
    database.advance(Duration::from_secs(60)).await;
    assert_eq!(holder(&engine, made.text.reveal()).await, None);
    let ended = engine.rotate_api_key(made.id, &EVERYWHERE, None).await;
    assert_eq!(ended.refused(), ApiKeyRefusal::Ended("ci".into()));
    let next = create(&engine, wanted("ci")).await;
    assert_ne!(next.id, made.id);
    let before = engine.api_key(made.id, &EVERYWHERE).await.expect("read");
    let before = before.expect("kept");
    assert_eq!(before.revoked_at, before.expires_at);
    assert_eq!(holder(&engine, made.text.reveal()).await, None);
    assert!(holder(&engine, next.text.reveal()).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_at_once_and_a_repeat_is_answered_as_the_first() {
    let database = database().await;
    let engine = database.engine().await;
    let made = create(&engine, wanted("ci")).await;
    let second = engine.rotate_api_key(made.id, &EVERYWHERE, None);
    let second = second.await.accepted();
    let first = engine.revoke_api_key(made.id, &EVERYWHERE, "ada").await;
    let first = first.accepted();
    assert!(!first.accepted && first.revoked_at.is_some());
    for text in [&made.text, &second.text] {
        assert_eq!(holder(&engine, text.reveal()).await, None);
    }
    let repeat = engine.revoke_api_key(made.id, &EVERYWHERE, "bob").await;
    assert_eq!(repeat.accepted(), first);
    assert_eq!(first.revoked_by.as_deref(), Some("ada"));
    create(&engine, wanted("ci")).await;
    let kept = engine.api_keys(&all(), None, 10).await.expect("listed");
    assert_eq!(kept.len(), 2);
    let accepted = ApiKeyFilter {
        accepted_only: true,
        ..all()
    };
    let kept = engine.api_keys(&accepted, None, 10).await.expect("listed");
    assert_eq!(kept.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_namespace_is_like_one_that_does_not_exist() {
    let database = database().await;
    let engine = database.engine().await;
    let made = create(&engine, wanted("ci")).await;
    let everywhere = CreateApiKey {
        grant: RoleGrant {
            role: Role::Viewer,
            namespace: None,
        },
        ..wanted("all")
    };
    let everywhere = create(&engine, everywhere).await;
    let foreign = Scope::Namespaces(BTreeSet::from(["other".to_owned()]));
    let own = Scope::Namespaces(BTreeSet::from(["billing".to_owned()]));
    for (id, within) in [(made.id, &foreign), (everywhere.id, &own)] {
        let missing = ApiKeyRefusal::NotFound(id.to_string());
        assert_eq!(engine.api_key(id, within).await.expect("read"), None);
        let revoked = engine.revoke_api_key(id, within, "eve").await;
        assert_eq!(revoked.refused(), missing);
        let rotated = engine.rotate_api_key(id, within, Some(0)).await;
        assert_eq!(rotated.refused(), missing);
    }
    for made in [&made, &everywhere] {
        assert!(holder(&engine, made.text.reveal()).await.is_some());
    }
    let listed = |within| ApiKeyFilter { within, ..all() };
    let seen = engine
        .api_keys(&listed(own), None, 10)
        .await
        .expect("listed");
    assert_eq!(seen.iter().map(|key| key.id).collect::<Vec<_>>(), [made.id]);
    let seen = engine.api_keys(&listed(foreign), None, 10).await;
    assert!(seen.expect("listed").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_is_noted_once_a_minute() {
    let database = database().await;
    let engine = database.engine().await;
    let made = create(&engine, wanted("ci")).await;
    let used = async || {
        let key = engine.api_key(made.id, &EVERYWHERE).await.expect("read");
        key.expect("there").last_used_at
    };
    assert_eq!(used().await, None);
    holder(&engine, made.text.reveal()).await;
    let first = used().await.expect("noted");
    holder(&engine, made.text.reveal()).await;
    assert_eq!(used().await, Some(first));
    database.advance(Duration::from_secs(60)).await;
    holder(&engine, made.text.reveal()).await;
    assert!(used().await.expect("noted") > first);
    // A statement that holds the row has no request wait.
    database.advance(Duration::from_secs(60)).await;
    let mut connection = database.connection().await;
    let mut held = sqlx::Connection::begin(&mut connection)
        .await
        .expect("begins");
    sqlx::query("SELECT FROM api_key FOR UPDATE")
        .execute(&mut *held)
        .await
        .expect("locked");
    assert!(holder(&engine, made.text.reveal()).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_key_is_made_once_unless_forced() {
    let database = database().await;
    let engine = database.engine().await;
    let bootstrap =
        async |name: &str, forced| engine.bootstrap_api_key(name, None, "ada", forced).await;
    // Neither is an admin of everything.
    create(&engine, wanted("ci")).await;
    let of_one = CreateApiKey {
        grant: RoleGrant {
            role: Role::Admin,
            namespace: Some("billing".to_owned()),
        },
        ..wanted("one")
    };
    create(&engine, of_one).await;
    let first = bootstrap("admin", false).await.accepted();
    let holder_of = holder(&engine, first.text.reveal())
        .await
        .expect("accepted");
    assert_eq!(holder_of.scope(Role::Admin), EVERYWHERE);
    let refused = bootstrap("another", false).await.refused();
    assert_eq!(refused, ApiKeyRefusal::AdminExists("admin".into()));
    bootstrap("another", true).await.accepted();
    for key in engine
        .api_keys(&all(), None, 10)
        .await
        .expect("listed")
        .rows
    {
        engine
            .revoke_api_key(key.id, &EVERYWHERE, "ada")
            .await
            .accepted();
    }
    bootstrap("admin", false).await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_page_by_page_and_forgotten_with_the_audit() {
    let database = database().await;
    let engine = database.engine().await;
    let mut made = Vec::new();
    for number in 0..7 {
        made.push(create(&engine, wanted(&format!("k{number}"))).await.id);
    }
    made.reverse();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = engine.api_keys(&all(), after, 3).await.expect("listed");
        listed.extend(page.iter().map(|key| key.id));
        match page.next() {
            Some(next) => after = Some(*next),
            None => break,
        }
    }
    assert_eq!(listed, made);
    let named = ApiKeyFilter {
        name: Some("k3".to_owned()),
        ..all()
    };
    assert_eq!(
        engine
            .api_keys(&named, None, 9)
            .await
            .expect("listed")
            .len(),
        1
    );

    // Two keys that were made long ago, one of which is accepted still.
    let mut connection = database.connection().await;
    sqlx::query(
        "INSERT INTO api_key (id, name, role, created_by, revoked_at, revoked_by)
         VALUES ('00000001-0000-7000-8000-000000000000', 'ended', 'viewer', 'x',
                 clock_timestamp() - interval '401 days', 'x'),
                ('00000001-0000-7000-8000-000000000001', 'recent', 'viewer', 'x',
                 clock_timestamp() - interval '399 days', 'x'),
                ('00000001-0000-7000-8000-000000000002', 'accepted', 'viewer', 'x', NULL, NULL)",
    )
    .execute(&mut connection)
    .await
    .expect("inserted");
    engine.reconcile().await.expect("swept");
    let left = engine.api_keys(&all(), None, 100).await.expect("listed");
    let names: BTreeSet<_> = left.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(left.len(), 9);
    assert!(!names.contains("ended") && names.contains("recent") && names.contains("accepted"));
}
