//! However a guest or a worker ends an attempt, the attempt ends, is recorded, and is
//! not made again without a recorded reason. `make fuzz` looks for longer.

use futures::future::join_all;
use serde_json::{Value, json};
use testkit::{Database, Random, database, eventually};
use tokio::runtime::Handle;

use crate::support::api::{Api, builder};
use crate::support::http_work;

/// Executions of one look.
const AT_ONCE: usize = 16;

/// Draws a text: fitting, odd, or too long; and how often it is said.
fn text(random: &mut Random, fits: &[&str]) -> Value {
    let odd = [
        "",
        "x",
        "é",
        "\u{1f980}",
        "\u{10ffff}",
        "\u{fffd}",
        "\u{feff}",
        "\u{202e}",
        "\n",
        "\r\n",
        "\u{1b}[2J",
        "' OR ''='",
        "\\u0000",
        "{\"a\":",
    ];
    let text = match random.below(4) {
        0 => *random.pick(fits),
        // The one character that the database cannot hold.
        1 => *random.pick(&["\0", "a\0b"]),
        _ => *random.pick(&odd),
    };
    let times = *random.pick(&[0, 1, 1, 1, 1, 1, 2, 100, 300, 1_100, 5_000, 40_000]);
    json!([text, times])
}

fn maybe(random: &mut Random, value: impl FnOnce(&mut Random) -> Value) -> Value {
    match random.below(2) {
        0 => Value::Null,
        _ => value(random),
    }
}

fn payload(random: &mut Random) -> Value {
    json!([
        text(random, &["text/plain", "application/json"]),
        text(random, &["{}"])
    ])
}

fn fault(random: &mut Random) -> Value {
    let class = random.below(5);
    json!([
        class,
        text(random, &["broken", "bad_input"]),
        text(random, &["it broke"])
    ])
}

fn act(random: &mut Random) -> Value {
    match random.below(16) {
        0 => json!({"log": text(random, &["hello"])}),
        1 => json!({"stdout": text(random, &["hello\n"])}),
        2 => json!({"stderr": text(random, &["hello\n"])}),
        3..=4 => {
            let percent = random
                .pick(&[Value::Null, json!(0), json!(100), json!(255)])
                .clone();
            json!({"progress": [percent, maybe(random, |random| text(random, &["half"]))]})
        }
        5 => json!({"complete": payload(random)}),
        6 => json!({"fail": fault(random)}),
        7 => json!({"delay": *random.pick(&[0, 1, u32::MAX])}),
        8 => json!({"cancel": text(random, &["enough"])}),
        9 => {
            let key = text(random, &["a", "b"]);
            let state = maybe(random, payload);
            let timeout = random
                .pick(&[Value::Null, json!(0), json!(u32::MAX)])
                .clone();
            let idempotency = maybe(random, |random| text(random, &["once"]));
            json!({"suspend": [key, state, timeout, idempotency]})
        }
        10 => json!({"waitpoint": [text(random, &["a"]), [text(random, &["go"])]]}),
        11 => {
            let kind = text(random, &["echo"]);
            let lane = maybe(random, |random| text(random, &["default"]));
            let key = maybe(random, |random| text(random, &["k"]));
            let tag = [text(random, &["app.x"]), text(random, &["v"])];
            json!({"create": [kind, payload(random), lane, key, [tag]]})
        }
        12 => {
            let category = maybe(random, |random| text(random, &["c"]));
            let token = text(random, &["v1.k.AAAA.AAAA"]);
            json!({"signal": [text(random, &["go"]), token, category, maybe(random, payload)]})
        }
        13 => json!({"append": frame(random)}),
        14 => {
            let frames: Vec<_> = (0..random.below(4)).map(|_| frame(random)).collect();
            json!({"append_all": frames})
        }
        _ => json!("wait_children"),
    }
}

fn frame(random: &mut Random) -> Value {
    json!([text(random, &["word"]), text(random, &["{\"a\":1}"]), {
        "summary": random.below(3) == 0,
        "ttl_ms": random.pick(&[Value::Null, json!(0), json!(1), json!(u32::MAX)]),
        "correlation_id": maybe(random, |random| text(random, &["c"])),
        "metadata": maybe(random, |random| text(random, &["{}"])),
        "produced_at": random.pick(&[Value::Null, json!(0.0), json!(-1.0), json!(1e300)]),
    }])
}

