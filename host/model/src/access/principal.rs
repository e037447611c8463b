//! The caller of a request, as its credential says.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Role, RoleGrant};

/// The caller of a request: a credential that was verified, or anybody where none is asked
/// for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Name of the credential, such as `key:ci` or `oidc:ada@example.com`; absent where none
    /// is asked for. It has no `/`.
    pub name: Option<String>,
    /// Id of an API key; absent for other credentials.
    pub credential_id: Option<Uuid>,
    /// The roles it holds.
    pub grants: Vec<RoleGrant>,
}

/// Where a principal may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// In every namespace, and to what belongs to none.
    Everywhere,
    /// In these namespaces only; in none when empty.
    Namespaces(BTreeSet<String>),
}

impl Principal {
    /// Returns the caller where no credential is asked for: it may do everything, and what it
    /// says of itself is believed.
    pub fn anybody() -> Self {
        Self {
            name: None,
            credential_id: None,
            grants: vec![RoleGrant {
                role: Role::Admin,
                namespace: None,
            }],
        }
    }

    /// Returns where it may do what `wanted` may.
    pub fn scope(&self, wanted: Role) -> Scope {
        let mut namespaces = BTreeSet::new();
        for grant in self.grants.iter().filter(|grant| grant.role.covers(wanted)) {
            match &grant.namespace {
                None => return Scope::Everywhere,
                Some(namespace) => namespaces.insert(namespace.clone()),
            };
        }
        Scope::Namespaces(namespaces)
    }

    /// Returns who is named as having asked: the credential, then what the caller adds
    /// about itself behind a `/`. Where no credential is asked for, the caller's word, or
    /// `unnamed` without one.
    pub fn signs(&self, note: Option<&str>, unnamed: &str) -> String {
        match (&self.name, note) {
            (Some(name), None) => name.clone(),
            (Some(name), Some(note)) => format!("{name}/{note}"),
            (None, note) => note.unwrap_or(unnamed).to_owned(),
        }
    }
}

/// What the names of credentials begin with, by their kind.
const CREDENTIAL_KINDS: [&str; 3] = ["key:", "oidc:", "cert:"];

/// Returns the name of the credential that signed a text, without the note behind it; `None`
/// if none did. See [`Principal::signs`].
pub fn credential_of(signed: &str) -> Option<&str> {
    let name = signed.split('/').next()?;
    let is_credential = CREDENTIAL_KINDS.iter().any(|kind| name.starts_with(kind));
    is_credential.then_some(name)
}

impl Scope {
    /// Returns whether it reaches into a namespace.
    pub fn holds(&self, namespace: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Namespaces(namespaces) => namespaces.contains(namespace),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_what_the_grants_that_cover_the_role_reach() {
        let grant = |role, namespace: Option<&str>| RoleGrant {
            role,
            namespace: namespace.map(str::to_owned),
        };
        let principal = Principal {
            name: Some("key:ci".into()),
            credential_id: None,
            grants: vec![
                grant(Role::Operator, Some("a")),
                grant(Role::Viewer, Some("b")),
                grant(Role::Worker, None),
            ],
        };
        let reads = principal.scope(Role::Viewer);
        assert!(reads.holds("a") && reads.holds("b") && !reads.holds("c"));
        let cancels = principal.scope(Role::Operator);
        assert!(cancels.holds("a") && !cancels.holds("b"));
        assert_eq!(principal.scope(Role::Worker), Scope::Everywhere);
        assert_eq!(
            principal.scope(Role::Admin),
            Scope::Namespaces(BTreeSet::new())
        );
    }

    #[test]
    fn a_caller_adds_to_its_credential_and_never_replaces_it() {
        let mut principal = Principal::anybody();
        assert_eq!(principal.signs(None, "api"), "api");
        assert_eq!(principal.signs(Some("ada"), "api"), "ada");
        principal.name = Some("key:ci".into());
        assert_eq!(principal.signs(None, "api"), "key:ci");
        let signed = principal.signs(Some("key:root"), "api");
        assert_eq!(signed, "key:ci/key:root");
        assert_eq!(credential_of(&signed), Some("key:ci"));
        assert_eq!(credential_of("key:ci"), Some("key:ci"));
        assert_eq!(credential_of("ada/key:ci"), None);
    }
}
