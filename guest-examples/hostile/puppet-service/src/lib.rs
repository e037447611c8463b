//! A service that does what its inputs say, as JSON: see [`acts`]. Under every
//! later lease of an execution it does what comes then, or completes with `resumed`.

wit_bindgen::generate!({ path: "../../../wit", world: "service" });

#[path = "../../puppet/src/acts.rs"]
mod acts;

use acts::{End, Script, perform_all};
use exports::flowhost::engine::serve::Guest;
use flowhost::engine::claim::{ClaimError, next};
use flowhost::engine::complete::complete;
use flowhost::engine::log::{Level, log};
use flowhost::engine::types::Payload;

struct PuppetService;

impl Guest for PuppetService {
    fn serve() -> Result<(), String> {
        loop {
            let lease = match next(60_000) {
                Ok(Some(lease)) => lease,
                Ok(None) | Err(ClaimError::Unavailable(_)) => continue,
                Err(ClaimError::Draining) => return Ok(()),
                Err(refusal) => return Err(refusal.to_string()),
            };
            let answer = |payload: &Payload| {
                if let Err(refusal) = complete(&lease, payload) {
                    let lost = String::from_utf8_lossy(&payload.data);
                    log(Level::Warn, &format!("{refusal}: {lost}"));
                }
            };
            let later = lease.epoch() > 1;
            let script: Script = match serde_json::from_slice(&lease.task().input.data) {
                Ok(script) => script,
                Err(error) => return Err(error.to_string()),
            };
            if later {
                let acts = script.then.as_deref();
                let said = acts.map_or("resumed".into(), |acts| {
                    perform_all(acts, &lease).join("\n")
                });
                answer(&plain(said));
                continue;
            }
            let answers = perform_all(&script.acts, &lease);
            match script.end {
                End::Completed(result) => answer(&result.payload()),
                End::Answers => answer(&plain(answers.join("\n"))),
                End::Failed(fault) => {
                    // Otherwise it would be dropped, which ends it.
                    std::mem::forget(lease);
                    return Err(fault.failure().message);
                }
                End::Recorded => {}
                End::Panic(text) => panic!("{}", text.text()),
                End::Exit => std::process::exit(3),
            }
        }
    }
}

fn plain(text: String) -> Payload {
    Payload {
        content_type: "text/plain".into(),
        data: text.into_bytes(),
    }
}

export!(PuppetService);
