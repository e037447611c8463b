//! Golden files: texts that are written by `make golden` and reviewed as they change.

use std::fs;
use std::path::PathBuf;

/// Returns the folder of the repository.
pub(crate) fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a text with a file, or writes the file when asked to.
pub(crate) fn assert_golden(path: &str, text: &str) {
    let file = top().join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(file.parent().expect("below the top")).expect("a folder");
        fs::write(&file, text).expect("written");
        return;
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    let first = known
        .lines()
        .zip(text.lines())
        .enumerate()
        .find(|(_, (known, now))| known != now)
        .map_or_else(
            || {
                format!(
                    "{} lines, now {}",
                    known.lines().count(),
                    text.lines().count()
                )
            },
            |(line, (known, now))| format!("line {}:\n- {known}\n+ {now}", line + 1),
        );
    assert!(
        known == text,
        "{path} is out of date; run `make golden` and look at the change\n{first}"
    );
}
