//! The audit: entries before and after their verbs, lists, and how long they are kept.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::{AuditEntry, AuditFilter, AuditId, Audited, Engine};
use model::{Moment, Scope};
use testkit::database;
use time::OffsetDateTime;

fn entry(credential: &str, verb: &str, namespace: Option<&str>) -> AuditEntry {
    AuditEntry {
        credential: Some(credential.to_owned()),
        address: Some("2001:db8::7".parse().expect("an address")),
        verb: verb.to_owned(),
        namespace: namespace.map(str::to_owned),
        target: Some("/v1/executions/x/cancel".to_owned()),
        note: Some("ada".to_owned()),
        ..AuditEntry::default()
    }
}

fn all() -> AuditFilter {
    AuditFilter {
        within: Scope::Everywhere,
        credential: None,
        verb: None,
        namespace: None,
        since: None,
        until: None,
    }
}

/// Reads all pages of a list.
async fn listed(engine: &Engine, filter: &AuditFilter, limit: u32) -> Vec<Audited> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = engine.audit(filter, after, limit).await.expect("listed");
        assert!(page.unreadable.is_empty());
        after = page.next().copied();
        found.extend(page);
        if after.is_none() {
            return found;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_there_before_its_verb_and_keeps_its_first_outcome() {
    let database = database().await;
    let engine = database.engine().await;
    let id = engine.audit_begin(entry("key:ci", "executions_cancel", Some("a")));
    let id = id.await.expect("written");
    let [begun] = &listed(&engine, &all(), 10).await[..] else {
        panic!("one entry")
    };
    assert_eq!(AuditId(begun.id), id);
    assert_eq!(begun.outcome, None);
    assert_eq!(begun.credential.as_deref(), Some("key:ci"));
    assert_eq!(begun.address, "2001:db8::7".parse().ok());
    engine.audit_end(id, "done").await.expect("written");
    engine.audit_end(id, "internal").await.expect("answered");
    let ended = listed(&engine, &all(), 10).await;
    assert_eq!(ended[0].outcome.as_deref(), Some("done"));
    // What is too long is cut, and never refused.
    let long = AuditEntry {
        target: Some(format!("a\0{}", "ä".repeat(5000))),
        outcome: Some("role_missing".to_owned()),
        ..entry(
            &"k".repeat(5000),
            &"v".repeat(5000),
            Some(&"n".repeat(5000)),
        )
    };
    engine.audit_begin(long).await.expect("written");
    let found = listed(&engine, &all(), 10).await;
    assert_eq!(found[0].outcome.as_deref(), Some("role_missing"));
    assert_eq!(found[0].target.as_ref().map(String::len), Some(1023));
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_many_callers_are_listed_once_each_by_every_filter() {
    let database = database().await;
    let engine = database.engine().await;
    let writing: Vec<_> = (0..60)
        .map(|number| {
            let engine = engine.clone();
            let credential = format!("key:k{}", number % 3);
            let verb = ["executions_cancel", "kinds_define"][number % 2];
            let namespace = ["a", "b", ""][number % 5 % 3];
            let namespace = Some(namespace).filter(|name| !name.is_empty());
            let entry = entry(&credential, verb, namespace);
            tokio::spawn(async move { engine.audit_begin(entry).await.expect("written") })
        })
        .collect();
    for task in writing {
        task.await.expect("ran");
    }
    let every = listed(&engine, &all(), 7).await;
    let ids: BTreeSet<_> = every.iter().map(|entry| entry.id).collect();
    assert_eq!((every.len(), ids.len()), (60, 60));
    assert!(every.is_sorted_by(|a, b| (a.at, a.id) > (b.at, b.id)));
    let middle = Moment::new(every[30].at).expect("a time");
    for credential in [None, Some("key:k1"), Some("key:none")] {
        for verb in [None, Some("kinds_define")] {
            for namespace in [None, Some("b")] {
                for (since, until) in [(None, None), (Some(middle), None), (None, Some(middle))] {
                    let filter = AuditFilter {
                        credential: credential.map(str::to_owned),
                        verb: verb.map(str::to_owned),
                        namespace: namespace.map(str::to_owned),
                        since,
                        until,
                        ..all()
                    };
                    let fits = |entry: &&Audited| {
                        credential.is_none_or(|it| entry.credential.as_deref() == Some(it))
                            && verb.is_none_or(|it| entry.verb == it)
                            && namespace.is_none_or(|it| entry.namespace.as_deref() == Some(it))
                            && since.is_none_or(|it| entry.at >= it.utc())
                            && until.is_none_or(|it| entry.at < it.utc())
                    };
                    let expected: Vec<_> = every.iter().filter(fits).cloned().collect();
                    assert_eq!(listed(&engine, &filter, 4).await, expected, "{filter:?}");
                }
            }
        }
    }
    let own = AuditFilter {
        within: Scope::Namespaces(BTreeSet::from(["a".to_owned()])),
        ..all()
    };
    let of_a = |entry: &&Audited| entry.namespace.as_deref() == Some("a");
    let expected: Vec<_> = every.iter().filter(of_a).cloned().collect();
    assert!(!expected.is_empty());
    assert_eq!(listed(&engine, &own, 100).await, expected);
}

/// A filter that fits one entry behind many others is answered by pages that are empty and
/// are followed by others, each of which reads a bounded number.
#[tokio::test(flavor = "multi_thread")]
async fn a_rare_entry_is_found_behind_many_others() {
    let database = database().await;
    let engine = database.engine().await;
    engine
        .audit_begin(entry("key:rare", "rare", Some("a")))
        .await
        .expect("written");
    let mut connection = database.connection().await;
    sqlx::query(
        "INSERT INTO audit (id, credential, verb)
         SELECT gen_random_uuid(), 'key:ci', 'common' FROM generate_series(1, 25000)",
    )
    .execute(&mut connection)
    .await
    .expect("inserted");
    let rare = AuditFilter {
        verb: Some("rare".to_owned()),
        ..all()
    };
    let page = engine.audit(&rare, None, 10).await.expect("listed");
    assert!(page.is_empty() && page.next().is_some());
    assert_eq!(listed(&engine, &rare, 10).await.len(), 1);
    let of_rare = AuditFilter {
        credential: Some("key:rare".to_owned()),
        ..all()
    };
    let page = engine.audit(&of_rare, None, 10).await.expect("listed");
    assert_eq!((page.len(), page.next()), (1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_summed_and_removed_with_the_entries() {
    let database = database().await;
    let hosts = [database.engine().await, database.engine().await];
    let (one, other) = ("10.0.0.1", "2001:db8::1");
    for host in &hosts {
        for _ in 0..3 {
            host.note_refusal(one.parse().expect("an address"), "invalid_key");
        }
        host.note_refusal(other.parse().expect("an address"), "invalid_key");
        host.reconcile().await.expect("swept");
    }
    let sums = async || {
        let page = hosts[0].audit_refusals(None, None, None, 10).await;
        page.expect("listed").rows
    };
    let found = sums().await;
    let of = |address: &str| -> u64 {
        let rows = found.iter().filter(|sum| sum.address == address);
        rows.map(|sum| sum.count).sum()
    };
    // The minute may have ended between the hosts.
    assert_eq!((of(one), of("2001:db8::/64")), (6, 2), "{found:?}");
    let first = hosts[0].audit_refusals(None, None, None, 1).await;
    let first = first.expect("listed");
    let next = first.next().expect("another page");
    let text = next.to_string();
    assert_eq!(text.parse().ok().as_ref(), Some(next));
    let rest = hosts[0].audit_refusals(None, None, Some(next), 10).await;
    assert_eq!(rest.expect("listed").len(), found.len() - 1);
    let later = Moment::new(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1 << 33));
    let none = hosts[0].audit_refusals(later.ok(), None, None, 10).await;
    assert!(none.expect("listed").is_empty());

    let id = hosts[0]
        .audit_begin(entry("key:ci", "lanes_set", None))
        .await;
    hosts[0]
        .audit_end(id.expect("written"), "done")
        .await
        .expect("written");
    let day = Duration::from_secs(24 * 3600);
    database.advance(399 * day).await;
    hosts[0].reconcile().await.expect("swept");
    assert_eq!(listed(&hosts[0], &all(), 10).await.len(), 1);
    assert!(!sums().await.is_empty());
    database.advance(day + Duration::from_secs(60)).await;
    hosts[0].reconcile().await.expect("swept");
    assert!(listed(&hosts[0], &all(), 10).await.is_empty());
    assert!(sums().await.is_empty());
}
