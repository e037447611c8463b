//! `flowhost bench` on the command line.

use std::path::PathBuf;

use crate::support::api::command;

#[tokio::test(flavor = "multi_thread")]
async fn bench_takes_its_lists_as_its_help_shows_them() {
    let (code, help, _) = command(&["bench", "--help"]).await;
    assert_eq!(code, 0);
    // What stands in the brackets after each list is accepted, as is the same
    // with commas. A component that is not there ends the command before it
    // measures anything.
    let missing = PathBuf::from("/nonexistent/echo.wasm");
    let missing = missing.to_str().expect("text");
    let defaults: Vec<&str> = help
        .split("[default: ")
        .skip(1)
        .filter_map(|rest| rest.split(']').next())
        .filter(|default| {
            default.starts_with(|c: char| c.is_ascii_digit()) && default.contains(' ')
        })
        .collect();
    assert_eq!(defaults.len(), 2, "{help}");
    for (option, default) in ["--in-flight", "--backlog"].into_iter().zip(defaults) {
        for values in [
            default.split(' ').collect::<Vec<_>>(),
            vec![&*default.replace(' ', ",")],
        ] {
            let arguments = [
                &["bench", option][..],
                &values,
                &[
                    "--config",
                    "/nonexistent/flowhost.toml",
                    "--component",
                    missing,
                ],
            ]
            .concat();
            let (code, _, errors) = command(&arguments).await;
            assert!(errors.contains("configuration file"), "{option}: {errors}");
            assert_eq!(code, 2, "{errors}");
        }
    }
}