/// Draws what a component is to do; `fatal` if that may end its sandbox.
fn script(random: &mut Random, fatal: bool) -> Value {
    let acts: Vec<Value> = (0..random.below(4)).map(|_| act(random)).collect();
    let end = match random.below(if fatal { 9 } else { 5 }) {
        0 => json!("answers"),
        1 => json!("recorded"),
        2..=4 => json!({"completed": payload(random)}),
        5..=6 => json!({"failed": fault(random)}),
        7 => json!({"panic": text(random, &["oh"])}),
        _ => json!("exit"),
    };
    json!({"acts": acts, "end": end})
}

/// Waits until nothing runs any more, and checks that every lease ended with a
/// record; what still waits is ended then.
async fn settle(api: &Api, database: &Database, made: &[(String, Value)]) {
    for (id, script) in made {
        let what = format!("{id} ends: {script}");
        let info = eventually(&what, async || {
            let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
            let state = info["public_state"].as_str().expect("a state");
            if !["waiting", "active", "resumable"].contains(&state) {
                return Some(info);
            }
            // One that waits without children resumes at once, and does the same again.
            let attempts = api.attempts(id).await;
            let mut leases = attempts.iter().flat_map(leases);
            let waited = leases.any(|lease| lease["ended"] == "waiting_children");
            waited.then_some(info)
        })
        .await;
        let attempts = api.attempts(id).await;
        for lease in attempts.iter().flat_map(leases) {
            let ended = lease["ended"].as_str().unwrap_or("nothing");
            let known = [
                "success",
                "failure",
                "delayed",
                "suspended",
                "waiting_children",
            ];
            let known = known.contains(&ended) || ["cancelled", "released"].contains(&ended);
            assert!(known, "{ended}: {script}\n{attempts:?}");
        }
        assert!(attempts.len() <= 2, "{script}\n{attempts:?}");
        let ended = ["completed", "failed", "cancelled", "expired"];
        if !ended.contains(&info["public_state"].as_str().expect("a state")) {
            let body = json!({"reason": "the test is over"});
            let answer = api.post(&format!("/v1/executions/{id}/cancel"), body).await;
            // It may have ended in between.
            let ended = answer.1["code"] == "execution_not_active";
            assert!(answer.0.is_success() || ended, "{}: {script}", answer.1);
        }
    }
    database.assert_invariants().await;
}

fn leases(attempt: &Value) -> Vec<Value> {
    attempt["leases"].as_array().expect("a list").clone()
}

async fn run_all(api: &Api, database: &Database, kind: &str, scripts: Vec<Value>) {
    let ids = join_all(scripts.iter().map(|script| {
        api.create(json!({"kind": kind, "input": script,
            "policy": {"retry_policy": {"max_retries": 0}}}))
    }))
    .await;
    let made: Vec<_> = ids.into_iter().zip(scripts).collect();
    settle(api, database, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fuzz_ends_of_handlers() {
    let database = database().await;
    let api = Api::start(builder(&database), &["puppet", "echo"]).await;
    tokio::task::block_in_place(|| {
        Random::rounds(5, |random| {
            let scripts = (0..AT_ONCE).map(|_| script(random, true)).collect();
            Handle::current().block_on(run_all(&api, &database, "puppet", scripts));
        });
    });
    assert_eq!(api.metric("flowhost_outcomes_unrecorded_total").await, 0.0);
}

/// A service that ends is not opened again at once, so few of these end it.
#[tokio::test(flavor = "multi_thread")]
async fn fuzz_ends_of_services() {
    let database = database().await;
    let api = Api::start(builder(&database), &["puppet-service", "echo"]).await;
    tokio::task::block_in_place(|| {
        Random::rounds(3, |random| {
            let fatal = random.below(AT_ONCE);
            let scripts = (0..AT_ONCE).map(|at| script(random, at == fatal)).collect();
            Handle::current().block_on(run_all(&api, &database, "puppet-service", scripts));
        });
    });
    assert_eq!(api.metric("flowhost_outcomes_unrecorded_total").await, 0.0);
}

/// Draws a text as JSON; a wild one is odd, or no Unicode.
fn json_text(random: &mut Random, wild: bool, fits: &[&str]) -> String {
    if !wild {
        return json!(random.pick(fits)).to_string();
    }
    let drawn = text(random, fits);
    let times = drawn[1].as_u64().expect("a number") as usize;
    let json = json!(drawn[0].as_str().expect("a text").repeat(times)).to_string();
    match random.below(8) {
        0 => format!("\"\\ud800{}", &json[1..]),
        1 => format!("{}\\udfff\"", &json[..json.len() - 1]),
        _ => json,
    }
}

/// The body of a request under a lease, as it is drawn.
struct Asking<'a> {
    random: &'a mut Random,
    wild: bool,
    fields: Vec<String>,
}

impl Asking<'_> {
    fn text(&mut self, name: &str, fits: &[&str]) {
        let text = json_text(self.random, self.wild, fits);
        self.fields.push(format!("\"{name}\":{text}"));
    }

    fn maybe(&mut self, name: &str, fits: &[&str]) {
        if self.random.below(3) > 0 {
            self.text(name, fits);
        }
    }

    /// Picks a number, of which the first two are fine.
    fn number(&mut self, name: &str, numbers: &[&str]) {
        let numbers = if self.wild { numbers } else { &numbers[..2] };
        let number = self.random.pick(numbers);
        self.fields.push(format!("\"{name}\":{number}"));
    }
}

