//! Components, kinds and routes.

use model::Digest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What publishing did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PublishedComponent {
    /// Its identity.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Whether these bytes were not published before.
    pub new: bool,
    /// What it imports.
    pub imports: Vec<String>,
    /// Kinds routed to it by this request.
    pub kinds: Vec<String>,
}

/// Publishing that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishingComponent {
    /// Its identity.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// What is done now.
    pub state: PublishingState,
    /// Time since it was asked for.
    pub elapsed_ms: u64,
    /// Components that are compiled before it.
    pub ahead: u32,
    /// The one being compiled now, if it waits for that.
    #[schema(value_type = Option<String>)]
    pub behind: Option<Digest>,
}

impl From<runtime::Working> for PublishingComponent {
    fn from(working: runtime::Working) -> Self {
        let compiler = working.compiler;
        Self {
            digest: working.digest,
            state: match compiler {
                Some(compiler) if compiler.compiling => PublishingState::Compiling,
                Some(_) => PublishingState::Queued,
                None => PublishingState::Working,
            },
            elapsed_ms: u64::try_from(working.elapsed.as_millis()).unwrap_or(u64::MAX),
            ahead: compiler.map_or(0, |compiler| compiler.ahead),
            behind: compiler.and_then(|compiler| compiler.behind),
        }
    }
}

/// What is done to publish a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PublishingState {
    /// It waits for the compiler.
    Queued,
    /// It is being compiled.
    Compiling,
    /// It is being checked, stored and routed to.
    Working,
}

/// The components published.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Components {
    /// The components.
    pub components: Vec<Component>,
    /// Those that cannot be shown, by their numbers; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
}

/// A published component.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Number within this instance.
    pub id: i32,
    /// Its identity: `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Its size in bytes.
    pub size: i64,
    /// World it targets.
    pub world: String,
    /// What it imports.
    pub imports: Vec<String>,
    /// When it was published first.
    #[schema(format = DateTime)]
    pub published_at: String,
}

/// The kinds there are.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Kinds {
    /// The kinds.
    pub kinds: Vec<Kind>,
    /// Kinds of which a route cannot be shown, by their names; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
}

/// A kind and what serves it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// Since when it is known.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Components that serve it; none for kinds of outside workers.
    pub routes: Vec<Route>,
}

/// A component that serves a kind.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Number of the component within this instance.
    pub component_id: i32,
    /// Its identity.
    pub digest: String,
    /// Its share, 0 to 10000.
    pub weight: u32,
}

/// A kind to define; it has no settings yet.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefineKind {}

/// What defining a kind did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DefinedKind {
    /// The kind.
    pub name: String,
    /// Whether it was not known before.
    pub new: bool,
}

/// The routes a kind shall have instead of those it has.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRoutes {
    /// The routes.
    pub routes: Vec<SetRoute>,
}

/// One of them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRoute {
    /// A published component.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Its share, 0 to 10000; 1 when absent.
    #[serde(default = "one")]
    pub weight: u32,
}

const fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;

    #[test]
    fn components_and_kinds_fit_their_schemas() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let row = engine::ComponentRow {
            id: 1,
            digest: Digest([0; 32]),
            size: 1,
            world: "handler".into(),
            imports: vec![],
            published_at: at,
        };
        let kind = engine::Kind {
            name: "k".into(),
            created_at: at,
            routes: vec![engine::Route {
                component_id: 1,
                digest: Digest([0; 32]),
                weight: 1,
            }],
        };
        let text = serde_json::to_string(&row).expect("writes");
        serde_json::from_str::<Component>(&text).expect("fits");
        let text = serde_json::to_string(&kind).expect("writes");
        serde_json::from_str::<Kind>(&text).expect("fits");
    }
}
