//! A document, checked, and the body of the request that it stands for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{ExecutionId, Limits};

use super::fields::{EDGE, FLOW, Field, GROUP, GROWTH, Holds, NEED, NEW_MEMBER, words};
use super::tree::{Fault, Node, Place, Value, parse, quoted};
use crate::cli::io::of_extension;

/// What a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A flow to create. Its edges join members that it has.
    Flow,
    /// What is added to a flow, whose members may be joined too.
    Growth,
}

/// A document that was read.
#[derive(Debug)]
pub struct Document {
    /// The body of the request, in JSON.
    pub body: String,
    /// Where each member is, by its name, or its place in the list where it has none.
    places: HashMap<String, Place>,
}

impl Document {
    /// Returns where a member is that the host names in a problem.
    pub fn place_of(&self, member: &str) -> Option<Place> {
        self.places.get(member).copied()
    }
}

/// Reads a document; files that it names are beside `folder`.
///
/// # Errors
/// It is not one of this form; the fault says where.
pub fn read(text: &str, folder: &Path, form: Form) -> Result<Document, Fault> {
    let root = parse(text)?;
    let fields: &[Field] = match form {
        Form::Flow => &FLOW,
        Form::Growth => &GROWTH,
    };
    let mut reader = Reader {
        folder: folder.to_owned(),
        places: HashMap::new(),
        edges: Vec::new(),
        groups: Vec::new(),
        refs: Vec::new(),
        file_bytes: 0,
    };
    let mut members = reader.object(&root, "", fields, &[])?;
    if form == Form::Flow {
        reader.check_refs()?;
    }
    for (name, more) in [("edges", reader.edges), ("groups", reader.groups)] {
        if !more.is_empty() {
            members.push((name, format!("[{}]", more.join(","))));
        }
    }
    Ok(Document {
        body: written(&members),
        places: reader.places,
    })
}

struct Reader {
    folder: PathBuf,
    places: HashMap<String, Place>,
    /// Edges and groups as JSON, of the lists and of members.
    edges: Vec<String>,
    groups: Vec<String>,
    /// Members that edges and groups name, with their places.
    refs: Vec<(String, Place, String)>,
    /// Bytes of the files that are inputs.
    file_bytes: u64,
}

