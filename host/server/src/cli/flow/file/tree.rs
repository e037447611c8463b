//! YAML as a tree whose nodes know where they stand. JSON is YAML too.
//!
//! Anchors, aliases and tags are refused: with aliases a small file stands for one that fits
//! in no memory.

use std::borrow::Cow;
use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Most lists and mappings within one another, as the host reads.
const DEPTH_MAX: usize = 100;

/// A place in a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line, counted from 1.
    pub line: usize,
    /// The character of the line, counted from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why a file is not that of a flow.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where the file is wrong.
    pub at: Place,
    /// The member of the document, such as `members.load.needs[0]`; empty for the whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl Fault {
    /// Builds one.
    pub fn new(at: Place, path: &str, message: impl Into<String>) -> Self {
        Self {
            at,
            path: path.to_owned(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "{}: {}", self.at, self.message),
            path => write!(f, "{}: {path}: {}", self.at, self.message),
        }
    }
}

/// A value and where it begins.
#[derive(Debug)]
pub struct Node {
    /// Where it begins in the file.
    pub at: Place,
    /// The value that stands there.
    pub value: Value,
}

/// A value of a file.
#[derive(Debug)]
pub enum Value {
    /// A text, by its quotes or because it is nothing else.
    Text(String),
    /// Null, a boolean or a number, as JSON writes it.
    Plain(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping in its order; no key is there twice.
    Map(Vec<(String, Node)>),
}

impl Value {
    /// Says what it is.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Plain(text) if text == "null" => "nothing",
            Self::Plain(text) if text == "true" || text == "false" => "a boolean",
            Self::Plain(_) => "a number",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    /// Writes it as JSON.
    pub fn write(&self, json: &mut String) {
        match self {
            Self::Text(text) => json.push_str(&quoted(text)),
            Self::Plain(text) => json.push_str(text),
            Self::List(items) => {
                json.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        json.push(',');
                    }
                    item.value.write(json);
                }
                json.push(']');
            }
            Self::Map(members) => {
                json.push('{');
                for (at, (key, value)) in members.iter().enumerate() {
                    if at > 0 {
                        json.push(',');
                    }
                    json.push_str(&quoted(key));
                    json.push(':');
                    value.value.write(json);
                }
                json.push('}');
            }
        }
    }

    /// Returns it as JSON.
    pub fn json(&self) -> String {
        let mut json = String::new();
        self.write(&mut json);
        json
    }
}

/// Writes a text as JSON.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Reads the one document of a file.
///
/// # Errors
/// It is not YAML, or holds what is not read.
pub fn parse(text: &str) -> Result<Node, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        last: Place { line: 1, column: 1 },
    };
    let mut document = None;
    loop {
        match reader.next()? {
            (Event::StreamEnd, at) => {
                let missing = || Fault::new(at, "", "the file is empty");
                return document.ok_or_else(missing);
            }
            (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd, _) => {}
            (_, at) if document.is_some() => {
                return Err(Fault::new(at, "", "a file holds one document"));
            }
            (event, at) => document = Some(reader.node(event, at, 0)?),
        }
    }
}

/// What reads events.
struct Reader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    last: Place,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Place), Fault> {
        match self.parser.next_event() {
            None => Ok((Event::StreamEnd, self.last)),
            Some(Ok((event, span))) => {
                self.last = place(span);
                Ok((event, self.last))
            }
            Some(Err(error)) => {
                let marker = error.marker();
                let at = Place {
                    line: marker.line(),
                    column: marker.col() + 1,
                };
                Err(Fault::new(at, "", format!("not YAML: {}", error.info())))
            }
        }
    }

    fn node(&mut self, event: Event<'t>, at: Place, depth: usize) -> Result<Node, Fault> {
        let refused = |what: &str| {
            let message = format!("{what} are not read here; write the value out");
            Err(Fault::new(at, "", message))
        };
        if depth > DEPTH_MAX {
            let message = format!("lists and mappings may be {DEPTH_MAX} deep");
            return Err(Fault::new(at, "", message));
        }
        let value = match event {
            Event::Alias(_) => return refused("aliases"),
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => return refused("tags"),
            Event::Scalar(text, style, ..) => scalar(text, style, at)?,
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Value::List(items),
                        (event, at) => items.push(self.node(event, at, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => self.mapping(depth)?,
            _ => return Err(Fault::new(at, "", "a value was expected")),
        };
        Ok(Node { at, value })
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut members: Vec<(String, Node)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        loop {
            let (key, at) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Map(members)),
                (Event::Scalar(text, _, _, None), at) => (text.into_owned(), at),
                (_, at) => return Err(Fault::new(at, "", "a key must be a text")),
            };
            if !seen.insert(key.clone()) {
                let message = format!("`{key}` is given twice");
                return Err(Fault::new(at, "", message));
            }
            let (event, at) = self.next()?;
            let value = self.node(event, at, depth + 1)?;
            members.push((key, value));
        }
    }
}

