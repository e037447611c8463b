//! Requests made from the description of the API: each has one member or parameter at a
//! bound, or beyond it.

use std::cell::Cell;

use model::patterns;
use serde_json::{Map, Value, json};
use server::api::MEMBER_NAME;

use crate::support::api::{text, with};

/// The id of an execution that is not there.
pub(super) const ANY_ID: &str = "01990000-0000-7000-8000-000000000000";
/// For each pattern a text that fits it, the character that makes it longer, and a text
/// that does not fit it.
const TEXTS: [(&str, &str, &str, &str); 20] = [
    (patterns::IDENTIFIER, "a", "a", "A"),
    (patterns::PRINTABLE, "a", " ", "é"),
    (patterns::PLAIN, "a", "~", "\u{7f}"),
    (patterns::STORABLE, "a", "\u{1}", "a\0"),
    (patterns::TAG_KEY, "a.b", "c", "a"),
    (patterns::TAG, "a.b:c", "d", "a.b"),
    (patterns::FAILURE_CODE, "a", "_", "A"),
    (patterns::CANCEL_SOURCE, "a", ":", "A"),
    (patterns::CAPABILITY, "a", "é", "a,b"),
    (patterns::KID, "a", "Z", "a.b"),
    (MEMBER_NAME, "a", "Z", "-a"),
    (patterns::HEX, "", "00", "0g"),
    (patterns::UUID, ANY_ID, "", "0199"),
    (
        patterns::UUID_V7,
        ANY_ID,
        "",
        "01990000-0000-4000-8000-000000000000",
    ),
    (
        patterns::DIGEST,
        "sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "",
        "sha256:0",
    ),
    (patterns::BASE64, "YQ==", "", "YR=="),
    (patterns::STREAM_CURSOR, "7", "7", "+"),
    (patterns::FRAME_CURSOR, "7-1", "7", "start"),
    (patterns::LOG_PLACE, "7-1", "", "7"),
    (
        patterns::TIME,
        "9000-01-01T00:00:00Z",
        "",
        "1969-12-31T23:59:59Z",
    ),
];

/// A value for a member, and whether it is within the bounds.
type Case = (Value, bool);

/// The description of the API.
pub(super) struct Described {
    pub(super) document: Value,
    /// How many names were made that were not given before.
    names: Cell<u32>,
}

impl Described {
    pub(super) fn new(document: Value) -> Self {
        Self {
            document,
            names: Cell::new(0),
        }
    }

