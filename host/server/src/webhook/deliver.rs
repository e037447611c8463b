//! Takes webhooks that are due and delivers each in a task of its own.

use std::sync::Arc;
use std::time::Duration;

use egress::Client;
use engine::Engine;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::{info, warn};

use super::Figures;
use super::turn::Deliverer;
use crate::config::Webhooks;

/// Pause between two looks for webhooks that are due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Most webhooks that are taken at once.
const TAKE_MAX: usize = 32;
/// How long tries may take to finish at the end. What is not recorded then is sent again.
const END_GRACE: Duration = Duration::from_secs(3);

/// Delivers webhooks until it is stopped.
#[derive(Debug)]
pub struct Deliveries {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Deliveries {
    /// Begins to deliver; `None` for a host that leaves it to others.
    pub fn start(
        engine: &Engine,
        client: Arc<Client>,
        figures: Arc<Figures>,
        settings: &Webhooks,
    ) -> Option<Self> {
        let max = settings.deliveries_max as usize;
        if max == 0 {
            return None;
        }
        let (stop, stopped) = watch::channel(false);
        let deliverer = Deliverer {
            engine: engine.clone(),
            client,
            figures,
            stalled_after: settings.stalled_after(),
            stop: stopped,
        };
        let begin = move || run(deliverer.clone(), max);
        let task = engine.tasks().spawn("webhooks", begin);
        Some(Self { stop, task })
    }

    /// Lets the present tries finish for a moment, and takes no more.
    pub async fn end(mut self) {
        self.stop.send_replace(true);
        let ended = tokio::time::timeout(END_GRACE, &mut self.task);
        if ended.await.is_err() {
            self.task.abort();
        }
    }
}

async fn run(deliverer: Deliverer, max: usize) {
    let permits = Arc::new(Semaphore::new(max));
    let ended = Arc::new(Notify::new());
    // Dropped with this future: turns do not outlive it.
    let mut turns = JoinSet::new();
    let mut stop = deliverer.stop.clone();
    let mut failing = false;
    while !*stop.borrow() {
        let free = permits.available_permits().min(TAKE_MAX);
        if free > 0 {
            let length = deliverer.turn_length();
            match deliverer.engine.take_webhooks(free as u32, length).await {
                Ok(taken) => {
                    if failing {
                        info!("webhooks are delivered again");
                        failing = false;
                    }
                    for turn in taken {
                        let permit = permits.clone().try_acquire_owned();
                        let permit = permit.expect("invariant: no more are taken than are free");
                        let (deliverer, ended) = (deliverer.clone(), ended.clone());
                        turns.spawn(async move {
                            deliverer.run(&turn).await;
                            drop(permit);
                            ended.notify_one();
                        });
                    }
                }
                Err(error) if !failing => {
                    warn!(%error, "webhooks are not delivered");
                    failing = true;
                }
                Err(_) => {}
            }
        }
        while turns.try_join_next().is_some() {}
        tokio::select! {
            () = ended.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
    while turns.join_next().await.is_some() {}
}
