//! Where people log in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where people log in, and as which client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Login {
    /// URL of the OpenID Connect issuer whose tokens this host accepts.
    pub issuer: String,
    /// Id of the client that asks for tokens in the name of people.
    pub client_id: String,
    /// What that client asks for.
    pub scopes: Vec<String>,
    /// The audience that tokens must name.
    pub audience: String,
}
