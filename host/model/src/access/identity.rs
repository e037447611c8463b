//! A caller whose credential was verified, and may be used by many requests.

use std::ops::Deref;
use std::sync::OnceLock;

use super::{Principal, Role, Scope};

/// A principal, with where it may do what. The scope of a role is computed with the first
/// request that wants it, and not again while the credential is remembered.
#[derive(Debug)]
pub struct Identity {
    principal: Principal,
    /// By the number of the role.
    scopes: [OnceLock<Scope>; Role::ALL.len()],
}

impl Identity {
    /// Makes one whose scopes are computed when they are asked for.
    pub fn new(principal: Principal) -> Self {
        Self {
            principal,
            scopes: Default::default(),
        }
    }

    /// Returns where it may do what `wanted` may: see [`Principal::scope`].
    pub fn reach(&self, wanted: Role) -> &Scope {
        self.scopes[wanted as usize].get_or_init(|| self.principal.scope(wanted))
    }
}

/// Two are equal if their principals are: scopes follow from these.
impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.principal == other.principal
    }
}

impl Deref for Identity {
    type Target = Principal;
    fn deref(&self) -> &Principal {
        &self.principal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RoleGrant;

    #[test]
    fn each_role_reaches_as_far_as_its_scope_and_is_computed_once() {
        let grant = |role, namespace: &str| RoleGrant {
            role,
            namespace: Some(namespace.to_owned()),
        };
        let identity = Identity::new(Principal {
            name: Some("key:ci".to_owned()),
            credential_id: None,
            grants: vec![grant(Role::Operator, "a"), grant(Role::Worker, "b")],
        });
        for role in Role::ALL {
            assert_eq!(*identity.reach(*role), identity.scope(*role), "{role}");
            assert!(std::ptr::eq(identity.reach(*role), identity.reach(*role)));
        }
    }
}
