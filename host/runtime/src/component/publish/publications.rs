//! The components this host publishes, and what came of the latest ones.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{Engine, NewComponent, RouteRefusal};
use model::{Digest, Refusal, Told};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::component::Error;
use crate::component::compile::CompileProgress;
use crate::component::inspect::{Inspected, PublishRefusal};
use crate::component::registry::{ComponentSource, Registry};

/// Most components being published at once.
const PUBLISHING_MAX: usize = 64;
/// Most bytes of them; a single one may have more.
const PUBLISHING_BYTES_MAX: usize = 256 << 20;
/// Most ends of publishing remembered.
const ENDS_MAX: usize = 256;

/// What publishing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Digest of the component.
    pub digest: Digest,
    /// Whether these bytes were not published before.
    pub new: bool,
    /// Names of the interfaces it imports, sorted.
    pub imports: Vec<String>,
    /// Kinds that are routed to it now by this request.
    pub kinds: Vec<String>,
}

/// Why a component was not published, or not routed to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPublished {
    /// The component is refused.
    #[error(transparent)]
    Component(#[from] PublishRefusal),
    /// It is published, but a kind could not be routed to it.
    #[error(transparent)]
    Route(#[from] RouteRefusal),
}

impl Refusal for NotPublished {
    fn told(&self) -> Told {
        match self {
            Self::Component(refusal) => refusal.told(),
            Self::Route(refusal) => refusal.told(),
        }
    }
}

/// How publishing ended.
pub type PublishEnd = Arc<Result<Result<Published, NotPublished>, Error>>;

/// How far publishing a component is.
#[derive(Debug, Clone)]
pub enum Publication {
    /// It has not ended.
    InProgress(PublishProgress),
    /// It has ended, in one way or another.
    Ended(PublishEnd),
}

/// Publishing that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishProgress {
    /// Digest of the component that is being published.
    pub digest: Digest,
    /// Time since it was asked for.
    pub elapsed: Duration,
    /// How far the compiler is; `None` before and after.
    pub compiler: Option<CompileProgress>,
}

/// The components this host publishes now, and the ends of the latest ones.
pub(crate) struct Publications {
    engine: Engine,
    registry: Arc<Registry>,
    jobs: Mutex<Jobs>,
}

#[derive(Default)]
struct Jobs {
    working: HashMap<Digest, Arc<Job>>,
    ended: VecDeque<(Digest, PublishEnd)>,
}

struct Job {
    since: Instant,
    bytes: usize,
    /// Kinds and weights that are yet to be routed.
    routes: Mutex<Vec<(String, u32)>>,
    task: Mutex<Option<AbortHandle>>,
    end: watch::Sender<Option<PublishEnd>>,
}

impl Publications {
    pub(crate) fn new(engine: Engine, registry: Arc<Registry>) -> Self {
        Self {
            engine,
            registry,
            jobs: Mutex::default(),
        }
    }

    /// Begins to publish a component that was inspected, or joins the task that
    /// does; each of `routes` is a kind and the weight its route shall have.
    pub(crate) fn begin(
        self: &Arc<Self>,
        inspected: Inspected,
        bytes: Arc<[u8]>,
        routes: Vec<(String, u32)>,
    ) -> Result<(), Error> {
        let digest = inspected.digest;
        let mut jobs = self.jobs.lock();
        if let Some(job) = jobs.working.get(&digest) {
            job.routes.lock().extend(routes);
            return Ok(());
        }
        let busy: usize = jobs.working.values().map(|job| job.bytes).sum();
        let full = jobs.working.len() >= PUBLISHING_MAX
            || busy > 0 && busy.saturating_add(bytes.len()) > PUBLISHING_BYTES_MAX;
        if full {
            return Err(Error::Busy {
                components: jobs.working.len(),
            });
        }
        // The end of an earlier try does not answer this one.
        jobs.ended.retain(|(ended, _)| *ended != digest);
        let job = Arc::new(Job {
            since: Instant::now(),
            bytes: bytes.len(),
            routes: Mutex::new(routes),
            task: Mutex::default(),
            end: watch::Sender::new(None),
        });
        jobs.working.insert(digest, job.clone());
        let guard = JobGuard {
            publications: self.clone(),
            job: job.clone(),
            digest,
        };
        let task = tokio::spawn(guard.run(inspected, bytes));
        *job.task.lock() = Some(task.abort_handle());
        Ok(())
    }

