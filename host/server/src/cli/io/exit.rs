//! Exit codes, which only this file assigns. Their table is in `docs/operate.md` and in the
//! help of the program.

use std::process::ExitCode;

use model::PublicState;
use serde::Serialize;

macro_rules! exits {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $meaning:literal;)+) => {
        /// The exit code of a command.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum Exit {
            $($(#[$doc])* $name = $code,)+
        }

        impl Exit {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Says when commands return it.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)+
                }
            }
        }
    };
}

exits! {
    /// The command did what it was asked.
    Ok = 0, "done; with --dry-run: it would be done";
    /// The execution ended without success, but was not cancelled; or a check failed.
    Failed = 1, "the execution that was waited for failed, expired or was skipped; a check of doctor failed; or the receiver of a webhook did not accept a ping";
    /// The command line is not valid.
    Usage = 2, "the command line is not valid; nothing was sent";
    /// What it names does not exist.
    NotFound = 3, "what the command names does not exist";
    /// The host or the database cannot be reached.
    Unavailable = 4, "the host or its database cannot be reached or did not answer in time; repeat the command later";
    /// It conflicts with the state of what it names.
    Conflict = 5, "refused: it conflicts with the present state of what the command names";
    /// The execution was cancelled.
    Cancelled = 6, "the execution that was waited for was cancelled";
    /// The caller has no right to do that.
    Denied = 7, "refused: the credential lacks a role, which the message names, the token gives no right to do this, or the host refuses the caller";
    /// Its output could not be written; what it was asked may have been done.
    Output = 8, "the output could not be written, such as on a full disk; the request may have taken effect, and the message says how to read the result again";
    /// The host refuses what it was given.
    Invalid = 9, "refused: the host accepts no such input in any state, such as a value out of bounds, an unknown kind or too many bytes";
    /// Something else did not work.
    Fault = 10, "something else failed, on the host or here; the message says what";
    /// The time to wait was over.
    Timeout = 11, "the time of --timeout was over; the execution continues";
    /// Some of many items were refused.
    Partial = 12, "some items of a batch were refused, and the others were created";
    /// The host wants a credential.
    Unauthenticated = 13, "refused: the host wants an API key, or does not accept the one that was sent";
    /// A person interrupted it.
    Interrupted = 130, "interrupted by Ctrl-C; a request that was sent may have taken effect, and executions continue";
    /// The reader of its output went away: 128 and the number of `SIGPIPE`, as of a
    /// program that the signal ends.
    Pipe = 141, "the reader of the output went away, as head does";
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// Returns the code for the state an execution ended in; `Ok` before the end.
    pub const fn of_state(state: PublicState) -> Self {
        match state {
            PublicState::Failed | PublicState::Expired | PublicState::Skipped => Self::Failed,
            PublicState::Cancelled => Self::Cancelled,
            _ => Self::Ok,
        }
    }

    /// Returns its name in errors for programs.
    pub fn name(self) -> String {
        let name = serde_json::to_value(self).ok();
        name.and_then(|it| it.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// Returns the table of all codes in `docs/operate.md`.
    pub fn table() -> String {
        let mut table = String::from("| exit code | `code` | |\n|---|---|---|\n");
        for exit in Self::ALL {
            let (number, name) = (*exit as u8, exit.name());
            table.push_str(&format!("| {number} | `{name}` | {} |\n", exit.meaning()));
        }
        table
    }

    /// Returns the list of all codes in the help.
    pub fn help() -> String {
        let mut help = String::from("Exit codes:\n");
        for exit in Self::ALL {
            help.push_str(&format!("  {:>3}  {}\n", *exit as u8, exit.meaning()));
        }
        help
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_their_names_are_distinct() {
        use std::collections::BTreeSet;
        let numbers: BTreeSet<_> = Exit::ALL.iter().map(|exit| *exit as u8).collect();
        let names: BTreeSet<_> = Exit::ALL.iter().map(|exit| exit.name()).collect();
        assert_eq!(numbers.len(), Exit::ALL.len());
        assert_eq!(names.len(), Exit::ALL.len());
        assert!(names.contains("not_found"), "{names:?}");
    }
}