fn place(span: Span) -> Place {
    Place {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

/// Reads a scalar by the core schema of YAML 1.2.
fn scalar(text: Cow<'_, str>, style: ScalarStyle, at: Place) -> Result<Value, Fault> {
    if style != ScalarStyle::Plain {
        return Ok(Value::Text(text.into_owned()));
    }
    Ok(match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Plain("null".to_owned()),
        "true" | "True" | "TRUE" => Value::Plain("true".to_owned()),
        "false" | "False" | "FALSE" => Value::Plain("false".to_owned()),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "-.inf" | "-.Inf" | "-.INF" => {
            return Err(Fault::new(at, "", "JSON has no such number"));
        }
        text => match number(text) {
            Some(number) => Value::Plain(number),
            None => Value::Text(text.to_owned()),
        },
    })
}

/// Returns a number as JSON writes it; digits are kept.
fn number(text: &str) -> Option<String> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix)
                .ok()
                .map(|number| number.to_string());
        }
    }
    let begins = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
    if !text.starts_with(begins) || text.chars().any(|c| c.is_whitespace()) {
        return None;
    }
    let is_json = |text: &str| serde_json::from_str::<serde_json::Number>(text).is_ok();
    if is_json(text) {
        return Some(text.to_owned());
    }
    // What YAML writes otherwise: +1, 007, .5, 1.
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let whole = digits.trim_start_matches('0');
    let whole = match whole.chars().next() {
        Some(c) if c.is_ascii_digit() => whole.to_owned(),
        _ => format!("0{whole}"),
    };
    let whole = whole.strip_suffix('.').map_or(whole.clone(), str::to_owned);
    let written = format!("{sign}{whole}");
    let only = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    let has_digit = digits.chars().any(|c| c.is_ascii_digit());
    (has_digit && digits.chars().all(only) && is_json(&written)).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        parse(text).map_or_else(|fault| fault.to_string(), |node| node.value.json())
    }

    #[test]
    fn yaml_and_json_are_read_as_json() {
        for (text, expected) in [
            ("a: 1\nb: [x, 'y', \"1\"]", r#"{"a":1,"b":["x","y","1"]}"#),
            (
                r#"{"a": {"b": null, "c": true}}"#,
                r#"{"a":{"b":null,"c":true}}"#,
            ),
            (
                "- ~\n- no\n- 2030-01-01\n- 1.0.0",
                r#"[null,"no","2030-01-01","1.0.0"]"#,
            ),
            (
                "[9007199254740993, 1.50, -0x10, 0x10, +7, .5]",
                r#"[9007199254740993,1.50,"-0x10",16,7,0.5]"#,
            ),
            ("text: |\n  one\n  two\n", r#"{"text":"one\ntwo\n"}"#),
            ("[007, +-, 1., e, '']", r#"[7,"+-",1,"e",""]"#),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_read_is_refused_with_its_place() {
        for (text, expected) in [
            ("", "1:1: the file is empty"),
            ("a: 1\na: 2", "2:1: `a` is given twice"),
            (
                "a: &x 1\nb: *x",
                "2:4: aliases are not read here; write the value out",
            ),
            (
                "a: !!str 1",
                "1:4: tags are not read here; write the value out",
            ),
            ("a: .nan", "1:4: JSON has no such number"),
            ("a: 1\n---\nb: 2", "3:1: a file holds one document"),
            ("? [a]\n: b", "1:3: a key must be a text"),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
        assert!(json("a: [1").contains("not YAML"), "{}", json("a: [1"));
        let nested = |depth: usize| json(&("[".repeat(depth) + &"]".repeat(depth)));
        assert_eq!(nested(DEPTH_MAX).len(), 2 * DEPTH_MAX);
        assert!(nested(150).contains("may be 100 deep"), "{}", nested(150));
        // So many, the parser itself refuses.
        assert!(
            nested(100_000).contains("not YAML"),
            "{:.200}",
            nested(100_000)
        );
    }
}
