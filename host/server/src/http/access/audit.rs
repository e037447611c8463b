//! Who did what: an entry before each verb of operators, approvers and admins, and its
//! outcome after it; and who was refused.

use axum::http::Method;
use axum::http::request::Parts;
use engine::{AuditEntry, AuditId};
use model::Role;

use super::Caller;
use crate::http::App;
use crate::http::doors::ClientAddress;
use crate::http::problem::{Code, Problem};
use crate::http::query::Given;
use crate::http::transport::dry_run::DRY_RUN;
use crate::http::transport::headers;

/// The outcome of a verb that was done.
const DONE: &str = "done";
/// The outcome of a verb whose client went away before it was answered.
const ABANDONED: &str = "abandoned";
/// Why a request without a valid credential is counted as refused.
const UNAUTHENTICATED: &str = "unauthenticated";

/// What is noted of a request.
pub(super) struct Audit<'a> {
    /// The operation it is for, and the role that wants.
    pub(super) operation: &'a str,
    pub(super) role: Role,
    pub(super) caller: &'a Caller,
    pub(super) parts: &'a Parts,
}

/// An entry whose verb is being carried out: absent for a verb that is not noted, and once
/// its outcome is.
pub(super) struct Begun(Option<(App, AuditId)>);

impl Audit<'_> {
    /// Notes that the caller lacked the role. A refusal stands also if it cannot be noted.
    pub(super) async fn refused(self, app: &App, problem: &Problem) {
        let entry = AuditEntry {
            namespace: problem.extra["namespace"].as_str().map(str::to_owned),
            outcome: Some(problem.code.as_str().to_owned()),
            ..self.entry()
        };
        if let Err(error) = app.engine.audit_begin(entry).await {
            tracing::warn!(%error, "a refusal could not be noted");
        }
    }

    /// Notes what is about to be done.
    ///
    /// # Errors
    /// It cannot be noted, so it must not be done.
    pub(super) async fn begin(self, app: &App) -> Result<Begun, Problem> {
        if !self.is_kept() {
            return Ok(Begun(None));
        }
        let id = app.engine.audit_begin(self.entry()).await?;
        Ok(Begun(Some((app.clone(), id))))
    }

    /// Returns whether the verb itself is noted, and not only that it was refused. A dry run
    /// does nothing, so it is not noted.
    fn is_kept(&self) -> bool {
        let is_noted = matches!(self.role, Role::Operator | Role::Approver | Role::Admin);
        if !is_noted || self.parts.method == Method::GET {
            return false;
        }
        let asks = Given::read(self.parts).and_then(|mut given| given.value::<bool>(DRY_RUN));
        asks != Ok(Some(true))
    }

    /// Describes the request. Most are not noted, so this is done only for those that are.
    fn entry(&self) -> AuditEntry {
        let Self {
            operation,
            caller,
            parts,
            ..
        } = self;
        AuditEntry {
            credential: caller.credential().map(str::to_owned),
            key_id: caller.principal().credential_id,
            address: caller.address(),
            verb: (*operation).to_owned(),
            namespace: caller.confined_to(),
            target: Some(parts.uri.path().to_owned()),
            traceparent: headers::traceparent(&parts.headers),
            ..AuditEntry::default()
        }
    }
}

impl Begun {
    /// Notes how it ended: with the code of a problem, or without.
    pub(super) async fn end(mut self, code: Option<Code>) {
        let outcome = code.map_or(DONE, |code| code.as_str());
        if let Some((app, id)) = self.0.take() {
            note(&app, id, outcome).await;
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some((app, id)) = self.0.take() {
            tokio::spawn(async move { note(&app, id, ABANDONED).await });
        }
    }
}

async fn note(app: &App, id: AuditId, outcome: &str) {
    if let Err(error) = app.engine.audit_end(id, outcome).await {
        tracing::warn!(%error, "the outcome of a verb could not be noted");
    }
}

/// Counts a request that had no valid credential.
pub(super) fn unauthenticated(app: &App, address: Option<ClientAddress>) {
    if let Some(ClientAddress(address)) = address {
        app.engine.note_refusal(address, UNAUTHENTICATED);
    }
}
