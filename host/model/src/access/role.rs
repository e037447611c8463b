//! Roles, and where each is held.

use crate::wire::named;

named! {
    /// What a credential may do. Labels of the Postgres enum `role`.
    pub enum Role ("role") {
        /// Reads executions, their history, results and waitpoints.
        Viewer = "viewer",
        /// Creates executions, sends signals with a token, and reads.
        Submitter = "submitter",
        /// Registers as a native worker, claims, and acts under its leases; reads nothing
        /// else.
        Worker = "worker",
        /// Approves, rejects and reads.
        Approver = "approver",
        /// Cancels, replays and changes executions, and does what submitters and
        /// approvers do.
        Operator = "operator",
        /// Does everything, among it: components, kinds, lanes, keys and credentials.
        Admin = "admin",
    }
}

impl Role {
    /// Returns whether this role may do what `wanted` may.
    pub const fn covers(self, wanted: Self) -> bool {
        match self {
            Self::Admin => true,
            Self::Operator => !matches!(wanted, Self::Admin | Self::Worker),
            Self::Submitter => matches!(wanted, Self::Submitter | Self::Viewer),
            Self::Approver => matches!(wanted, Self::Approver | Self::Viewer),
            Self::Worker => matches!(wanted, Self::Worker),
            Self::Viewer => matches!(wanted, Self::Viewer),
        }
    }
}

/// A role, and the namespace in which it is held.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoleGrant {
    /// What may be done there.
    pub role: Role,
    /// The namespace; every namespace, and what belongs to none, when absent.
    pub namespace: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_covers_itself_and_only_an_admin_covers_every_role() {
        for role in Role::ALL {
            assert!(role.covers(*role), "{role}");
            let all = Role::ALL.iter().all(|wanted| role.covers(*wanted));
            assert_eq!(all, *role == Role::Admin, "{role}");
        }
        assert!(Role::Operator.covers(Role::Approver));
        assert!(
            !Role::Operator.covers(Role::Worker),
            "a worker holds leases"
        );
        assert!(
            !Role::Worker.covers(Role::Viewer),
            "a worker reads only what it runs"
        );
    }
}
