//! Which children a running execution waits for, as commands name them.

use clap::Args;
use model::EdgeKind;
use serde_json::{Value, json};

/// Which children are waited for.
#[derive(Debug, Clone, Args)]
pub struct WaitArgs {
    /// A child, by name or id; may repeat [default: all that have not ended]
    #[arg(long = "child", value_name = "NAME")]
    children: Vec<String>,
    /// One of them is enough
    #[arg(long, conflicts_with = "quorum")]
    any: bool,
    /// So many of them are enough
    #[arg(long, value_name = "K")]
    quorum: Option<u32>,
    /// Those that are not needed run on; otherwise they are cancelled
    #[arg(long)]
    let_run: bool,
    /// Which ends count: success_only, on_failure or always [default: always if all are waited
    /// for, else success_only]
    #[arg(long, value_name = "KIND")]
    ends: Option<EdgeKind>,
}

impl WaitArgs {
    /// Returns the members of a request.
    pub fn body(&self) -> Value {
        let rest = if self.let_run {
            "let_run"
        } else {
            "cancel_remaining"
        };
        let policy = match (self.any, self.quorum) {
            (true, _) => Some(json!({"kind": "any_of", "on_satisfied": rest})),
            (_, Some(k)) => Some(json!({"kind": "quorum", "k": k, "on_satisfied": rest})),
            _ => None,
        };
        let children = (!self.children.is_empty()).then_some(&self.children);
        json!({"children": children, "policy": policy, "dependency_kind": self.ends})
    }
}
