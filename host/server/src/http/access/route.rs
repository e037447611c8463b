//! The column of the table of routes that says who may use a route: a role, and where the
//! namespace comes from in which the caller must hold it.

use model::Role;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without a credential. The path may carry an authority of its own, as that of
    /// a callback carries a waitpoint token.
    Public,
    /// Callers with a role.
    Wants {
        /// The role, or one that covers it.
        role: Role,
        /// Where it must be held.
        within: Within,
    },
}

/// Where the namespace of a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// From the parameter `namespace`; without it, from the caller's only namespace, or from
    /// the execution in the path. What is elsewhere does not exist for the request.
    Query,
    /// From the body, or for the form without JSON from the query; without it, the caller's
    /// only namespace.
    Body,
    /// From the signed handles in the body. One of another namespace is not valid.
    Handle,
    /// From nowhere: the request is about the whole instance, and wants the role in every
    /// namespace.
    Instance,
    /// From nowhere: the answer belongs to no namespace, and holding the role in any is
    /// enough.
    Any,
}

/// Reads the column of a route, such as `Viewer in query`, or `Public`.
macro_rules! access {
    (Public) => {
        $crate::http::access::Access::Public
    };
    ($role:ident in query) => {
        $crate::http::access::access!(@ $role Query)
    };
    ($role:ident in body) => {
        $crate::http::access::access!(@ $role Body)
    };
    ($role:ident in handle) => {
        $crate::http::access::access!(@ $role Handle)
    };
    ($role:ident in instance) => {
        $crate::http::access::access!(@ $role Instance)
    };
    ($role:ident in any) => {
        $crate::http::access::access!(@ $role Any)
    };
    (@ $role:ident $within:ident) => {
        $crate::http::access::Access::Wants {
            role: model::Role::$role,
            within: $crate::http::access::Within::$within,
        }
    };
}

pub(crate) use access;

impl Within {
    /// Returns the word of the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Body => "body",
            Self::Handle => "handle",
            Self::Instance => "instance",
            Self::Any => "any",
        }
    }

    /// Returns where the role must be held, for people.
    pub const fn place(self) -> &'static str {
        match self {
            Self::Query | Self::Body => "in the namespace of the request",
            Self::Handle => "in the namespace of the handle",
            Self::Instance => "in every namespace",
            Self::Any => "in any namespace",
        }
    }
}
