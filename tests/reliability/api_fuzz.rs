//! A short run of `make api-fuzz`, which sends hosts requests that are made from the
//! description of the API.

use std::path::Path;
use std::process::Command;

const TOP: &str = env!("CARGO_MANIFEST_DIR");

/// No answer differs from the description, no request meets a fault, and without a right
/// credential everything is refused.
#[test]
fn requests_made_from_the_description_are_answered_as_it_says() {
    let installed = format!("{TOP}/target/api-fuzz/venv/installed");
    assert!(
        Path::new(&installed).exists(),
        "no {installed}: run `make clients`"
    );
    let run = Command::new(format!("{TOP}/tests/api_fuzz/run.sh"))
        .env("FLOWHOST", env!("CARGO_BIN_EXE_flowhost"))
        .env("FLOWHOST_API_FUZZ_EXAMPLES", "2")
        .env("FLOWHOST_API_FUZZ_PHASES", "fuzzing")
        // The same requests each time; `make api-fuzz` draws others.
        .env("FLOWHOST_SEED", "1")
        .output()
        .expect("the shell runs");
    let [out, err] = [&run.stdout, &run.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(run.status.success(), "{out}\n{err}");
    // Four runs, each over every operation.
    let runs = out.matches("FLOWHOST_SEED=").count();
    let whole = out.matches(" selected / ").count();
    assert_eq!((runs, whole), (4, 4), "{out}");
}
