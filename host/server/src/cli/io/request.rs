//! Parts of requests: paths, members of bodies, and who asks.

use serde_json::{Map, Value};

/// Returns the path of a member of a collection by its name, which may hold any character.
pub fn path_of(collection: &str, name: &str) -> String {
    let mut path = format!("{collection}/");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

/// Returns who asks: the user of this process, if that is known.
pub fn actor() -> Option<String> {
    ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|name| (1..=255).contains(&name.len()))
}

/// Returns the members of a JSON object that are not null: what is absent is not sent.
pub fn present(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(mut members) => {
            members.retain(|_, value| !value.is_null());
            members
        }
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_a_path() {
        assert_eq!(path_of("/v1/lanes", "night-1"), "/v1/lanes/night-1");
        assert_eq!(path_of("/v1/lanes", "a/b ?%"), "/v1/lanes/a%2Fb%20%3F%25");
    }

    #[test]
    fn null_members_are_not_sent() {
        let members = present(serde_json::json!({"a": null, "b": 1}));
        assert_eq!(members.keys().collect::<Vec<_>>(), ["b"]);
    }
}
