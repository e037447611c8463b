//! The summary document of a stream: what merging its patches has made.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::SummaryPatch;
use super::patch::Change;

impl crate::Limits {
    /// Most bytes of a summary document.
    pub const SUMMARY_BYTES_MAX: usize = 256 << 10;
}

/// A summary document: a JSON object. Values keep the text they were given with, so that
/// numbers lose no digits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SummaryDocument(BTreeMap<String, Node>);

/// A value in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Object(BTreeMap<String, Node>),
    /// The JSON text of anything else.
    Leaf(String),
}

impl SummaryDocument {
    /// Reads a document as it was written.
    ///
    /// # Errors
    /// If that is not a JSON object.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let members: BTreeMap<String, &RawValue> = serde_json::from_slice(json)?;
        Ok(Self(nodes(members)?))
    }

    /// Merges a patch into it.
    pub fn merge(&mut self, patch: &SummaryPatch) {
        merge(&mut self.0, &patch.0);
    }

    /// Writes it as JSON, with members in the order of their names.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = String::new();
        write(&self.0, &mut json);
        json.into_bytes()
    }
}

fn nodes(
    members: BTreeMap<String, &RawValue>,
) -> Result<BTreeMap<String, Node>, serde_json::Error> {
    let mut nodes = BTreeMap::new();
    for (name, value) in members {
        let text = value.get();
        let node = match text.starts_with('{') {
            true => Node::Object(self::nodes(serde_json::from_str(text)?)?),
            false => Node::Leaf(text.to_owned()),
        };
        nodes.insert(name, node);
    }
    Ok(nodes)
}

fn merge(target: &mut BTreeMap<String, Node>, patch: &BTreeMap<String, Change>) {
    for (name, change) in patch {
        match change {
            Change::Remove => {
                target.remove(name);
            }
            Change::Set(value) => {
                target.insert(name.clone(), Node::Leaf(value.clone()));
            }
            Change::Merge(changes) => {
                let node = target
                    .entry(name.clone())
                    .or_insert(Node::Leaf(String::new()));
                if let Node::Leaf(_) = node {
                    *node = Node::Object(BTreeMap::new());
                }
                if let Node::Object(members) = node {
                    merge(members, changes);
                }
            }
        }
    }
}

fn write(members: &BTreeMap<String, Node>, json: &mut String) {
    json.push('{');
    for (number, (name, node)) in members.iter().enumerate() {
        if number > 0 {
            json.push(',');
        }
        let name = serde_json::to_string(name).expect("invariant: a text can be written");
        json.push_str(&name);
        json.push(':');
        match node {
            Node::Object(members) => write(members, json),
            Node::Leaf(text) => json.push_str(text),
        }
    }
    json.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(patches: &[&str]) -> String {
        let mut document = SummaryDocument::default();
        for patch in patches {
            let patch = SummaryPatch::parse(patch.as_bytes()).expect(patch);
            document.merge(&patch);
            let json = document.to_json();
            let read = SummaryDocument::parse(&json).expect("it reads its own text");
            assert_eq!(read, document);
        }
        String::from_utf8(document.to_json()).expect("text")
    }

    #[test]
    fn patches_merge_as_rfc_7396_says() {
        for (target, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (
                r#"{"e":1}"#,
                r#"{"a":{"bb":{"ccc":null}}}"#,
                r#"{"a":{"bb":{}},"e":1}"#,
            ),
            (r#"{"a":"foo"}"#, r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#),
            (r#"{"a":[1,2]}"#, r#"{"a":[null, 3]}"#, r#"{"a":[null,3]}"#),
        ] {
            assert_eq!(merged(&[target, patch]), result, "{target} + {patch}");
        }
    }

    #[test]
    fn the_sentinel_is_a_null_leaf() {
        assert_eq!(
            merged(&[r#"{"a":"__ff_null__","b":{"c":"__ff_null__"}}"#]),
            r#"{"a":null,"b":{"c":null}}"#
        );
        assert_eq!(merged(&[r#"{"a":"__ff_null__"}"#, r#"{"a":null}"#]), "{}");
        assert_eq!(
            merged(&[r#"{"a":["__ff_null__"]}"#]),
            r#"{"a":["__ff_null__"]}"#
        );
    }

    #[test]
    fn values_keep_their_text() {
        let kept = r#"{"big":123456789012345678901234567890,"exact":0.10000000000000000001,"text":"a \" b\u0000é\\"}"#;
        assert_eq!(merged(&[kept]), kept);
        assert_eq!(
            merged(&["{ \"a\" : [ 1 , \" b \" ] }"]),
            r#"{"a":[1," b "]}"#
        );
        assert_eq!(
            merged(&[r#"{"a":1,"a":2}"#]),
            r#"{"a":2}"#,
            "the last one counts"
        );
    }
}