/// Members of an object as JSON.
type Members = Vec<(&'static str, String)>;

fn written(members: &[(&'static str, String)]) -> String {
    let members = members
        .iter()
        .map(|(name, json)| format!("\"{name}\":{json}"));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn below(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

fn expected(node: &Node, path: &str, what: &str) -> Fault {
    let message = format!("expected {what}, not {}", node.value.what());
    Fault::new(node.at, path, message)
}

impl Reader {
    /// Reads an object by its table; members in `given` are there already.
    fn object(
        &mut self,
        node: &Node,
        path: &str,
        fields: &'static [Field],
        given: &[&str],
    ) -> Result<Members, Fault> {
        let Value::Map(members) = &node.value else {
            return Err(expected(node, path, "a mapping"));
        };
        let mut read = Vec::new();
        for (name, value) in members {
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                let names: Vec<_> = fields.iter().map(|field| field.name).collect();
                let message = format!("is not known here; known are {}", names.join(", "));
                return Err(Fault::new(value.at, &below(path, name), message));
            };
            if given.contains(&field.name) {
                let message = "is the key of the mapping already";
                return Err(Fault::new(value.at, &below(path, name), message));
            }
            let path = below(path, name);
            if let Some(json) = self.value(value, &path, field.holds)? {
                read.push((field.name, json));
            }
        }
        let missing =
            |field: &&Field| field.required && !members.iter().any(|(name, _)| name == field.name);
        match fields.iter().find(missing) {
            None => Ok(read),
            Some(field) => {
                let message = format!("`{}` is missing", field.name);
                Err(Fault::new(node.at, path, message))
            }
        }
    }

    /// Reads a value; `None` if it is kept elsewhere.
    fn value(&mut self, node: &Node, path: &str, holds: Holds) -> Result<Option<String>, Fault> {
        match holds {
            Holds::Json => return Ok(Some(node.value.json())),
            Holds::Text(..) => {
                let text = text(node, path)?;
                return Ok(Some(quoted(text)));
            }
            Holds::Word(of) => {
                let (text, words) = (text(node, path)?, words(of));
                if !words.contains(&text) {
                    let message = format!("`{text}` is none of {}", words.join(", "));
                    return Err(Fault::new(node.at, path, message));
                }
                return Ok(Some(quoted(text)));
            }
            Holds::Whole(_) => match &node.value {
                Value::Plain(number) if number.parse::<u64>().is_ok() => {
                    return Ok(Some(number.clone()));
                }
                _ => return Err(expected(node, path, "a whole number")),
            },
            Holds::Labels | Holds::Object => {
                let Value::Map(members) = &node.value else {
                    return Err(expected(node, path, "a mapping"));
                };
                if let Holds::Labels = holds {
                    for (name, value) in members {
                        text(value, &below(path, name))?;
                    }
                }
                return Ok(Some(node.value.json()));
            }
            Holds::Group => return group_policy(node, path).map(Some),
            Holds::Ids => {
                for (at, item) in list(node, path)?.iter().enumerate() {
                    text(item, &format!("{path}[{at}]"))?;
                }
                return Ok(Some(node.value.json()));
            }
            Holds::Members => return self.members(node, path).map(Some),
            Holds::Edges => {
                for (at, item) in list(node, path)?.iter().enumerate() {
                    let path = format!("{path}[{at}]");
                    let edge = self.object(item, &path, &EDGE, &[])?;
                    self.name(item, &path, &["upstream", "downstream"]);
                    self.edges.push(written(&edge));
                }
            }
            Holds::Groups => {
                for (at, item) in list(node, path)?.iter().enumerate() {
                    let path = format!("{path}[{at}]");
                    let group = self.object(item, &path, &GROUP, &[])?;
                    self.name(item, &path, &["downstream"]);
                    self.groups.push(written(&group));
                }
            }
            // They are of the member that has them: see `member`.
            Holds::Needs => drop(list(node, path)?),
        }
        Ok(None)
    }

    /// Notes the members that an object names.
    fn name(&mut self, node: &Node, path: &str, names: &[&str]) {
        for name in names {
            if let Some(of) = node.get(name)
                && let Value::Text(text) = &of.value
            {
                self.refs.push((text.clone(), of.at, below(path, name)));
            }
        }
    }

    fn members(&mut self, node: &Node, path: &str) -> Result<String, Fault> {
        let mut members = Vec::new();
        match &node.value {
            Value::Map(named) => {
                for (name, member) in named {
                    let path = below(path, name);
                    members.push(self.member(member, &path, Some(name), name)?);
                }
            }
            Value::List(items) => {
                for (at, member) in items.iter().enumerate() {
                    let path = format!("{path}[{at}]");
                    members.push(self.member(member, &path, None, &at.to_string())?);
                }
            }
            _ => return Err(expected(node, path, "a mapping or a list of members")),
        }
        Ok(format!("[{}]", members.join(",")))
    }

    /// Reads a member; `called` is what the host calls it if it has no name of its own.
    fn member(
        &mut self,
        node: &Node,
        path: &str,
        key: Option<&str>,
        called: &str,
    ) -> Result<String, Fault> {
        let given: &[&str] = if key.is_some() { &["name"] } else { &[] };
        let mut members = self.object(node, path, &NEW_MEMBER, given)?;
        let own = node.get("name").and_then(Node::text);
        let name = key.or(own).map(str::to_owned);
        if let Some(name) = key {
            members.push(("name", quoted(name)));
        }
        let called = name.as_deref().unwrap_or(called).to_owned();
        if self.places.insert(called.clone(), node.at).is_some() {
            let message = format!("there is another member `{called}`");
            return Err(Fault::new(node.at, path, message));
        }
        self.input_file(node, path, &mut members)?;
        let policy = members
            .iter()
            .position(|(name, _)| *name == "needs_policy")
            .map(|at| members.remove(at).1);
        let needs = node.get("needs");
        if needs.is_none() && policy.is_none() {
            return Ok(written(&members));
        }
        let Some(name) = name else {
            let message = "a member that waits for others must have a name";
            return Err(Fault::new(node.at, path, message));
        };
        let downstream = quoted(&name);
        if let Some(policy) = policy {
            let group = [("downstream", downstream.clone()), ("policy", policy)];
            self.groups.push(written(&group));
        }
        if let Some(needs) = needs {
            let path = below(path, "needs");
            for (at, need) in list(needs, &path)?.iter().enumerate() {
                let path = format!("{path}[{at}]");
                let mut edge = match need.text() {
                    Some(upstream) => {
                        self.refs.push((upstream.to_owned(), need.at, path));
                        vec![("upstream", quoted(upstream))]
                    }
                    None => {
                        let edge = self.object(need, &path, &NEED, &[])?;
                        self.name(need, &path, &["upstream"]);
                        edge
                    }
                };
                edge.push(("downstream", downstream.clone()));
                self.edges.push(written(&edge));
            }
        }
        Ok(written(&members))
    }

    /// Puts a file in the place of its name.
    fn input_file(&mut self, node: &Node, path: &str, to: &mut Members) -> Result<(), Fault> {
        let Some(named) = node.get("input_file") else {
            return Ok(());
        };
        let path = below(path, "input_file");
        let fault = |message: String| Err(Fault::new(named.at, &path, message));
        for other in ["input", "input_text", "input_base64"] {
            if node.get(other).is_some() {
                return fault(format!("excludes `{other}`"));
            }
        }
        let file = self.folder.join(text(named, &path)?);
        let bytes = match std::fs::metadata(&file) {
            Err(error) => return fault(format!("cannot read {}: {error}", file.display())),
            Ok(about) => about.len(),
        };
        self.file_bytes += bytes;
        let max = Limits::FLOW_INPUT_BYTES_MAX;
        if self.file_bytes > max as u64 {
            return fault(format!(
                "inputs of more than {max} bytes together are not accepted at once"
            ));
        }
        let data = match std::fs::read(&file) {
            Err(error) => return fault(format!("cannot read {}: {error}", file.display())),
            Ok(data) => data,
        };
        to.retain(|(name, _)| *name != "input_file");
        to.push(("input_base64", quoted(&STANDARD.encode(data))));
        if node.get("content_type").is_none() {
            to.push(("content_type", quoted(of_extension(&file))));
        }
        Ok(())
    }

    /// Checks that edges and groups name members that there are.
    fn check_refs(&self) -> Result<(), Fault> {
        for (name, at, path) in &self.refs {
            if self.places.contains_key(name) || name.parse::<ExecutionId>().is_ok() {
                continue;
            }
            let message = format!("there is no member `{name}` in this file");
            return Err(Fault::new(*at, path, message));
        }
        Ok(())
    }
}

impl Node {
    fn get(&self, name: &str) -> Option<&Node> {
        let Value::Map(members) = &self.value else {
            return None;
        };
        let found = members.iter().find(|(key, _)| key == name);
        found.map(|(_, node)| node)
    }

    fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn text<'n>(node: &'n Node, path: &str) -> Result<&'n str, Fault> {
    match &node.value {
        Value::Text(text) => Ok(text),
        Value::Plain(plain) => {
            let what = node.value.what();
            let message = format!("expected a text, not {what}: put {plain} in quotes");
            Err(Fault::new(node.at, path, message))
        }
        _ => Err(expected(node, path, "a text")),
    }
}

fn list<'n>(node: &'n Node, path: &str) -> Result<&'n [Node], Fault> {
    match &node.value {
        Value::List(items) => Ok(items),
        _ => Err(expected(node, path, "a list")),
    }
}

/// Reads the policy of a group, or the name of one that needs no more.
fn group_policy(node: &Node, path: &str) -> Result<String, Fault> {
    match &node.value {
        Value::Text(kind) if ["all_of", "any_of"].contains(&kind.as_str()) => {
            Ok(format!("{{\"kind\":{}}}", quoted(kind)))
        }
        Value::Text(kind) => {
            let message = format!(
                "`{kind}` is none of all_of, any_of and a mapping such as {{kind: quorum, k: 2}}"
            );
            Err(Fault::new(node.at, path, message))
        }
        Value::Map(_) => {
            let json = node.value.json();
            match serde_json::from_str::<crate::api::EdgeGroupPolicy>(&json) {
                Ok(_) => Ok(json),
                Err(error) => {
                    // Where it is in JSON that was never written helps no reader.
                    let message = error.to_string();
                    let message = message.split(" at line").next().unwrap_or_default();
                    Err(Fault::new(node.at, path, message))
                }
            }
        }
        _ => Err(expected(node, path, "a policy such as any_of")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body(text: &str, form: Form) -> Result<serde_json::Value, String> {
        let document = read(text, Path::new("."), form).map_err(|fault| fault.to_string())?;
        Ok(serde_json::from_str(&document.body).expect("JSON"))
    }

    const REPORT: &str = "\
kind: report
members:
  left: {kind: load, input: {n: 1}}
  right:
    kind: load
    input_text: hello
  join:
    kind: join
    needs:
      - left
      - {upstream: right, dependency_kind: always, data_passing_ref: r}
    needs_policy: {kind: quorum, k: 1, on_satisfied: let_run}
";

    #[test]
    fn names_and_needs_stand_for_members_edges_and_groups() {
        let expected = json!({
            "kind": "report",
            "members": [
                {"kind": "load", "input": {"n": 1}, "name": "left"},
                {"kind": "load", "input_text": "hello", "name": "right"},
                {"kind": "join", "name": "join"},
            ],
            "edges": [
                {"upstream": "left", "downstream": "join"},
                {
                    "upstream": "right", "dependency_kind": "always", "data_passing_ref": "r",
                    "downstream": "join",
                },
            ],
            "groups": [{
                "downstream": "join",
                "policy": {"kind": "quorum", "k": 1, "on_satisfied": "let_run"},
            }],
        });
        assert_eq!(body(REPORT, Form::Flow), Ok(expected.clone()));
        // The body itself is a document too.
        let same = body(&expected.to_string(), Form::Flow);
        assert_eq!(same, Ok(expected));
    }

    #[test]
    fn a_fault_names_its_line_its_column_and_its_member() {
        for (from, to, expected) in [
            (
                "- left",
                "- lef",
                "10:9: members.join.needs[0]: there is no member `lef` in this file",
            ),
            (
                "dependency_kind: always",
                "dependency_kind: ever",
                "11:44: members.join.needs[1].dependency_kind: `ever` is none of success_only, on_failure, always",
            ),
            (
                "input_text: hello",
                "input_text: 7",
                "6:17: members.right.input_text: expected a text, not a number: put 7 in quotes",
            ),
            (
                "    kind: join\n",
                "",
                "8:5: members.join: `kind` is missing",
            ),
            (
                "quorum, k: 1",
                "quorum",
                "12:19: members.join.needs_policy: missing field `k`",
            ),
            ("kind: report\n", "", "1:1: `kind` is missing"),
        ] {
            let text = REPORT.replacen(from, to, 1);
            let fault = body(&text, Form::Flow).expect_err(to);
            assert_eq!(fault, expected, "{text}");
        }
        let unknown = body(&REPORT.replacen("input_text", "inputs", 1), Form::Flow);
        let unknown = unknown.expect_err("unknown");
        assert!(
            unknown.starts_with("6:13: members.right.inputs: is not known here"),
            "{unknown}"
        );
        let twice = "kind: k\nmembers: [{kind: a, name: x}, {kind: a, name: x}]";
        let twice = body(twice, Form::Flow).expect_err("twice");
        assert_eq!(twice, "2:31: members[1]: there is another member `x`");
    }

    #[test]
    fn the_file_of_the_documentation_is_read_and_its_fault_is_told_so() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let page = std::fs::read_to_string(top.join("docs/flows.md")).expect("a page");
        let (_, file) = page.split_once("```yaml\n").expect("a file");
        let (file, _) = file.split_once("```").expect("its end");
        let document = read(file, &top, Form::Flow).expect("a flow");
        assert!(document.body.contains("on_failure"));
        let wrong = file.replacen("needs: [picture,", "needs: [pictures,", 1);
        let fault = read(&wrong, &top, Form::Flow).expect_err("no such member");
        let told = format!("graph.yaml:{fault}");
        assert!(page.contains(&told), "{told}");
    }

    #[test]
    fn growth_joins_members_that_the_file_does_not_have() {
        let text = "edges: [{upstream: here, downstream: there}]\nexpected_graph_revision: 7";
        assert!(body(text, Form::Growth).is_ok());
        let fault = body(text, Form::Flow).expect_err("no flow");
        assert!(fault.contains("expected_graph_revision"), "{fault}");
    }
}
