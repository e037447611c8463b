//! Submits the file of a graph, in the form that `flowhost flow submit` reads.

use std::path::Path;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::api::{Api, text};

/// Reads a graph, has `change` change it, and submits it; returns the id of the flow.
pub(crate) async fn submit(api: &Api, path: &Path, change: impl FnOnce(&mut Value)) -> String {
    let file = std::fs::read_to_string(path).expect("a file");
    let mut file: Value = serde_norway::from_str(&file).expect("YAML");
    change(&mut file);
    let (status, made) = api.post("/v1/flows", body(path, &file)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    text(&made["flow_id"])
}

/// Returns what such a file says as the body of a request.
fn body(path: &Path, file: &Value) -> Value {
    let (mut members, mut edges, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for (name, member) in file["members"].as_object().expect("members by name") {
        let mut member = member.as_object().expect("an object").clone();
        member.insert("name".to_owned(), json!(name));
        if let Some(input) = member.remove("input_file") {
            let input = path.with_file_name(text(&input));
            let input = std::fs::read_to_string(&input).expect("an input");
            member.insert("input_text".to_owned(), json!(input));
        }
        for need in member
            .remove("needs")
            .iter()
            .flat_map(Value::as_array)
            .flatten()
        {
            let mut edge = match need {
                Value::String(upstream) => json!({"upstream": upstream}),
                edge => edge.clone(),
            };
            edge["downstream"] = json!(name);
            edges.push(edge);
        }
        if let Some(policy) = member.remove("policy") {
            groups.push(json!({"downstream": name, "policy": policy}));
        }
        members.push(Value::Object(member));
    }
    json!({"kind": file["kind"], "members": members, "edges": edges, "groups": groups})
}
