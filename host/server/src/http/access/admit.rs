//! Stands before every handler: credential, role, namespace.

use std::sync::Arc;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use model::Scope;

use super::audit::{self, Audit};
use super::credentials::Stay;
use super::{Access, Caller, Within};
use crate::http::App;
use crate::http::doors::ClientAddress;
use crate::http::limits::TimeLimit;
use crate::http::path::{Id, IdOfFlow};
use crate::http::problem::{Code, Problem};
use crate::http::query::Given;
use crate::http::routes::Route;

/// Parameter of the query that names a namespace.
const NAMESPACE: &str = "namespace";
/// How paths begin that name an execution, or a flow.
const EXECUTIONS: &str = "/v1/executions/";
const FLOWS: &str = "/v1/flows/";

/// Lets callers through that may use the route, and ends what they wait for when their
/// credential ends.
pub async fn admit(
    State((app, route)): State<(App, &'static Route)>,
    request: Request,
    next: Next,
) -> Response {
    let Access::Wants { role, within } = route.access else {
        return next.run(request).await;
    };
    let (mut parts, body) = request.into_parts();
    let stay = match route.limits.time {
        TimeLimit::Short => Stay::Short,
        TimeLimit::Waits | TimeLimit::MayPrefer | TimeLimit::Publishes | TimeLimit::Follows => {
            Stay::Long
        }
    };
    let verified = app
        .verify_credential(&parts.headers, &parts.extensions, stay)
        .await;
    let address = parts.extensions.get::<ClientAddress>().copied();
    let verified = match verified {
        Ok(verified) => verified,
        Err(problem) => {
            if problem.code == Code::Unauthenticated {
                audit::unauthenticated(&app, address);
            }
            return refused(&app, problem, address).await.into_response();
        }
    };
    if let Some(name) = &verified.identity.name
        && let Err(limited) = app.doors.limits.credential(name)
    {
        return limited.into_response();
    }
    let identity = Arc::clone(&verified.identity);
    let mut caller = Caller::new(identity, address.map(|it| it.0), role);
    let confined = confine(&app, within, &mut caller, &mut parts).await;
    let audit = Audit {
        operation: route.operation(),
        role,
        caller: &caller,
        parts: &parts,
    };
    if let Err(problem) = confined {
        if problem.code == Code::RoleMissing {
            audit.refused(&app, &problem).await;
        }
        return problem.into_response();
    }
    let begun = match audit.begin(&app).await {
        Ok(begun) => begun,
        Err(problem) => return problem.into_response(),
    };
    parts.extensions.insert(caller.clone());
    let credential = match stay {
        Stay::Short => None,
        Stay::Long => Some(verified.end(app.clone())),
    };
    if route.limits.time == TimeLimit::Follows
        && let Some(credential) = &credential
    {
        parts.extensions.insert(credential.clone());
    }
    let answer = next.run(Request::from_parts(parts, body));
    let mut response = match &credential {
        None => answer.await,
        Some(credential) => {
            tokio::select! {
                response = answer => response,
                () = credential.reached() => Problem::unauthenticated().into_response(),
            }
        }
    };
    let must_ask = matches!(within, Within::Query | Within::Body | Within::Handle);
    if must_ask && response.status().is_success() && !caller.was_asked() {
        tracing::error!("a handler answered without asking where its caller may act");
        let detail = "the server met a fault; its log says more";
        response = Problem::new(Code::Internal, detail).into_response();
    }
    let code = response.extensions().get::<Code>().copied();
    begun.end(code).await;
    response
}

/// Checks that the caller holds the role where the request needs it, and binds a request
/// whose namespace is in the query.
async fn confine(
    app: &App,
    within: Within,
    caller: &mut Caller,
    parts: &mut Parts,
) -> Result<(), Problem> {
    if within == Within::Instance && caller.is_confined() || !caller.holds_somewhere() {
        let named = match within {
            Within::Query => Given::read(parts)?.text(NAMESPACE)?,
            _ => None,
        };
        return Err(caller.lacks(named.as_deref()));
    }
    if within != Within::Query {
        return Ok(());
    }
    let named = Given::read(parts)?.text(NAMESPACE)?;
    if let Some(name) = &named {
        model::namespace_name(name)?;
    }
    let bound = match caller.within(named.as_deref()) {
        Err(refused) if refused.code == Code::NamespaceRequired => {
            match of_path(app, caller, parts).await? {
                Some(namespace) => Some(namespace),
                None => return Err(refused),
            }
        }
        bound => bound?,
    };
    caller.bind(bound);
    Ok(())
}

/// Returns the namespace of the execution or the flow in the path, or for one that the caller
/// may not see any of the caller's own, in which it will not be found; `None` if the path has
/// none.
async fn of_path(app: &App, caller: &Caller, parts: &mut Parts) -> Result<Option<String>, Problem> {
    let Scope::Namespaces(namespaces) = caller.scope() else {
        return Ok(None);
    };
    let own = if parts.uri.path().starts_with(FLOWS) {
        match IdOfFlow::from_request_parts(parts, app).await {
            Ok(IdOfFlow(id)) => app.engine.flow(id, None).await?.map(|it| it.namespace),
            Err(_) => None,
        }
    } else {
        match Id::from_request_parts(parts, app).await {
            Ok(Id(id)) => app.engine.namespace_of(id).await?,
            Err(_) if parts.uri.path().starts_with(EXECUTIONS) => None,
            Err(_) => return Ok(None),
        }
    };
    let own = own.filter(|own| namespaces.contains(own));
    Ok(own.or_else(|| namespaces.first().cloned()))
}

/// Answers a request that could not be let in: a credential that is not valid the later,
/// the more often that happened to the address.
async fn refused(app: &App, problem: Problem, address: Option<ClientAddress>) -> Problem {
    match address {
        Some(address) if problem.code == Code::Unauthenticated => {
            let counted = app.doors.limits.authentication_failed(address).await;
            counted.err().unwrap_or(problem)
        }
        _ => problem,
    }
}
