//! Names of interfaces, and the package that this host offers.

/// The package components are built against, and the version offered.
pub const PACKAGE: &str = "flowhost:engine";
/// The version offered. Every `0.1.x` is of one track and fits.
pub const VERSION: &str = "0.1.0";

/// Whether a name is that of an interface of [`PACKAGE`] in the version offered.
pub(crate) fn is_ours(name: &str, wanted: &str) -> bool {
    let (package, interface, version) = split(name);
    package == PACKAGE && interface == wanted && same_track(version)
}

/// Splits `ns:pkg/interface@version`.
pub(super) fn split(name: &str) -> (&str, &str, &str) {
    let (path, version) = name.split_once('@').unwrap_or((name, ""));
    let (package, interface) = path.split_once('/').unwrap_or((path, ""));
    (package, interface, version)
}

pub(super) fn same_track(version: &str) -> bool {
    version
        .strip_prefix("0.1.")
        .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|c| c.is_ascii_digit()))
}
