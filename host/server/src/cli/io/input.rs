//! Inputs of executions and payloads of signals: from a file, an argument or standard
//! input, with a media type. And secrets, which are never arguments.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, Failure};

/// Where the input comes from.
#[derive(Debug, Clone, Args)]
pub struct InputArgs {
    /// A file that is the input [default: standard input, unless that is a terminal]
    #[arg(long, short, value_name = "FILE", conflicts_with = "input")]
    pub file: Option<PathBuf>,
    /// The input itself, JSON unless --content-type says otherwise
    #[arg(long, short, value_name = "TEXT")]
    pub input: Option<String>,
    /// Media type of the input [default: by the file's extension]
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
}

impl InputArgs {
    /// Returns media type and bytes.
    pub fn read(&self) -> Result<(String, Vec<u8>), Failure> {
        let (default_type, bytes) = if let Some(text) = &self.input {
            if self.content_type.is_none()
                && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text)
            {
                let hint = "for other text, add --content-type text/plain";
                return Err(Failure::usage(format!(
                    "--input is not valid JSON: {error}; {hint}"
                )));
            }
            ("application/json", text.clone().into_bytes())
        } else if let Some(path) = &self.file {
            let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
            (of_extension(path), bytes)
        } else if std::io::stdin().is_terminal() {
            ("application/octet-stream", Vec::new())
        } else {
            let bytes = read_stdin()?;
            (of_bytes(&bytes), bytes)
        };
        let content_type = self.content_type.clone();
        Ok((
            content_type.unwrap_or_else(|| default_type.to_owned()),
            bytes,
        ))
    }
}

/// Where the payload of a signal comes from.
#[derive(Debug, Clone, Args)]
pub struct PayloadArgs {
    /// A file that is the payload, - for standard input [default: no payload]
    #[arg(long, short, value_name = "FILE", conflicts_with = "input")]
    pub file: Option<PathBuf>,
    /// The payload itself, JSON unless --content-type says otherwise
    #[arg(long, short, value_name = "TEXT")]
    pub input: Option<String>,
    /// Media type of the payload [default: by the file's extension]
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
}

impl PayloadArgs {
    /// Returns media type and bytes, if there are any.
    pub fn read(&self) -> Result<Option<(String, Vec<u8>)>, Failure> {
        if self.file.is_none() && self.input.is_none() {
            return match self.content_type {
                None => Ok(None),
                Some(_) => Err(Failure::usage(
                    "--content-type of what? add --file or --input",
                )),
            };
        }
        let file = self.file.clone().filter(|path| path.as_os_str() != "-");
        let input = InputArgs {
            file,
            input: self.input.clone(),
            content_type: self.content_type.clone(),
        };
        input.read().map(Some)
    }
}

/// Reads standard input to its end.
pub fn read_stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|error| {
        Failure::new(Exit::Fault, format!("cannot read standard input: {error}"))
    })?;
    Ok(bytes)
}

/// Reads a secret from a file, - for standard input; never from an argument, which
/// others on this machine see.
pub fn read_secret(path: &Path) -> Result<String, Failure> {
    read_text(path).map(|text| text.trim().to_owned())
}

/// Reads a text from a file, - for standard input.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    let text = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|error| Failure::file("read", path, &error))
}

/// Returns the media type a file's extension stands for.
pub fn of_extension(path: &Path) -> &'static str {
    let extension = path
        .extension()
        .and_then(|text| text.to_str())
        .unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "json" => "application/json",
        "txt" | "text" | "log" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "csv" => "text/csv",
        "html" | "htm" => "text/html; charset=utf-8",
        "xml" => "application/xml",
        "toml" => "application/toml",
        "yaml" | "yml" => "application/yaml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "pdf" => "application/pdf",
        "wasm" => "application/wasm",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        _ => "application/octet-stream",
    }
}

/// Returns the media type of bytes without a name: JSON, text or neither.
fn of_bytes(bytes: &[u8]) -> &'static str {
    if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() {
        "application/json"
    } else if std::str::from_utf8(bytes).is_ok_and(|text| !text.is_empty()) {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_an_input_is_guessed_when_not_given() {
        assert_eq!(of_extension(Path::new("a/B.PNG")), "image/png");
        assert_eq!(of_extension(Path::new("a")), "application/octet-stream");
        assert_eq!(of_bytes(b"{\"a\": 1}"), "application/json");
        assert_eq!(of_bytes(b"hello"), "text/plain; charset=utf-8");
        assert_eq!(of_bytes(b"\xff\xfe"), "application/octet-stream");
        assert_eq!(of_bytes(b""), "application/octet-stream");
    }

    #[test]
    fn a_signal_has_no_payload_unless_one_is_given() {
        let mut args = PayloadArgs {
            file: None,
            input: None,
            content_type: None,
        };
        assert_eq!(args.read().expect("nothing"), None);
        args.content_type = Some("text/plain".into());
        assert_eq!(args.read().expect_err("of what?").exit, Exit::Usage);
        args.input = Some("hello".into());
        let given = args.read().expect("text").expect("some");
        assert_eq!(given, ("text/plain".to_owned(), b"hello".to_vec()));
    }

    #[test]
    fn an_input_argument_is_json_unless_a_type_is_given() {
        let mut args = InputArgs {
            file: None,
            input: Some("hello".into()),
            content_type: None,
        };
        assert_eq!(args.read().expect_err("not JSON").exit, Exit::Usage);
        args.content_type = Some("text/plain".into());
        assert_eq!(args.read().expect("text").1, b"hello");
    }
}