    /// Returns requests of an operation, each with one member at a bound or beyond it.
    pub(super) fn requests(&self, operation: &Value) -> Vec<(Value, bool)> {
        let mut requests = Vec::new();
        let raw = &operation["requestBody"]["content"]["application/octet-stream"];
        let json = &operation["requestBody"]["content"]["application/json"]["schema"];
        let parameters = operation["parameters"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let mut base = json!({"path": {}, "query": {}});
        for parameter in parameters {
            if parameter["required"] == true {
                let (place, name) = (text(&parameter["in"]), text(&parameter["name"]));
                base[place][name] = self.sample(&parameter["schema"]);
            }
        }
        let mut with_parameters = base.clone();
        if raw.is_object() {
            // What is in the query is about a body of bytes.
            with_parameters["raw"] = json!(true);
            if operation["operationId"] == "executions_create" {
                with_parameters["query"]["kind"] = json!("word");
            }
        } else if json.is_object() {
            with_parameters["body"] = self.sample(json);
        }
        for parameter in parameters {
            let (place, name) = (text(&parameter["in"]), text(&parameter["name"]));
            if place == "header" {
                // What headers say has tests of its own: most are read with another one only.
                continue;
            }
            for (value, within) in self.cases(&parameter["schema"], &mut Vec::new()) {
                // The text of a parameter is never empty in a path.
                if place == "path" && value == "" {
                    continue;
                }
                let mut request = with_parameters.clone();
                request[&place][&name] = value;
                requests.push((request, within));
            }
        }
        if json.is_object() {
            for (body, within) in self.cases(json, &mut Vec::new()) {
                let mut request = base.clone();
                request["body"] = body;
                requests.push((request, within));
            }
        }
        requests
    }

    /// Follows references, and chooses what is not null.
    fn resolved<'a>(&'a self, schema: &'a Value) -> (&'a Value, Option<&'a str>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().expect("a name");
            return (&self.document["components"]["schemas"][name], Some(name));
        }
        for union in ["oneOf", "allOf"] {
            if let Some([first, rest @ ..]) = schema[union].as_array().map(Vec::as_slice)
                && (first["type"] == "null" || rest.is_empty())
            {
                return self.resolved(rest.first().unwrap_or(first));
            }
        }
        (schema, None)
    }

    /// Returns the smallest value that a schema describes.
    fn sample(&self, schema: &Value) -> Value {
        let (schema, _) = self.resolved(schema);
        if let Some(branches) = schema["oneOf"].as_array() {
            // The last branch of a condition contains another one; the first does not.
            return self.sample(&branches[0]);
        }
        if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
            return first.clone();
        }
        match kind(schema) {
            "string" if schema["format"] == "date-time" => json!("2030-01-01T00:00:00Z"),
            "string" => json!(texts(schema).map_or("x", |texts| texts.1)),
            "integer" => schema.get("minimum").cloned().unwrap_or(json!(0)),
            "boolean" => json!(false),
            "array" => {
                let items = schema["minItems"].as_u64().unwrap_or(0).max(1);
                let item = self.sample(&schema["items"]);
                json!(vec![item; items as usize])
            }
            "object" => {
                let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
                let members = required.iter().map(|name| {
                    let name = text(name);
                    let value = self.sample(&schema["properties"][&name]);
                    (name, value)
                });
                let mut members: Map<_, _> = members.collect();
                if is_delay(schema) {
                    members.insert("delay_ms".to_owned(), json!(0));
                }
                if schema["minProperties"] == 1 {
                    members.insert("app.a".to_owned(), json!("v"));
                }
                Value::Object(members)
            }
            _ => json!(1),
        }
    }

    /// Returns values with one bound reached or broken; `open` are the schemas that this
    /// one stands in.
    fn cases<'a>(&'a self, schema: &'a Value, open: &mut Vec<&'a str>) -> Vec<Case> {
        let (schema, name) = self.resolved(schema);
        if let Some(name) = name {
            if open.contains(&name) {
                return Vec::new();
            }
            open.push(name);
        }
        let cases = self.cases_of(schema, open);
        if name.is_some() {
            open.pop();
        }
        cases
    }

    fn cases_of<'a>(&'a self, schema: &'a Value, open: &mut Vec<&'a str>) -> Vec<Case> {
        let mut cases = Vec::new();
        if let Some(branches) = schema["oneOf"].as_array() {
            for branch in branches {
                cases.extend(self.cases(branch, open));
            }
            return cases;
        }
        if let Some(names) = schema["enum"].as_array() {
            cases.extend(names.iter().map(|name| (name.clone(), true)));
            cases.push((json!("no_such_name"), false));
            return cases;
        }
        match kind(schema) {
            "string" => text_cases(schema, &mut cases),
            "integer" => {
                let (min, max) = (schema["minimum"].as_u64(), schema["maximum"].as_u64());
                cases.extend(min.map(|min| (json!(min), true)));
                cases.extend(max.map(|max| (json!(max), true)));
                cases.extend(max.map(|max| (json!(max + 1), false)));
                cases.push((json!(min.map_or(-1, |min| min as i64 - 1)), false));
            }
            "array" => {
                let items = |count: u64| {
                    let item = |_| self.distinct(&schema["items"]);
                    json!((0..count).map(item).collect::<Vec<_>>())
                };
                if let Some(max) = schema["maxItems"].as_u64() {
                    cases.push((items(max + 1), false));
                }
                if let Some(min @ 1..) = schema["minItems"].as_u64() {
                    cases.push((items(min - 1), false));
                }
                let of_item = self.cases(&schema["items"], open).into_iter();
                cases.extend(of_item.map(|(item, within)| (json!([item]), within)));
            }
            "object" => {
                let base = self.sample(schema);
                for (member, described) in schema["properties"].as_object().into_iter().flatten() {
                    for (value, within) in self.cases(described, open) {
                        let more = json!({member: value});
                        let companion = companion(member, schema);
                        cases.push((with(with(base.clone(), companion), more), within));
                    }
                }
                if schema["additionalProperties"] == false {
                    cases.push((with(base, json!({"no_such_member": 1})), false));
                }
                self.label_cases(schema, &mut cases);
            }
            _ => {}
        }
        cases
    }

    /// Cases for an object of labels.
    fn label_cases(&self, schema: &Value, cases: &mut Vec<Case>) {
        let labels = |count: u64| {
            let label = |n| (format!("app.n{n}"), json!("v"));
            Value::Object((0..count).map(label).collect::<Map<_, _>>())
        };
        if schema["propertyNames"].is_object() {
            let mut keys = Vec::new();
            text_cases(&schema["propertyNames"], &mut keys);
            let mut values = Vec::new();
            text_cases(&schema["additionalProperties"], &mut values);
            let keys = keys
                .into_iter()
                .map(|(key, within)| (json!({text(&key): "v"}), within));
            let values = values
                .into_iter()
                .map(|(value, within)| (json!({"app.a": value}), within));
            cases.extend(keys.chain(values));
        }
        if let Some(max) = schema["maxProperties"].as_u64() {
            cases.extend([(labels(max), true), (labels(max + 1), false)]);
        }
        if let Some(min) = schema["minProperties"].as_u64() {
            cases.extend([(labels(min), true), (labels(min - 1), false)]);
        }
    }

    /// Returns a sample that was not given before, for lists of different items.
    fn distinct(&self, schema: &Value) -> Value {
        let (schema, _) = self.resolved(schema);
        let number = self.names.replace(self.names.get() + 1);
        match self.sample(schema) {
            Value::String(text) if schema["pattern"] != patterns::DIGEST => {
                json!(format!("{text}{number}"))
            }
            Value::Object(mut members) if members.contains_key("digest") => {
                members["digest"] = json!(format!("sha256:{number:064x}"));
                members.into()
            }
            other => other,
        }
    }
}

