//! Follows the attempts at an execution, one after the other, until it has ended.
//!
//! Each request asks for what comes after the place of the answer before, so a connection
//! that breaks costs nothing and repeats nothing, whichever host answers next.

use model::{ExecutionId, RefusalCode};
use serde::de::DeserializeOwned;

use crate::api::{Execution, WAIT_MS_MAX};
use crate::cli::execution::watch::retried;
use crate::cli::io::{
    Client, Context, Exit, Failure, escape, interruptible, output_loss, to_stderr,
};

/// How long one request waits for an attempt that has told nothing yet: it may be that the
/// execution ends without it.
const FRESH_MS: u32 = 2_000;
/// The code of a problem about an attempt that the execution ended without.
const NEVER_MADE: &str = RefusalCode::AttemptNotFound.as_str();
/// The place before everything that an attempt tells.
pub const BEGINNING: &str = "0-0";

/// What is read of attempts, page by page.
pub trait Told {
    /// A page.
    type Page: DeserializeOwned;
    /// Name of the list behind the path of the attempt, such as `stream`.
    const LIST: &'static str;
    /// Most items of a page, if a request says so.
    const LIMIT: Option<&'static str>;

    /// Shows a page; returns how it ends.
    ///
    /// # Errors
    /// It holds what cannot be shown.
    fn show(&mut self, context: &Context, attempt: u32, page: Self::Page) -> Result<End, Failure>;

    /// Notes that nothing more of the attempt is shown.
    fn ended(&mut self) {}
}

/// How a page ends.
#[derive(Default)]
pub struct End {
    /// The place of the last item; absent on a page without any.
    pub cursor: Option<String>,
    /// Whether more can be read now.
    pub more: bool,
    /// How the attempt ended, if it did.
    pub closed: Option<String>,
}

/// Which attempt is followed, and where the reader is.
pub struct Follower<'c, T> {
    pub context: &'c Context,
    pub client: Client,
    pub id: ExecutionId,
    /// The attempt that is followed.
    pub attempt: u32,
    /// Whether the caller named it, and not the command.
    pub named: bool,
    /// The place up to which it was shown.
    pub after: String,
    /// The list that is read, and how it is shown.
    pub told: T,
}

/// Returns an execution as it is now.
pub async fn execution(client: &Client, id: ExecutionId) -> Result<Execution, Failure> {
    let path = format!("/v1/executions/{id}");
    client.get(&path, Vec::new()).await?.read()
}

/// Returns the attempt to read: the one that is named, or else the one that began last.
pub async fn chosen(client: &Client, id: ExecutionId, named: Option<u32>) -> Result<u32, Failure> {
    match named {
        Some(attempt) => Ok(attempt),
        None => Ok(execution(client, id).await?.attempts.saturating_sub(1)),
    }
}

impl<T: Told> Follower<'_, T> {
    /// Follows until the execution has ended; returns the exit code of its outcome.
    pub async fn run(mut self) -> Result<Exit, Failure> {
        // A host that is not there at the beginning is a mistake.
        let first = self.read(None).await;
        let followed = match first {
            Ok(first) => interruptible(self.follow(first)).await,
            Err(failure) => Err(failure),
        };
        self.told.ended();
        if let Err(Failure {
            exit: Exit::Interrupted | Exit::Unavailable,
            ..
        }) = &followed
        {
            self.say_where();
        }
        followed
    }

    async fn follow(&mut self, first: End) -> Result<Exit, Failure> {
        let mut end = first;
        let mut fresh = true;
        let mut ended: Option<Execution> = None;
        loop {
            if output_loss().is_some() {
                return Ok(Exit::Ok);
            }
            fresh &= end.cursor.is_none();
            if end.more {
                end = self.read(Some(0)).await?;
                continue;
            }
            let open = end.closed.is_none() && ended.is_none();
            if open && !fresh {
                end = self.read(Some(WAIT_MS_MAX)).await?;
                continue;
            }
            let now = match ended.take() {
                Some(ended) => ended,
                None => self.now().await?,
            };
            let over = now.public_state.is_terminal();
            if open {
                // Once more: what was told before its end comes before the next attempt.
                end = self.read(Some(if over { 0 } else { FRESH_MS })).await?;
                ended = over.then_some(now);
                continue;
            }
            if over && now.attempts <= self.attempt.saturating_add(1) {
                return Ok(Exit::of_state(now.public_state));
            }
            self.advance(end.closed.as_deref());
            ended = over.then_some(now);
            fresh = true;
            end = self.read(Some(0)).await?;
        }
    }

    /// Goes to the next attempt, and says so.
    fn advance(&mut self, closed: Option<&str>) {
        let how = closed.unwrap_or("without an end");
        self.told.ended();
        let next = self.attempt + 1;
        if !self.context.json {
            let (attempt, how) = (self.attempt, escape(how));
            to_stderr(&format!(
                "attempt {attempt} ended ({how}); attempt {next} follows"
            ));
        }
        self.attempt = next;
        self.named = false;
        self.after = BEGINNING.to_owned();
    }

    async fn now(&self) -> Result<Execution, Failure> {
        let path = format!("/v1/executions/{}", self.id);
        let answer = retried(|| self.client.get(&path, Vec::new())).await?;
        answer.read()
    }

    /// Reads and shows a page, which is waited for; the first one also asks only once.
    pub async fn read(&mut self, wait_ms: Option<u32>) -> Result<End, Failure> {
        let (id, attempt, list) = (self.id, self.attempt, T::LIST);
        let path = format!("/v1/executions/{id}/attempts/{attempt}/{list}/tail");
        let wait = wait_ms.unwrap_or(0).to_string();
        let mut query = vec![("after", self.after.clone()), ("wait_ms", wait)];
        query.extend(T::LIMIT.map(|limit| ("limit", limit.to_owned())));
        let answer = match wait_ms {
            None => self.client.get(&path, query).await,
            Some(_) => retried(|| self.client.get(&path, query.clone())).await,
        };
        let answer = match answer {
            // The execution ended without it.
            Err(failure) if failure.code() == Some(NEVER_MADE) && !self.named => {
                return Ok(End::default());
            }
            answered => answered?,
        };
        // From here to the end nothing waits, so an interruption comes before or after.
        let end = self.told.show(self.context, attempt, answer.read()?)?;
        if let Some(cursor) = &end.cursor {
            self.after.clone_from(cursor);
        }
        Ok(end)
    }

    /// Says how to continue where it ended.
    fn say_where(&self) {
        if !self.context.json {
            let (attempt, after) = (self.attempt, escape(&self.after));
            to_stderr(&format!(
                "continue with --attempt {attempt} --after {after}"
            ));
        }
    }
}
