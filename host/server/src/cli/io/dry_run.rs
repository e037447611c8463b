//! `--dry-run`: asks the host what a request would do, and changes nothing.

use clap::Args;
use reqwest::Method;
use serde::de::DeserializeOwned;

use super::{Answer, Context, Exit, Failure, Request};

/// Whether a command only asks what it would do.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct DryRun {
    /// Only ask what this would do now: the answer and the exit code are the same, and
    /// nothing is changed
    #[arg(id = "dry_run", long = "dry-run")]
    asked: bool,
}

impl DryRun {
    /// Returns the parameters of a query that asks it.
    pub fn query(self) -> Vec<(&'static str, String)> {
        let asks = self.asked.then(|| ("dry_run", "true".to_owned()));
        asks.into_iter().collect()
    }

    /// Sends a request with a body in JSON, or asks what it would do.
    pub async fn send(
        self,
        context: &Context,
        method: Method,
        path: &str,
        body: &impl serde::Serialize,
    ) -> Result<Answer, Failure> {
        let request = Request {
            query: self.query(),
            ..Request::json(body)?
        };
        context.client()?.send(method, path, request).await
    }

    /// Sends such a request and shows the answer: as it is to programs, to people the line
    /// that `say` makes of it.
    pub async fn ask<T: DeserializeOwned>(
        self,
        context: &Context,
        method: Method,
        path: &str,
        body: &impl serde::Serialize,
        say: impl FnOnce(T) -> String,
    ) -> Result<Exit, Failure> {
        let answer = self.send(context, method, path, body).await?;
        context.answered(&answer, |it| self.line(context, &say(it)))
    }

    /// Writes a line for people about what happened, or would have.
    pub fn line(self, context: &Context, text: &str) {
        if self.asked {
            context.line(&format!("dry run: {text}; nothing was changed"));
        } else {
            context.line(text);
        }
    }

    /// Whether nothing is to be changed.
    pub const fn is_asked(self) -> bool {
        self.asked
    }
}