/// Draws what a worker asks for under a lease: a verb and a body.
fn ask(random: &mut Random, lease: &str) -> (&'static str, String) {
    let wild = random.below(3) > 0;
    let verbs = ["complete", "fail", "delay", "cancel", "progress", "suspend"];
    let verb = *random.pick(&verbs);
    let mut asking = Asking {
        random,
        wild,
        fields: vec![format!("\"lease\":\"{lease}\"")],
    };
    match verb {
        "complete" => {
            let form = *asking
                .random
                .pick(&["result", "result_text", "result_base64"]);
            asking.maybe(form, &["AAAA"]);
            asking.maybe("content_type", &["text/plain"]);
            asking.maybe("log", &["hello"]);
        }
        "fail" => {
            asking.maybe("class", &["permanent", "timeout"]);
            asking.text("code", &["broken"]);
            asking.maybe("message", &["it broke"]);
        }
        "delay" => asking.number(
            "delay_ms",
            &[
                "1",
                "315360000000",
                "-1",
                "1.5",
                "315360000001",
                "1e400",
                "18446744073709551616",
            ],
        ),
        "cancel" => asking.maybe("reason", &["enough"]),
        "progress" => {
            asking.maybe("message", &["half"]);
            asking.number("percent", &["0", "100", "101", "-1", "256"]);
        }
        _ => {
            let key = json_text(asking.random, wild, &["a"]);
            asking.fields.push(format!(
                "\"resume_condition\":{{\"Single\":{{\"waitpoint_key\":{key},\"matcher\":\"Wildcard\"}}}}"
            ));
            asking.maybe("state_text", &["s"]);
            asking.maybe("idempotency_key", &["once"]);
        }
    }
    (verb, format!("{{{}}}", asking.fields.join(",")))
}

/// A worker that is not a component is refused by name, or its request is carried out; and
/// after a refusal it can end the lease some other way.
#[tokio::test(flavor = "multi_thread")]
async fn fuzz_ends_of_native_workers() {
    let (database, api) = http_work::start().await;
    let (mut done, mut refused) = (0, 0);
    tokio::task::block_in_place(|| {
        Random::rounds(150, |random| {
            Handle::current().block_on(async {
                let id = api.create(http_work::word("odd")).await;
                let claimed = http_work::claim_one(&api, "w-1").await;
                let lease = claimed["lease"].as_str().expect("a handle");
                let (verb, body) = ask(random, lease);
                let request = api
                    .client
                    .post(format!("{}/v1/leases/{verb}", api.host.url()))
                    .header("content-type", "application/json")
                    .body(body.clone());
                let response = request.send().await.expect("the host answers");
                let status = response.status();
                let answer: Value = response.json().await.expect("JSON");
                if status.is_client_error() {
                    assert!(answer["code"].is_string(), "{verb} {body}: {answer}");
                    refused += 1;
                } else {
                    assert!(status.is_success(), "{verb} {body}: {status} {answer}");
                    done += 1;
                }
                if status.is_client_error() || verb == "progress" {
                    let body = json!({"lease": lease, "class": "permanent", "code": "plain"});
                    let (status, answer) = api.post("/v1/leases/fail", body).await;
                    assert!(status.is_success(), "after {verb}: {answer}");
                }
                let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
                assert_ne!(info["public_state"], "active", "{verb} {body}");
                let attempts = api.attempts(&id).await;
                let leases: Vec<_> = attempts.iter().flat_map(leases).collect();
                assert_eq!(leases.len(), 1, "{verb} {body}: {attempts:?}");
                assert!(
                    leases[0]["ended"].is_string(),
                    "{verb} {body}: {attempts:?}"
                );
                // All that is left is removed before the next.
                let cancel = format!("/v1/executions/{id}/cancel");
                api.post(&cancel, json!({"reason": "over"})).await;
            });
        });
    });
    assert!(
        done > 30 && refused > 30,
        "{done} {refused}: draw less or more"
    );
    database.assert_invariants().await;
}
