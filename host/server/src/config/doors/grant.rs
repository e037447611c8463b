//! A role that a setting gives, and where.

use model::{Invalid, Role, RoleGrant};
use serde::{Deserialize, Serialize};

/// A role that a setting gives, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// What may be done: viewer, submitter, worker, approver, operator or admin.
    pub role: Role,
    /// The namespace it is held in; every namespace, and what belongs to none, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl Grant {
    /// Checks the namespace, as a part of the setting `key`.
    pub(super) fn check(&self, key: &'static str) -> Result<(), Invalid> {
        match &self.namespace {
            Some(namespace) => model::namespace_name(namespace)
                .map_err(|invalid| Invalid::new(key, format!("namespace: {}", invalid.detail))),
            None => Ok(()),
        }
    }
}

impl From<&Grant> for RoleGrant {
    fn from(grant: &Grant) -> Self {
        Self {
            role: grant.role,
            namespace: grant.namespace.clone(),
        }
    }
}
