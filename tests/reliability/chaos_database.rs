//! A database that fails under load, one way after the other: it takes no writes, it is
//! stopped, its connections fall silent, its disk is full. What was acknowledged ends
//! once, service is back soon after the database, and a host can be ended meanwhile.
//!
//! `FLOWHOST_CHAOS_SECONDS` says for how long the failures are repeated; each happens
//! once without it. Filling a disk needs a small one, which root may mount; other users
//! do without it in the short run, and the long one refuses them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};
use testkit::{Database, Proxy, eventually};

use crate::support::api::{Api, builder_at};

/// Clients that create executions all the time.
const CLIENTS: usize = 6;
/// How long each failure lasts.
const HOLD: Duration = Duration::from_secs(3);
/// Longest until service is back, from when the database is.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// Longest a host may take to end beyond its grace.
const END_WITHIN: Duration = Duration::from_secs(9);
const GRACE: Duration = Duration::from_secs(1);
/// The disk of the cluster.
const DISK_MB: u32 = 320;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ReadOnly,
    Stopped,
    Swallowed,
    Full,
}

/// A cluster of its own, on a disk of its own if that can be had.
struct Rig {
    cluster: Option<pgserver::Cluster>,
    url: String,
    folder: tempfile::TempDir,
    mounted: bool,
}

impl Rig {
    fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("flowhost-chaos-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir()
            .expect("a temporary directory");
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={DISK_MB}m,mode=755"),
                "tmpfs",
            ])
            .arg(folder.path())
            .output()
            .is_ok_and(|done| done.status.success());
        let mut settings = pgserver::Settings::new(folder.path());
        settings.cache_dir = pgserver::default_cache_dir().ok();
        settings.shared_buffers_mb = 32;
        settings.wal_max_mb = 64;
        // The server keeps the sessions of connections that were swallowed.
        settings.max_connections = 300;
        let cluster = pgserver::start(settings).expect("a cluster starts");
        Self {
            url: cluster.url("flowhost"),
            cluster: Some(cluster),
            folder,
            mounted,
        }
    }

    fn ways(&self) -> Vec<Way> {
        let mut ways = vec![Way::ReadOnly, Way::Stopped, Way::Swallowed];
        if self.mounted {
            ways.push(Way::Full);
        }
        ways
    }

    /// Returns the server's processes, the first one first.
    fn processes(&self) -> Vec<u32> {
        let cluster = self.cluster.as_ref().expect("it runs");
        let pid_file = cluster.data_dir().join("pg/postmaster.pid");
        let text = std::fs::read_to_string(pid_file).unwrap_or_default();
        let Some(first) = text.lines().next().and_then(|pid| pid.parse().ok()) else {
            return Vec::new();
        };
        let children = std::fs::read_dir("/proc").expect("Linux").flatten();
        let children = children.filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let parent = stat.rsplit(')').next()?.split(' ').nth(2)?;
            (parent.parse() == Ok(first)).then_some(pid)
        });
        std::iter::once(first).chain(children).collect()
    }

    fn signal(&self, name: &str) {
        // Those that have ended meanwhile do not matter.
        for pid in self.processes() {
            let _ = Command::new("kill").args([name, &pid.to_string()]).output();
        }
    }

    fn filler(&self) -> PathBuf {
        self.folder.path().join("filler")
    }

    async fn set_read_only(&self, on: bool) {
        let mut connection = PgConnection::connect(&self.url).await.expect("connects");
        let word = if on { "on" } else { "off" };
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {word}");
        connection
            .execute(sqlx::AssertSqlSafe(set))
            .await
            .expect("set");
        connection
            .execute("SELECT pg_reload_conf()")
            .await
            .expect("read again");
    }

    async fn wreck(&self, way: Way, proxy: &Proxy) {
        match way {
            Way::ReadOnly => self.set_read_only(true).await,
            Way::Stopped => self.signal("-STOP"),
            Way::Swallowed => proxy.swallow_open_connections(),
            Way::Full => fill(&self.filler()),
        }
    }

    async fn mend(&self, way: Way) {
        match way {
            Way::ReadOnly => self.set_read_only(false).await,
            Way::Stopped => self.signal("-CONT"),
            Way::Swallowed => {}
            Way::Full => std::fs::remove_file(self.filler()).expect("removed"),
        }
    }

    /// Waits until the database itself takes writes.
    async fn well(&self) {
        eventually("the database is back", async || {
            let mut connection = PgConnection::connect(&self.url).await.ok()?;
            let room = "CREATE TABLE IF NOT EXISTS chaos_room (filler text);
                        INSERT INTO chaos_room SELECT repeat(n::text, 1000) FROM generate_series(1, 20) AS n;
                        DROP TABLE chaos_room";
            sqlx::raw_sql(room).execute(&mut connection).await.ok().map(drop)
        })
        .await;
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.signal("-CONT");
        if let Some(cluster) = self.cluster.take() {
            let _ = cluster.stop();
        }
        if self.mounted {
            let _ = Command::new("umount")
                .arg("-l")
                .arg(self.folder.path())
                .output();
        }
    }
}

/// Writes a file until there is no room for more.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).expect("a file");
    let chunk = vec![0; 64 << 10];
    while file.write_all(&chunk).is_ok() {}
    while file.write_all(&chunk[..512]).is_ok() {}
}

/// What was acknowledged: the input of each, by key, and its id.
type Acknowledged = Arc<Mutex<HashMap<String, String>>>;

