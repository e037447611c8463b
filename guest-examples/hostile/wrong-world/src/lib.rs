//! A valid component that exports a greeting and nothing that a host could call.

wit_bindgen::generate!({ path: "wit", world: "greeter" });

use exports::example::greeter::greet::Guest;

struct Greeter;

impl Guest for Greeter {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }
}

export!(Greeter);
