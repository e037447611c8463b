//! Reads the file of a graph as `flowhost flow submit` does.

use std::path::Path;

use engine::{Create, CreateFlow, Graph, MemberRef, NewEdge, NewGroup, NewMember, Payload};
use serde_json::Value;

fn word(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Reads a graph, changed by `change`.
pub(crate) fn read(path: &Path, change: impl FnOnce(&mut Value)) -> CreateFlow {
    let text = std::fs::read_to_string(path).expect("a file");
    let mut file: Value = serde_norway::from_str(&text).expect("YAML");
    change(&mut file);
    let mut graph = Graph::default();
    for (name, member) in file["members"].as_object().expect("members by name") {
        let input = match (&member["input"], &member["input_file"]) {
            (Value::Null, Value::Null) => Payload::new("application/octet-stream", Vec::new()),
            (Value::Null, file) => {
                let file = path.with_file_name("").join(word(file));
                let bytes = std::fs::read(&file).expect("an input");
                Payload::new("text/plain", bytes)
            }
            (input, _) => Payload::new("application/json", input.to_string().into_bytes()),
        };
        graph.members.push(NewMember {
            name: Some(name.clone()),
            create: Create::new(word(&member["kind"]), input),
        });
        let downstream = MemberRef::Name(name.clone());
        for need in member["needs"].as_array().into_iter().flatten() {
            let upstream = need
                .as_str()
                .unwrap_or_else(|| need["upstream"].as_str().expect("a name"));
            let kind = need["dependency_kind"].as_str();
            graph.edges.push(NewEdge {
                upstream: MemberRef::Name(upstream.to_owned()),
                downstream: downstream.clone(),
                kind: kind.map_or_else(Default::default, |kind| kind.parse().expect("a kind")),
                data_passing_ref: need["data_passing_ref"].as_str().map(str::to_owned),
            });
        }
        if !member["policy"].is_null() {
            graph.groups.push(NewGroup {
                downstream,
                policy: serde_json::from_value(member["policy"].clone()).expect("a policy"),
            });
        }
    }
    CreateFlow {
        graph,
        ..CreateFlow::new(word(&file["kind"]))
    }
}