/// Returns the type of a schema, apart from null.
fn kind(schema: &Value) -> &str {
    let types = schema["type"].as_array();
    let first = types.and_then(|all| all.iter().find(|it| **it != "null"));
    first
        .unwrap_or(&schema["type"])
        .as_str()
        .unwrap_or_default()
}

/// Returns whether one of two members says when, and neither is required by itself.
fn is_delay(schema: &Value) -> bool {
    let has = |name: &str| schema["properties"].get(name).is_some();
    has("delay_ms") && has("delay_until") && !has("kind")
}

/// Returns the line of [`TEXTS`] for the pattern of a schema.
fn texts(
    schema: &Value,
) -> Option<&'static (&'static str, &'static str, &'static str, &'static str)> {
    let pattern = schema["pattern"].as_str()?;
    let found = TEXTS.iter().find(|(known, ..)| *known == pattern);
    Some(found.unwrap_or_else(|| panic!("{pattern} has no line in TEXTS")))
}

fn text_cases(schema: &Value, cases: &mut Vec<Case>) {
    let Some((_, fits, longer, broken)) = texts(schema) else {
        if let Some(max) = schema["maxLength"].as_u64() {
            let long = |bytes: u64| json!("x".repeat(bytes as usize));
            cases.extend([(long(max), true), (long(max + 1), false)]);
        }
        return;
    };
    cases.push((json!(broken), false));
    let Some(max) = schema["maxLength"].as_u64() else {
        // A generated id names another partition than the instance has.
        if schema["pattern"] != patterns::UUID_V7 {
            cases.push((json!(fits), true));
        }
        return;
    };
    let long = |bytes: usize| {
        let more = longer.repeat((bytes - fits.len()) / longer.len().max(1));
        let rest = "a".repeat(bytes - fits.len() - more.len());
        json!(format!("{fits}{more}{rest}"))
    };
    cases.extend([
        (long(max as usize), true),
        (long(max as usize + longer.len()), false),
    ]);
    if let Some(1..) = schema["minLength"].as_u64() {
        cases.push((json!(""), false));
    }
}

/// What has to be given with a member of a schema for it to mean something.
fn companion(member: &str, schema: &Value) -> Value {
    let has = |name: &str| schema["properties"].get(name).is_some();
    match member {
        "content_type" => {
            let payloads = ["input", "result", "payload", "state"];
            let payload = payloads.into_iter().find(|name| has(name));
            payload.map_or(json!({}), |name| json!({name: 1}))
        }
        "dedup_ttl_ms" => json!({"idempotency_key": "k"}),
        "timeout_behavior" if has("timeout_ms") => json!({"timeout_ms": 60_000}),
        "resume_condition" => json!({"timeout_ms": 60_000}),
        "waitpoints" if has("resume_condition") => {
            json!({"resume_condition": "TimeoutOnly", "timeout_ms": 60_000})
        }
        "initial_delay_ms" => json!({"max_delay_ms": 315_360_000_000_u64}),
        "max_delay_ms" => json!({"initial_delay_ms": 0}),
        "mode" => json!({"payload": "{}"}),
        "ttl_ms" => json!({"mode": "best_effort"}),
        "n" => json!({"count_kind": "DistinctSources"}),
        _ => json!({}),
    }
}
