//! `/v1/flows/{id}/edges`: the edges of a flow, all of them or those of one member.

use std::fmt;
use std::str::FromStr;

use axum::extract::State;
use engine::{EdgeDirection, EdgePlace};
use model::{EdgeId, ExecutionId, Invalid};
use serde::Deserialize;
use uuid::Uuid;

use super::get::existing;
use crate::api::{Edge, Edges};
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::page::{ListRequest, Paging, not_of_this_list};
use crate::http::path::{IdOfFlow, OfFlow, Path};
use crate::http::problem::{Code, Problem};
use crate::http::query::{FromQuery, Given, InNamespace, Query};
use crate::http::transport::text;

/// The member whose edges are listed.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfMember {
    /// Only edges that lead away from this execution; excludes `downstream`
    #[param(value_type = Option<String>)]
    upstream: Option<ExecutionId>,
    /// Only edges that lead to this execution; excludes `upstream`
    #[param(value_type = Option<String>)]
    downstream: Option<ExecutionId>,
}

impl FromQuery for OfMember {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let of = Self {
            upstream: given.value("upstream")?,
            downstream: given.value("downstream")?,
        };
        if of.upstream.is_some() && of.downstream.is_some() {
            let detail = "excludes downstream: ask for the edges of one member in one direction";
            return Err(Invalid::new("upstream", detail).into());
        }
        Ok(of)
    }
}

impl OfMember {
    fn direction(&self) -> Option<EdgeDirection> {
        let incoming = self.downstream.map(EdgeDirection::Incoming);
        self.upstream.map(EdgeDirection::Outgoing).or(incoming)
    }
}

/// A place in the list, as cursors hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the list of all edges.
    Of(EdgePlace),
    /// In the list of those of one member.
    Edge(EdgeId),
}

/// A text that is not a [`Place`].
#[derive(Debug)]
pub struct PlaceError;

impl fmt::Display for Place {
    /// The downstream member, the number of the wait and the upstream member; or the edge.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of((downstream, wait, upstream)) => write!(f, "{downstream}.{wait}.{upstream}"),
            Self::Edge(EdgeId(id)) => id.fmt(f),
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let of = |text: &str| text.parse::<ExecutionId>().map_err(|_| PlaceError);
        match text.split('.').collect::<Vec<_>>()[..] {
            [edge] => match edge.parse() {
                Ok(id) => Ok(Self::Edge(EdgeId(id))),
                Err(_) => Err(PlaceError),
            },
            [downstream, wait, upstream] => {
                let wait = wait.parse().map_err(|_| PlaceError)?;
                Ok(Self::Of((of(downstream)?, wait, of(upstream)?)))
            }
            _ => Err(PlaceError),
        }
    }
}

/// Lists edges of a flow: all by the members they lead to, or those that lead to or from one
/// member in the order of their creation.
#[utoipa::path(
    get, path = "/v1/flows/{id}/edges", tag = "flows",
    params(OfFlow, InNamespace, OfMember, Paging),
    responses((status = 200, body = Edges))
)]
pub async fn list(
    State(app): State<App>,
    IdOfFlow(id): IdOfFlow,
    list: ListRequest<(InNamespace, OfMember), Place>,
) -> Answer<Edges> {
    let (within, of) = &list.filter;
    existing(&app, id, within.name()).await?;
    let engine = &app.engine;
    let edges = match (of.direction(), list.after) {
        (None, None | Some(Place::Of(_))) => {
            let after = list.after.and_then(|place| match place {
                Place::Of(place) => Some(place),
                Place::Edge(_) => None,
            });
            let found = engine.flow_edges(id, after, list.limit).await?;
            Edges::new(id, found, |place| list.cursor(Place::Of(*place)))
        }
        (Some(direction), None | Some(Place::Edge(_))) => {
            let after = list.after.and_then(|place| match place {
                Place::Edge(edge) => Some(edge),
                Place::Of(_) => None,
            });
            let found = engine.flow_edges_of(id, direction, after, list.limit);
            Edges::new(id, found.await?, |edge| list.cursor(Place::Edge(*edge)))
        }
        _ => return Err(not_of_this_list()),
    };
    Ok(Json(edges))
}

/// The parameters of the path of one edge.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OfEdge {
    /// The id of the flow.
    #[expect(dead_code, reason = "IdOfFlow reads it; this is its documentation")]
    id: String,
    /// The id of the edge.
    edge_id: String,
}

/// Shows an edge of a flow.
#[utoipa::path(
    get, path = "/v1/flows/{id}/edges/{edge_id}", tag = "flows",
    params(OfEdge, InNamespace),
    responses((status = 200, body = Edge))
)]
pub async fn get(
    State(app): State<App>,
    IdOfFlow(id): IdOfFlow,
    Path(of): Path<OfEdge>,
    Query(within): Query<InNamespace>,
) -> Answer<Edge> {
    let edge_id: Uuid = of.edge_id.parse().map_err(|_| {
        let given = text::quoted(of.edge_id.as_bytes());
        let detail = format!("`{given}` is not a valid id of an edge: expected a UUID");
        Problem::new(Code::InvalidId, detail)
    })?;
    existing(&app, id, within.name()).await?;
    match app.engine.flow_edge(id, EdgeId(edge_id)).await? {
        Some(edge) => Ok(Json(Edge::new(id, edge))),
        None => {
            let detail = format!("flow {id} has no edge {edge_id}");
            Err(Problem::new(Code::EdgeNotFound, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written_and_nothing_else_is() {
        let (a, b) = (
            "01990000-0000-7000-8000-000000000000",
            "01990000-0000-7000-8000-000000000001",
        );
        for text in [a.to_owned(), format!("{a}.0.{b}"), format!("{a}.7.{b}")] {
            let place: Place = text.parse().expect("a place");
            assert_eq!(place.to_string(), text);
        }
        for wrong in [
            "",
            ".",
            "..",
            "x",
            "a.0.b",
            &format!("{a}.{b}"),
            &format!("{a}.-1.{b}"),
        ] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
