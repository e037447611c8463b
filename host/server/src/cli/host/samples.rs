//! A file of samples for `flowhost dev --demo`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cli::io::{Failure, of_extension};

/// A file of samples.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sample: Vec<Entry>,
}

/// One sample as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Kind, which names the handler it needs.
    kind: String,
    /// A file that is the input, relative to the file of samples.
    file: Option<PathBuf>,
    /// The input itself, as text.
    input: Option<String>,
    /// Media type of the input; by the file's extension when absent.
    content_type: Option<String>,
    /// Name of the file the result is written to; it is not kept when absent.
    output: Option<PathBuf>,
    /// Labels, `owner.name` to value.
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// One sample, ready to be submitted.
#[derive(Debug)]
pub struct Sample {
    /// Kind, which names the handler it needs.
    pub kind: String,
    /// The input as people know it: the name of its file, or how it begins.
    pub shown: String,
    /// Media type of the input.
    pub content_type: String,
    /// Bytes of the input.
    pub input: Vec<u8>,
    /// Name of the file the result is written to; none when it is not kept.
    pub output: Option<PathBuf>,
    /// Labels, `owner.name` to value.
    pub tags: BTreeMap<String, String>,
}

/// Reads a file of samples and the files it names.
pub fn read(path: &Path) -> Result<Vec<Sample>, Failure> {
    let wrong = |detail: String| Failure::usage(format!("{}: {detail}", path.display()));
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let file: File = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let dir = path.parent().unwrap_or(Path::new("."));
    file.sample
        .into_iter()
        .map(|entry| {
            let (shown, default_type, input) = match (&entry.file, entry.input) {
                (Some(file), None) => {
                    let path = dir.join(file);
                    let bytes = std::fs::read(&path)
                        .map_err(|error| Failure::file("read", &path, &error))?;
                    (file.display().to_string(), of_extension(file), bytes)
                }
                (None, Some(text)) => {
                    let shown: String = text.chars().take(24).collect();
                    (shown, "text/plain; charset=utf-8", text.into_bytes())
                }
                _ => {
                    let detail = format!("a sample of {} needs either file or input", entry.kind);
                    return Err(wrong(detail));
                }
            };
            if entry
                .output
                .as_ref()
                .is_some_and(|output| !is_plain(output))
            {
                return Err(wrong(format!(
                    "output of a sample of {} must be a plain file name",
                    entry.kind
                )));
            }
            Ok(Sample {
                kind: entry.kind,
                shown,
                content_type: entry
                    .content_type
                    .unwrap_or_else(|| default_type.to_owned()),
                input,
                output: entry.output,
                tags: entry.tags,
            })
        })
        .collect()
}

/// Results stay in their directory.
fn is_plain(output: &Path) -> bool {
    output
        .file_name()
        .is_some_and(|name| name == output.as_os_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(text: &str) -> Result<Vec<Sample>, Failure> {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("a.png"), b"png").expect("write");
        let path = dir.path().join("samples.toml");
        std::fs::write(&path, text).expect("write");
        read(&path)
    }

    #[test]
    fn files_are_found_beside_the_samples() {
        let read = samples("[[sample]]\nkind = \"k\"\nfile = \"a.png\"\noutput = \"b.png\"\n");
        let sample = read.expect("valid").pop().expect("one");
        assert_eq!(
            (sample.content_type.as_str(), sample.input.as_slice()),
            ("image/png", b"png".as_slice())
        );
    }

    #[test]
    fn a_sample_has_one_input_and_stays_in_its_directory() {
        for text in [
            "[[sample]]\nkind = \"k\"\n",
            "[[sample]]\nkind = \"k\"\ninput = \"x\"\nfile = \"a.png\"\n",
            "[[sample]]\nkind = \"k\"\ninput = \"x\"\noutput = \"../x\"\n",
            "[[sample]]\nkind = \"k\"\ninput = \"x\"\noutput = \"/x\"\n",
            "[[sample]]\nkind = \"k\"\ninput = \"x\"\nfoo = 1\n",
        ] {
            assert!(samples(text).is_err(), "{text}");
        }
    }
}