/// Creates executions until told to stop, each under a key until it is acknowledged.
async fn create(url: String, number: usize, stop: Arc<AtomicBool>, acknowledged: Acknowledged) {
    let client = Client::new();
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        count += 1;
        let key = format!("{number}-{count}");
        let body = json!({"kind": "echo", "input_text": key, "idempotency_key": key});
        loop {
            let request = client.post(format!("{url}/v1/executions")).json(&body);
            let response = request.send().await.expect("the host answers");
            let status = response.status();
            let answer: Value = response.json().await.expect("JSON");
            if status.is_success() {
                let id = answer["id"].as_str().expect("an id").to_owned();
                acknowledged.lock().expect("not poisoned").insert(key, id);
                break;
            }
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
            if stop.load(Ordering::Relaxed) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Takes one failure: the database fails, a host is ended meanwhile, and it comes back.
async fn go(rig: &Rig, way: Way, proxy: &Proxy, api: &Api) {
    let grace = format!("{}s", GRACE.as_secs());
    let victim = builder_at(proxy.url()).argument("--grace").argument(grace);
    let mut victim = Api::start(victim, &[]).await;
    eventually("the host to be ended is ready", async || {
        (victim.get("/readyz").await.0 == StatusCode::OK).then_some(())
    })
    .await;
    rig.wreck(way, proxy).await;
    let wrecked = Instant::now();
    tokio::time::sleep(HOLD).await;
    // A full disk is felt once the room that tables and the log still have is used up.
    if way == Way::Full {
        eventually("a full disk is felt", async || {
            (api.get("/readyz").await.0 == StatusCode::SERVICE_UNAVAILABLE).then_some(())
        })
        .await;
    }
    // Connections that fell silent are replaced, and none may be left by now.
    if way != Way::Swallowed && way != Way::Full {
        let (status, body) = api.get("/readyz").await;
        assert_eq!(
            status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{way:?} is felt: {body}"
        );
    }
    victim.host.signal("TERM");
    let asked = Instant::now();
    let code = tokio::task::block_in_place(|| victim.host.exit_code());
    let ended = asked.elapsed();
    assert_eq!(code, Some(0), "{}", victim.host.log());
    assert!(
        ended < GRACE + END_WITHIN,
        "{way:?}: it ended after {ended:?}\n{}",
        victim.host.log()
    );
    rig.mend(way).await;
    rig.well().await;
    let well = Instant::now();
    let key = format!("{way:?}-{:?}", wrecked.elapsed());
    let body = json!({"kind": "echo", "input_text": key, "idempotency_key": key});
    eventually("something is created and run again", async || {
        let (status, answer) = api.post("/v1/executions", body.clone()).await;
        if !status.is_success() {
            return None;
        }
        let id = answer["id"].as_str().expect("an id");
        let (status, _) = api
            .get(&format!("/v1/executions/{id}/wait?timeout_ms=200"))
            .await;
        (status == StatusCode::OK).then_some(())
    })
    .await;
    let served = well.elapsed();
    eventually("the host is ready", async || {
        (api.get("/readyz").await.0 == StatusCode::OK).then_some(())
    })
    .await;
    let ready = well.elapsed();
    println!(
        "{way:?}: a host ended after {} ms; service was back {} ms after the database, the host ready after {} ms",
        ended.as_millis(),
        served.as_millis(),
        ready.as_millis()
    );
    assert!(
        served < BACK_WITHIN,
        "{way:?}: service was back after {served:?}"
    );
    assert!(
        ready < BACK_WITHIN + HOLD,
        "{way:?}: the host was ready after {ready:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn database_failures_lose_and_double_nothing_and_service_is_back_soon() {
    let seconds: Option<u64> = std::env::var("FLOWHOST_CHAOS_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let rig = tokio::task::spawn_blocking(Rig::start)
        .await
        .expect("started");
    assert!(
        rig.mounted || seconds.is_none(),
        "a disk can be filled only if one can be mounted: run this as root"
    );
    let proxy = Proxy::start(&rig.url).await;
    let api = Api::start(
        builder_at(proxy.url())
            .argument("--lease-ttl")
            .argument("30s"),
        &["echo"],
    )
    .await;
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Acknowledged::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let url = api.host.url().to_owned();
            tokio::spawn(create(url, number, stop.clone(), acknowledged.clone()))
        })
        .collect();
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or_default());
    loop {
        for way in rig.ways() {
            go(&rig, way, &proxy, &api).await;
        }
        if Instant::now() >= until {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no client met anything but 503");
    }
    let acknowledged = acknowledged.lock().expect("not poisoned").clone();
    eventually("every execution has ended", async || {
        let (_, lanes) = api.get("/v1/lanes").await;
        let lanes = lanes["lanes"].as_array()?.clone();
        let idle = lanes
            .iter()
            .all(|lane| lane["waiting"] == 0 && lane["active"] == 0);
        idle.then_some(())
    })
    .await;
    futures::stream::iter(&acknowledged)
        .for_each_concurrent(16, async |(key, id)| {
            let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
            assert_eq!(info["public_state"], "completed", "{key}: {info}");
            let (_, result) = api.result(id).await;
            assert_eq!(result, key.as_bytes(), "{id}");
        })
        .await;
    Database::at(&rig.url).assert_invariants().await;
    let mut connection = PgConnection::connect(&rig.url).await.expect("connects");
    let doubled: i64 = sqlx::query_scalar(
        "SELECT count(*) - count(DISTINCT input) FROM execution WHERE kind = 'echo'",
    )
    .fetch_one(&mut connection)
    .await
    .expect("counted");
    assert_eq!(doubled, 0, "each key made one execution");
    println!("{} executions, none lost, none doubled", acknowledged.len());
    assert!(acknowledged.len() > 200, "{}", acknowledged.len());
    drop(api);
    tokio::task::spawn_blocking(|| drop(rig))
        .await
        .expect("ended");
}
