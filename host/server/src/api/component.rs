//! Components, kinds and the routes between them.

use model::Digest;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use super::answer::{answers, pages};

/// What publishing a component did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PublishedComponent {
    /// Identity of the component: `sha256:` and 64 hexadecimal digits.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Whether these bytes were not published before.
    pub new: bool,
    /// Interfaces the component imports.
    pub imports: Vec<String>,
    /// Kinds routed to it by this request.
    pub kinds: Vec<String>,
}

/// How far publishing a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishingComponent {
    /// Identity of the component: `sha256:` and 64 hexadecimal digits.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The step that is being done.
    pub state: PublishingState,
    /// Milliseconds since the first request for it.
    pub elapsed_ms: u64,
    /// Number of components that are compiled before it.
    pub ahead: u32,
    /// The component being compiled now; null unless this one waits for it.
    #[schema(value_type = Option<String>)]
    pub behind: Option<Digest>,
}

impl From<runtime::PublishProgress> for PublishingComponent {
    fn from(working: runtime::PublishProgress) -> Self {
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

/// A step of publishing a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PublishingState {
    /// It waits for the compiler.
    Queued,
    /// It is being compiled.
    Compiling,
    /// It is being checked and stored, and kinds are routed to it.
    Working,
}

pages! {
    /// A page of the components that were published.
    Components of engine::ComponentRow {
        /// The components, the last published first.
        components: Vec<Component>,
    }

    /// A page of the kinds that executions can be created with.
    Kinds of engine::Kind {
        /// The kinds, by name.
        kinds: Vec<Kind>,
    }
}

answers! {
    /// A component that was published.
    Component(row: engine::ComponentRow) {
        /// Number of the component within this instance.
        id: i32,
        /// Identity of the component: `sha256:` and 64 hexadecimal digits.
        digest: Digest as String,
        /// Size of the component in bytes.
        size: i64,
        /// WIT world that it targets.
        world: String,
        /// Interfaces the component imports.
        imports: Vec<String>,
        /// Time it was published first.
        #[serde(with = "rfc3339")]
        published_at: OffsetDateTime,
    }

    /// A kind and the components that serve it.
    Kind(kind: engine::Kind) {
        /// Name of the kind.
        name: String,
        /// Time it was defined.
        #[serde(with = "rfc3339")]
        created_at: OffsetDateTime,
        /// Components that serve it; none for kinds of native workers.
        routes: Vec<Route> = kind.routes.into_iter().map(Into::into).collect(),
    }

    /// A component that serves a kind.
    Route(route: engine::Route) {
        /// Number of the component within this instance.
        component_id: i32,
        /// Identity of the component: `sha256:` and 64 hexadecimal digits.
        digest: Digest as String,
        /// Its share of the executions, 0 to 10000, against that of other routes.
        weight: u32,
    }
}

/// A kind to define; it has no settings.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefineKind {}

/// What defining a kind did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DefinedKind {
    /// Name of the kind.
    pub name: String,
    /// Whether it was not defined before.
    pub new: bool,
}

/// The routes of a kind; they replace those it has.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRoutes {
    /// The routes; none when no component is to serve the kind.
    pub routes: Vec<SetRoute>,
}

/// A route to set.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRoute {
    /// A component that was published.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Its share of the executions, 0 to 10000, against that of other routes; 1 when
    /// absent.
    #[serde(default = "one")]
    pub weight: u32,
}

const fn one() -> u32 {
    1
}
