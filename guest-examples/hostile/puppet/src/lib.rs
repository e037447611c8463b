//! A handler that does what its input says, as JSON: see [`acts`]. Under every
//! later lease of the execution it does what comes then, or completes with `resumed`.

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

mod acts;

use acts::{End, Script, perform_all};
use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::current;
use flowhost::engine::types::{FailureClass, Payload};

struct Puppet;

impl Guest for Puppet {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let lease = current();
        let later = lease.epoch() > 1;
        let script: Script = serde_json::from_slice(&task.input.data).map_err(|error| Failure {
            class: FailureClass::Permanent,
            code: "bad_input".into(),
            message: error.to_string(),
        })?;
        if later {
            let acts = script.then.as_deref();
            let said = acts.map_or("resumed".into(), |acts| {
                perform_all(acts, &lease).join("\n")
            });
            return Ok(Outcome::Completed(plain(said)));
        }
        let answers = perform_all(&script.acts, &lease);
        match script.end {
            End::Completed(result) => Ok(Outcome::Completed(result.payload())),
            End::Answers => Ok(Outcome::Completed(plain(answers.join("\n")))),
            End::Failed(fault) => Err(fault.failure()),
            End::Recorded => Ok(Outcome::Recorded),
            End::Panic(text) => panic!("{}", text.text()),
            End::Exit => std::process::exit(3),
        }
    }
}

fn plain(text: String) -> Payload {
    Payload {
        content_type: "text/plain".into(),
        data: text.into_bytes(),
    }
}

export!(Puppet);
