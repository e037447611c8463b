//! Which executions `list` and `watch` show.

use std::time::Duration;

use clap::Args;
use model::{Moment, PublicState};
use time::OffsetDateTime;

use crate::cli::io::{Context, Failure};
use crate::duration;

/// Filters of `list` and `watch`: executions for which all hold.
#[derive(Debug, Clone, Args)]
pub struct FilterArgs {
    /// Only those in this state, such as failed, or in one of several: failed,expired
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<PublicState>,
    /// Only those of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only those in this lane
    #[arg(long, value_name = "LANE")]
    lane: Option<String>,
    /// Only those in this namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Only those with this label, owner.name=value
    #[arg(long, value_name = "K=V")]
    tag: Option<String>,
    /// Only those whose creator gave this name
    #[arg(long, value_name = "NAME")]
    creator: Option<String>,
    /// Only those created since then: a time, or how long ago, such as 1h
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    since: Option<When>,
    /// Only those created before then
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    until: Option<When>,
    /// Only those that finished since then, the last finished first
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    finished_since: Option<When>,
    /// Only those that finished before then, the last finished first
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    finished_until: Option<When>,
}

/// A point in time on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// This time.
    At(Moment),
    /// So long ago.
    Ago(Duration),
}

impl When {
    /// Reads a time, or how long ago.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        duration::parse(text).map(Self::Ago).map_err(|_| {
            format!(
                "`{}` is neither a time, such as 2030-01-31T12:00:00Z, nor how long ago, such as 90s, 1h or 7d",
                text.chars().take(40).collect::<String>()
            )
        })
    }

    /// Returns the time as the API reads it.
    pub fn text(self) -> String {
        match self {
            Self::At(at) => at.to_string(),
            Self::Ago(ago) => {
                let at = now() - ago;
                // A clock before 1970 has no such time; nothing is older.
                Moment::new(at)
                    .map_or_else(|_| "1970-01-01T00:00:00Z".to_owned(), |at| at.to_string())
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the user counts back from what this clock shows"
)]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Returns the parameter of the API for a label written `owner.name=value`.
pub fn tag_query(tag: &str) -> Result<(&'static str, String), Failure> {
    match tag.split_once('=') {
        Some((key, value)) => Ok(("tag", format!("{key}:{value}"))),
        None => Err(Failure::usage(format!(
            "--tag {tag}: write owner.name=value"
        ))),
    }
}

impl FilterArgs {
    /// Returns the parameters of the API.
    pub fn query(&self, context: &Context) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut query = Vec::new();
        let states: Vec<_> = self.state.iter().map(|state| state.as_str()).collect();
        if !states.is_empty() {
            query.push(("state", states.join(",")));
        }
        for (name, value) in [
            ("kind", &self.kind),
            ("lane", &self.lane),
            ("namespace", &context.namespace(self.namespace.clone())),
            ("creator", &self.creator),
        ] {
            query.extend(value.clone().map(|value| (name, value)));
        }
        for (name, when) in [
            ("created_after", self.since),
            ("created_before", self.until),
            ("finished_after", self.finished_since),
            ("finished_before", self.finished_until),
        ] {
            query.extend(when.map(|when| (name, when.text())));
        }
        if let Some(tag) = &self.tag {
            query.push(tag_query(tag)?);
        }
        Ok(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_given_or_counted_back() {
        let at = "2030-01-31T12:00:00Z";
        let given = When::parse(at).expect("a time");
        assert_eq!(given.text(), at);
        let ago = When::parse("1h").expect("a duration");
        let read: Moment = ago.text().parse().expect("a time");
        let hour = now() - read.utc();
        assert!((3600..3700).contains(&hour.whole_seconds()), "{hour}");
        for wrong in ["", "yesterday", "5", "-1h", "2030-01-31"] {
            assert!(When::parse(wrong).is_err(), "{wrong}");
        }
    }
}
