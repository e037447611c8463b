//! The JSON schema of a file, printed from the tables by which it is read.

use model::{Limits, OnSatisfied, patterns};
use serde_json::{Map, Value, json};

use super::fields::{EDGE, FLOW, Field, GROUP, Holds, NEED, NEW_MEMBER, words};
use crate::api::MEMBER_NAME;

/// Returns the JSON schema of a file that `flowhost flow submit` reads.
pub fn schema() -> String {
    let mut schema = object(&FLOW, "A flow for `flowhost flow submit`");
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Flow");
    schema["$defs"] = json!({
        "member": object(&NEW_MEMBER, "An execution to create in the flow"),
        "edge": object(&EDGE, "The downstream member waits for the end of the upstream one"),
        "need": object(&NEED, "The member waits for the end of the upstream one"),
        "group": object(&GROUP, "A member that waits for less than everything before it"),
        "group_policy": group_policy(),
    });
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn object(fields: &[Field], about: &str) -> Value {
    let members: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut schema = holds(field.holds);
            schema["description"] = json!(field.about);
            (field.name.to_owned(), schema)
        })
        .collect();
    let required = fields.iter().filter(|field| field.required);
    let required: Vec<&str> = required.map(|field| field.name).collect();
    json!({
        "type": "object",
        "description": about,
        "properties": members,
        "required": required,
        "additionalProperties": false,
    })
}

fn holds(holds: Holds) -> Value {
    let items = |of: &str| json!({"$ref": format!("#/$defs/{of}")});
    match holds {
        Holds::Text(usize::MAX, pattern) => json!({"type": "string", "pattern": pattern}),
        Holds::Text(max, pattern) => {
            json!({"type": "string", "maxLength": max, "pattern": pattern})
        }
        Holds::Word(of) => json!({"type": "string", "enum": words(of)}),
        Holds::Whole(max) => json!({"type": "integer", "minimum": 0, "maximum": max}),
        Holds::Json => json!({}),
        Holds::Labels => json!({
            "type": "object",
            "maxProperties": Limits::TAGS_MAX,
            "propertyNames": {"maxLength": Limits::TAG_KEY_BYTES_MAX, "pattern": patterns::TAG_KEY},
            "additionalProperties": {"type": "string", "maxLength": Limits::TAG_VALUE_BYTES_MAX},
        }),
        Holds::Object => json!({"type": "object"}),
        Holds::Group => items("group_policy"),
        Holds::Ids => json!({"type": "array", "items": {"type": "string"}}),
        Holds::Members => json!({"oneOf": [
            {
                "type": "object",
                "maxProperties": Limits::FLOW_MEMBERS_MAX,
                "propertyNames": {
                    "maxLength": Limits::MEMBER_NAME_BYTES_MAX, "pattern": MEMBER_NAME,
                },
                "additionalProperties": items("member"),
            },
            {"type": "array", "maxItems": Limits::FLOW_MEMBERS_MAX, "items": items("member")},
        ]}),
        Holds::Edges => {
            json!({"type": "array", "maxItems": Limits::FLOW_EDGES_MAX, "items": items("edge")})
        }
        Holds::Groups => json!({"type": "array", "items": items("group")}),
        Holds::Needs => json!({"type": "array", "items": {"oneOf": [
            {"type": "string", "maxLength": Limits::MEMBER_NAME_BYTES_MAX, "pattern": MEMBER_NAME},
            items("need"),
        ]}}),
    }
}

fn group_policy() -> Value {
    let on_satisfied: Vec<&str> = OnSatisfied::ALL.iter().map(|it| it.as_str()).collect();
    let branch = |kind: &str, more: Value| {
        let mut members = json!({"kind": {"const": kind}});
        for (name, schema) in more.as_object().into_iter().flatten() {
            members[name] = schema.clone();
        }
        let required = match kind {
            "quorum" => vec!["kind", "k"],
            _ => vec!["kind"],
        };
        json!({
            "type": "object",
            "properties": members,
            "required": required,
            "additionalProperties": false,
        })
    };
    let others = json!({"type": "string", "enum": on_satisfied});
    json!({
        "description": "How many edges must be satisfied, and what becomes of members that have not ended then",
        "oneOf": [
            {"enum": ["all_of", "any_of"]},
            branch("all_of", json!({})),
            branch("any_of", json!({"on_satisfied": others})),
            branch("quorum", json!({
                "k": {"type": "integer", "minimum": 1, "maximum": Limits::FLOW_EDGES_MAX},
                "on_satisfied": others,
            })),
        ],
    })
}