    /// Returns how far publishing a component is, waiting up to `wait_max`
    /// for its end; `None` if this host does not publish it and did not lately.
    pub(crate) async fn wait(&self, digest: &Digest, wait_max: Duration) -> Option<Publication> {
        let job = {
            let jobs = self.jobs.lock();
            let Some(job) = jobs.working.get(digest) else {
                let ended = jobs.ended.iter().find(|(ended, _)| ended == digest);
                return ended.map(|(_, end)| Publication::Ended(end.clone()));
            };
            job.clone()
        };
        let mut end = job.end.subscribe();
        // `job` owns the sender, so this returns at the end or when the time is over.
        let _ = tokio::time::timeout(wait_max, end.wait_for(Option::is_some)).await;
        let end = job.end.borrow().clone();
        Some(match end {
            Some(end) => Publication::Ended(end),
            None => Publication::InProgress(PublishProgress {
                digest: *digest,
                elapsed: job.since.elapsed(),
                compiler: self.registry.progress(digest),
            }),
        })
    }

    /// Returns how many components are being published.
    pub(crate) fn working(&self) -> usize {
        self.jobs.lock().working.len()
    }

    /// Ends what is being published.
    pub(crate) fn close(&self) {
        let working: Vec<_> = self.jobs.lock().working.values().cloned().collect();
        for job in working {
            if let Some(task) = job.task.lock().take() {
                task.abort();
            }
        }
    }

    async fn publish(
        &self,
        inspected: Inspected,
        bytes: Arc<[u8]>,
    ) -> Result<Result<Published, NotPublished>, Error> {
        let digest = inspected.digest;
        let source = ComponentSource::Bytes(bytes.clone());
        if let Err(error) = self.registry.load(digest, source).await {
            return Ok(Err(error.refusal()?.into()));
        }
        let component = NewComponent {
            digest,
            bytes: bytes.to_vec(),
            world: inspected.world.to_owned(),
            imports: inspected.imports,
        };
        let (row, new) = self.engine.publish(component).await?;
        Ok(Ok(Published {
            digest,
            new,
            imports: row.imports,
            kinds: Vec::new(),
        }))
    }

    /// Routes kinds to a component that is published.
    async fn route(
        &self,
        published: &mut Published,
        routes: Vec<(String, u32)>,
    ) -> Result<Result<(), NotPublished>, Error> {
        for (kind, weight) in routes {
            let routed = self.engine.route(&kind, vec![(published.digest, weight)]);
            if let Err(declined) = routed.await {
                return Ok(Err(declined.refusal()?.into()));
            }
            if !published.kinds.contains(&kind) {
                published.kinds.push(kind);
            }
        }
        Ok(Ok(()))
    }
}

/// Ends a job when dropped, also if its task was aborted or panicked.
struct JobGuard {
    publications: Arc<Publications>,
    job: Arc<Job>,
    digest: Digest,
}

impl JobGuard {
    async fn run(self, inspected: Inspected, bytes: Arc<[u8]>) {
        let publications = self.publications.clone();
        let mut end = publications.publish(inspected, bytes).await;
        while let Ok(Ok(published)) = &mut end {
            // Requests join as long as there is something left to route: the
            // last look and the end are one step.
            let Some(routes) = self.routes_or_end(published) else {
                return;
            };
            match publications.route(published, routes).await {
                Ok(Ok(())) => {}
                Ok(Err(refusal)) => end = Ok(Err(refusal)),
                Err(error) => end = Err(error),
            }
        }
        self.finish(&mut publications.jobs.lock(), end);
    }

    /// Takes what is to be routed, or ends the job if nothing is.
    fn routes_or_end(&self, published: &Published) -> Option<Vec<(String, u32)>> {
        let mut jobs = self.publications.jobs.lock();
        let routes = std::mem::take(&mut *self.job.routes.lock());
        if !routes.is_empty() {
            return Some(routes);
        }
        self.finish(&mut jobs, Ok(Ok(published.clone())));
        None
    }

    fn finish(&self, jobs: &mut Jobs, end: Result<Result<Published, NotPublished>, Error>) {
        if jobs.working.remove(&self.digest).is_none() {
            return;
        }
        let end = Arc::new(end);
        if jobs.ended.len() >= ENDS_MAX {
            jobs.ended.pop_front();
        }
        jobs.ended.push_back((self.digest, end.clone()));
        self.job.end.send_replace(Some(end));
    }
}

impl Drop for JobGuard {
    fn drop(&mut self) {
        let why = "the host ended before the component was published; publish it again";
        let end = Err(Error::Unavailable(why.to_owned()));
        self.finish(&mut self.publications.jobs.lock(), end);
    }
}
