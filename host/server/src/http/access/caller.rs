//! The caller of a request: the extractor of handlers.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use model::{Identity, Invalid, Limits, Principal, Role, Scope, ensure};

use crate::http::problem::{Code, Problem};

/// The actor of a request that names none, where no credential is required.
const ACTOR_DEFAULT: &str = "api";

/// The caller of a request, and where it may do what the route does; cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Reach>);

/// Where the caller of one request may do what its route does.
#[derive(Debug)]
struct Reach {
    identity: Arc<Identity>,
    address: Option<IpAddr>,
    /// The role that the route wants.
    role: Role,
    /// The namespace the request is bound to; `Some(None)` is any.
    bound: Option<Option<String>>,
    /// Whether the handler asked where it may act.
    used: AtomicBool,
}

impl Caller {
    /// Builds the caller of a route that wants `role`.
    pub(super) fn new(identity: Arc<Identity>, address: Option<IpAddr>, role: Role) -> Self {
        Self(Arc::new(Reach {
            identity,
            address,
            role,
            bound: None,
            used: AtomicBool::new(false),
        }))
    }

    /// Returns the credential and its roles.
    pub fn principal(&self) -> &Principal {
        &self.0.identity
    }

    /// Returns where the request came from; absent if the connection does not tell.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.0.address
    }

    /// Binds the request to a namespace, or to any.
    pub(super) fn bind(&mut self, namespace: Option<String>) {
        let reach = Arc::get_mut(&mut self.0);
        let reach = reach.expect("invariant: a caller is bound before a handler has it");
        reach.bound = Some(namespace);
        // What was asked so far, the handler did not ask.
        reach.used = AtomicBool::new(false);
    }

    /// Returns the namespace in which the request acts, by the one it names: that one, the
    /// only one it may be, or `None` for any.
    ///
    /// # Errors
    /// The caller does not hold the role there, or must say which of several it means.
    pub fn within(&self, named: Option<&str>) -> Result<Option<String>, Problem> {
        let only = || match self.only() {
            Some(only) => Ok(Some(only.to_owned())),
            None => Err(Problem::namespace_required(self.0.role, self.reached())),
        };
        match (named, self.scope()) {
            (Some(named), scope) if scope.holds(named) => Ok(Some(named.to_owned())),
            (Some(named), _) => Err(self.lacks(Some(named))),
            (None, Scope::Everywhere) => Ok(None),
            (None, Scope::Namespaces(_)) => only(),
        }
    }

    /// Returns the only namespace of the scope, if it has one.
    fn only(&self) -> Option<&str> {
        match self.reached() {
            Scope::Namespaces(namespaces) if namespaces.len() == 1 => {
                namespaces.first().map(String::as_str)
            }
            _ => None,
        }
    }

    /// Returns where the caller holds the role of the route.
    pub fn scope(&self) -> &Scope {
        self.0.used.store(true, Ordering::Relaxed);
        self.reached()
    }

    /// Returns the same, and does not count as having asked.
    fn reached(&self) -> &Scope {
        self.0.identity.reach(self.0.role)
    }

    /// Returns whether the caller holds the role of the route somewhere.
    pub(super) fn holds_somewhere(&self) -> bool {
        match self.reached() {
            Scope::Everywhere => true,
            Scope::Namespaces(namespaces) => !namespaces.is_empty(),
        }
    }

    /// Returns the namespace the request is bound to, or `None` for any.
    ///
    /// # Panics
    /// The line of the route does not say that its namespace is in the query.
    pub fn bound(&self) -> Option<String> {
        self.0.used.store(true, Ordering::Relaxed);
        let bound = self.0.bound.clone();
        bound.expect("invariant: a route that takes `namespace` says so in the table of routes")
    }

    /// Returns whether the handler asked where it may act.
    pub(super) fn was_asked(&self) -> bool {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Returns whether the caller may act in some namespaces only.
    pub fn is_confined(&self) -> bool {
        *self.reached() != Scope::Everywhere
    }

    /// Returns the only namespaces, if there are any, to which the answer is confined.
    pub fn confined_to(&self) -> Option<String> {
        let Scope::Namespaces(scope) = self.reached() else {
            return None;
        };
        match &self.0.bound {
            Some(bound) => bound.clone(),
            None => {
                let names: Vec<&str> = scope.iter().map(String::as_str).collect();
                Some(names.join(","))
            }
        }
    }

    /// Returns the name of the credential; absent where none is required.
    pub fn credential(&self) -> Option<&str> {
        self.principal().name.as_deref()
    }

    /// Returns the name that an execution's creator is recorded by; absent if neither the
    /// credential nor the caller gives one.
    ///
    /// # Errors
    /// What the caller adds about itself does not fit behind the name of the credential.
    pub fn creator(&self, note: Option<&str>) -> Result<Option<String>, Invalid> {
        if note.is_none() && self.credential().is_none() {
            return Ok(None);
        }
        self.signs("creator", note, "").map(Some)
    }

    /// Returns the name of the actor that is recorded with a verb.
    ///
    /// # Errors
    /// What the caller adds about itself is empty, or does not fit behind the name of the
    /// credential.
    pub fn actor(&self, note: Option<&str>) -> Result<String, Invalid> {
        ensure("actor", note != Some(""), || "must not be empty".to_owned())?;
        self.signs("actor", note, ACTOR_DEFAULT)
    }

    /// Returns the credential with what the caller adds about itself, which is in `field`:
    /// see [`Principal::signs`].
    ///
    /// # Errors
    /// Together they have more than 255 bytes. The name of a credential alone never has.
    pub fn signs(
        &self,
        field: &'static str,
        note: Option<&str>,
        unnamed: &str,
    ) -> Result<String, Invalid> {
        let signed = self.principal().signs(note, unnamed);
        if let (Some(name), Some(note)) = (self.credential(), note) {
            ensure(field, signed.len() <= Limits::ACTOR_BYTES_MAX, || {
                let left = Limits::ACTOR_BYTES_MAX - name.len() - 1;
                let bytes = note.len();
                format!(
                    "has {bytes} bytes; behind the credential `{name}` at most {left} are recorded"
                )
            })?;
        }
        Ok(signed)
    }

    /// Builds the problem of a role that the caller does not hold in a namespace, or in
    /// every one.
    pub(super) fn lacks(&self, namespace: Option<&str>) -> Problem {
        Problem::role_missing(self.credential(), self.0.role, namespace)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        Ok(caller.expect("invariant: routes with a caller are not public"))
    }
}

