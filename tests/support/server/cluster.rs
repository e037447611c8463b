//! A database server of one test, which may be killed.

use std::path::Path;

/// A cluster of its own, durable as in production.
pub(crate) fn cluster() -> (pgserver::Cluster, tempfile::TempDir) {
    let folder = tempfile::Builder::new()
        .prefix("flowhost-outage-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .expect("a temporary directory");
    (start(folder.path()), folder)
}

/// Starts the cluster of a folder, or starts it again.
pub(crate) fn start(folder: &Path) -> pgserver::Cluster {
    let mut settings = pgserver::Settings::new(folder);
    settings.cache_dir = pgserver::default_cache_dir().ok();
    pgserver::start(settings).expect("a cluster starts")
}
