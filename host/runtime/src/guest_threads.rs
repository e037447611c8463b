//! Threads of their own for guests.

/// Threads of their own for guests, so that leases, HTTP and database never
/// wait for one.
pub(crate) struct GuestThreads(Option<tokio::runtime::Runtime>);

impl GuestThreads {
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if threads > 0 {
            builder.worker_threads(threads);
        }
        builder
            .thread_name("guest")
            .enable_time()
            .build()
            .map(|runtime| Self(Some(runtime)))
    }

    pub(crate) fn handle(&self) -> tokio::runtime::Handle {
        self.0
            .as_ref()
            .expect("invariant: the threads end with their owner")
            .handle()
            .clone()
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Waiting for guests is not allowed where this may be dropped.
            runtime.shutdown_background();
        }
    }
}