impl Problem {
    /// Builds the problem of a request whose credential is missing or not valid, without
    /// saying which.
    pub fn unauthenticated() -> Self {
        Self::new(
            Code::Unauthenticated,
            "send a valid credential: `Authorization: Bearer KEY`",
        )
    }

    /// Builds the problem of a role that the caller does not hold in a namespace, or in
    /// every one.
    pub fn role_missing(credential: Option<&str>, role: Role, namespace: Option<&str>) -> Self {
        let credential = credential.unwrap_or_default();
        let place = match namespace {
            Some(namespace) => format!("in namespace `{namespace}`"),
            None => "where this request needs it".to_owned(),
        };
        Self::new(
            Code::RoleMissing,
            format!("`{credential}` does not have the role {role} {place}"),
        )
        .with("role", role.as_str())
        .with("namespace", namespace)
    }

    fn namespace_required(role: Role, scope: &Scope) -> Self {
        let namespaces: Vec<&str> = match scope {
            Scope::Everywhere => Vec::new(),
            Scope::Namespaces(namespaces) => namespaces.iter().map(String::as_str).collect(),
        };
        Self::new(
            Code::NamespaceRequired,
            format!("name one of the namespaces in which you have the role {role}"),
        )
        .with("role", role.as_str())
        .with("namespaces", namespaces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::RoleGrant;

    fn caller(namespaces: &[&str]) -> Caller {
        let grants = namespaces.iter().map(|namespace| RoleGrant {
            role: Role::Submitter,
            namespace: Some((*namespace).to_owned()),
        });
        let principal = Principal {
            name: Some("key:ci".to_owned()),
            credential_id: None,
            grants: grants.collect(),
        };
        Caller::new(Arc::new(Identity::new(principal)), None, Role::Submitter)
    }

    #[test]
    fn a_request_acts_in_the_namespace_it_names_or_in_the_only_one_it_may() {
        let one = caller(&["a"]);
        assert_eq!(one.within(None), Ok(Some("a".to_owned())));
        assert_eq!(one.within(Some("a")), Ok(Some("a".to_owned())));
        let refused = one.within(Some("b")).expect_err("foreign");
        assert_eq!(refused.code, Code::RoleMissing);
        assert_eq!(refused.extra["namespace"], "b");
        let several = caller(&["a", "b"]);
        let refused = several.within(None).expect_err("which?");
        assert_eq!(refused.code, Code::NamespaceRequired);
        assert_eq!(several.within(Some("b")), Ok(Some("b".to_owned())));
        let anybody = Arc::new(Identity::new(Principal::anybody()));
        let anybody = Caller::new(anybody, None, Role::Submitter);
        assert_eq!(anybody.within(None), Ok(None));
        assert_eq!(anybody.within(Some("x")), Ok(Some("x".to_owned())));
    }

    #[test]
    fn what_a_caller_adds_about_itself_fits_behind_its_credential_or_is_refused() {
        let caller = caller(&["a"]);
        let note = "n".repeat(Limits::ACTOR_BYTES_MAX - "key:ci/".len());
        assert_eq!(caller.actor(Some(&note)), Ok(format!("key:ci/{note}")));
        assert_eq!(
            caller.creator(Some(&note)),
            Ok(Some(format!("key:ci/{note}")))
        );
        let longer = format!("{note}n");
        let refused = caller.actor(Some(&longer)).expect_err("too long");
        assert_eq!(refused.field, "actor");
        assert!(refused.to_string().contains("at most 248"), "{refused}");
        let refused = caller.creator(Some(&longer)).expect_err("too long");
        assert_eq!(refused.field, "creator");
    }

    #[test]
    #[should_panic(expected = "says so in the table")]
    fn a_handler_whose_line_has_no_namespace_in_its_query_cannot_read_one() {
        caller(&["a"]).bound();
    }
}
