//! API keys: their bounds, who may make which, and why a request about one is refused.

use crate::{Invalid, Limits, Principal, Refusal, RefusalCode, RoleGrant, Scope, Told};

impl Limits {
    /// Longest name of an API key, in bytes.
    pub const API_KEY_NAME_BYTES_MAX: usize = 64;
    /// Longest time in milliseconds for which the texts of an API key are accepted after a
    /// rotation: 30 days.
    pub const API_KEY_OVERLAP_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
    /// That time unless the caller sets another: 24 hours.
    pub const API_KEY_OVERLAP_MS_DEFAULT: u64 = 24 * 3600 * 1000;
    /// Most texts of one API key that are accepted at a time.
    pub const API_KEY_TEXTS_MAX: usize = 10;
    /// Most audit entries that are read for one page of a list.
    pub const AUDIT_EXAMINED_MAX: i64 = 10_000;
}

/// Returns whether the maker may make a key that holds this: only what the maker may do
/// there too.
pub fn may_grant(maker: &Principal, grant: &RoleGrant) -> bool {
    match (maker.scope(grant.role), &grant.namespace) {
        (Scope::Everywhere, _) => true,
        (Scope::Namespaces(_), None) => false,
        (within, Some(namespace)) => within.holds(namespace),
    }
}

/// Why a request about API keys was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyRefusal {
    /// No such key, or it belongs to a namespace of others.
    #[error("there is no API key {0}")]
    NotFound(String),
    /// A key with that name is accepted.
    #[error("there is an API key `{0}` already; choose another name, or revoke it first")]
    NameTaken(String),
    /// The key is not accepted any more.
    #[error("API key `{0}` was revoked or has expired; create another")]
    Ended(String),
    /// Too many texts of the key are accepted.
    #[error(
        "{max} texts of API key `{0}` are accepted already; wait for the end of one, or rotate with an overlap of 0",
        max = Limits::API_KEY_TEXTS_MAX
    )]
    TooManyTexts(String),
    /// There is an admin's key already, so none is made without one.
    #[error("API key `{0}` is an admin's in every namespace and is accepted: make others with it")]
    AdminExists(String),
    /// The maker does not hold the role there.
    #[error(
        "you may not make a key for the role {role} {place}, which you do not hold there",
        role = .0.role,
        place = place(.0)
    )]
    NotHeld(RoleGrant),
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

fn place(grant: &RoleGrant) -> String {
    match &grant.namespace {
        Some(namespace) => format!("in namespace `{namespace}`"),
        None => "in every namespace".to_owned(),
    }
}

impl Refusal for ApiKeyRefusal {
    fn told(&self) -> Told {
        match self {
            Self::NotFound(_) => RefusalCode::ApiKeyNotFound.alone(),
            Self::NameTaken(_) => RefusalCode::ApiKeyNameTaken.alone(),
            Self::Ended(_) => RefusalCode::ApiKeyEnded.alone(),
            Self::TooManyTexts(_) => RefusalCode::TooManyKeys.alone(),
            Self::AdminExists(_) => RefusalCode::AdminKeyExists.alone(),
            Self::NotHeld(grant) => RefusalCode::RoleNotHeld
                .with("role", grant.role)
                .with("namespace", &grant.namespace),
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;

    fn grant(role: Role, namespace: Option<&str>) -> RoleGrant {
        RoleGrant {
            role,
            namespace: namespace.map(str::to_owned),
        }
    }

    #[test]
    fn a_maker_grants_what_it_holds_where_it_holds_it_and_nothing_else() {
        let maker = Principal {
            name: Some("key:a".into()),
            credential_id: None,
            grants: vec![
                grant(Role::Admin, Some("a")),
                grant(Role::Viewer, Some("b")),
            ],
        };
        for role in Role::ALL {
            assert!(may_grant(&maker, &grant(*role, Some("a"))), "{role}");
            assert!(!may_grant(&maker, &grant(*role, None)), "{role} everywhere");
            let of_b = may_grant(&maker, &grant(*role, Some("b")));
            assert_eq!(of_b, *role == Role::Viewer, "{role} in b");
            assert!(!may_grant(&maker, &grant(*role, Some("c"))), "{role} in c");
            assert!(may_grant(&Principal::anybody(), &grant(*role, None)));
        }
    }
}
