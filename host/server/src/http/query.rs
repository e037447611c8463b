//! Reads queries: each parameter at most once unless it may repeat, none that
//! the route does not know, no NUL, and nothing that is not UTF-8.
//!
//! Handlers take a [`Query`] of a type that says which parameters there are, or
//! [`NoQuery`].

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use model::Limits;

use super::access::Caller;
use super::problem::{Code, Problem};
use super::transport::text;

/// The parameters of a query, all of them read.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// A query without parameters.
pub type NoQuery = Query<()>;

/// Parameters that a route takes.
pub trait FromQuery: Sized {
    /// Takes them out of those that were given.
    fn take(given: &mut Given) -> Result<Self, Problem>;
}

impl FromQuery for () {
    fn take(_: &mut Given) -> Result<Self, Problem> {
        Ok(())
    }
}

impl<A: FromQuery, B: FromQuery> FromQuery for (A, B) {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        Ok((A::take(given)?, B::take(given)?))
    }
}

/// The namespace to which a request is limited.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InNamespace {
    /// Only what is in this namespace; when absent, in any in which the caller has the role
    pub namespace: Option<String>,
}

impl InNamespace {
    /// Returns its name.
    pub fn name(&self) -> Option<&str> {
        self.namespace.as_deref()
    }
}

impl FromQuery for InNamespace {
    /// Takes the namespace that the request is bound to, which is the one it names if its
    /// caller may act there.
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let named = given.text("namespace")?;
        if let Some(name) = &named {
            model::namespace_name(name)?;
        }
        let caller = given.caller.as_ref();
        let caller = caller.expect("invariant: routes that take `namespace` are not public");
        Ok(Self {
            namespace: caller.bound(),
        })
    }
}

/// The parameters that were given and not taken yet.
#[derive(Debug, Clone)]
pub struct Given {
    pairs: Vec<(String, String)>,
    /// Who gave them; absent on public routes.
    caller: Option<Caller>,
}

/// Checks that every `%` of a query begins an escape, and that the bytes are UTF-8:
/// the reader of pairs would put another character in place of a broken one.
fn check_escapes(query: &str) -> Result<(), Problem> {
    for pair in query.split('&') {
        let what = match text::unescaped(pair).map(String::from_utf8) {
            Some(Ok(_)) => continue,
            Some(Err(_)) => "is not UTF-8",
            None => "has a % that two hexadecimal digits must follow",
        };
        return Err(wrong(pair.split('=').next().unwrap_or_default(), what));
    }
    Ok(())
}

impl<S: Send + Sync, T: FromQuery> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut given = Given::read(parts)?;
        let taken = T::take(&mut given)?;
        given.end()?;
        Ok(Self(taken))
    }
}

impl Given {
    /// Reads all parameters of a request.
    pub fn read(parts: &Parts) -> Result<Self, Problem> {
        let caller = parts.extensions.get().cloned();
        let Some(query) = parts.uri.query() else {
            let pairs = Vec::new();
            return Ok(Self { pairs, caller });
        };
        check_escapes(query)?;
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| Problem::new(Code::InvalidQuery, error.body_text()))?
            .0;
        match pairs.iter().find(|(_, value)| value.contains('\0')) {
            Some((name, _)) => Err(wrong(name, "must not hold a NUL character")),
            None => Ok(Self { pairs, caller }),
        }
    }

    /// Returns names and values, in the order given.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Takes a parameter that may be given once.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.all(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(wrong(name, "is given more than once")),
        }
    }

    /// Takes the name of what may be there or not: 1 to 255 bytes
    /// without control characters.
    pub fn name(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        let text = self.text(name)?;
        if let Some(text) = &text {
            model::plain_text(name, text, Limits::ACTOR_BYTES_MAX)?;
        }
        Ok(text)
    }

    /// Takes a parameter that may be given once and has a type of its own.
    pub fn value<T>(&mut self, name: &str) -> Result<Option<T>, Problem>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(wrong(name, error)),
        }
    }

    /// Takes a parameter that may be given once and holds values of one type, separated by
    /// commas; none if it is absent.
    pub fn values<T>(&mut self, name: &str) -> Result<Vec<T>, Problem>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(text) = self.text(name)? else {
            return Ok(Vec::new());
        };
        let values = text.split(',').map(str::parse);
        values
            .collect::<Result<_, T::Err>>()
            .map_err(|error| wrong(name, error))
    }

    /// Takes every value of a parameter that may repeat.
    pub fn all(&mut self, name: &str) -> Vec<String> {
        let mut values = Vec::new();
        self.pairs.retain_mut(|(given, value)| {
            let take = given == name;
            if take {
                values.push(std::mem::take(value));
            }
            !take
        });
        values
    }

    /// Takes a parameter that holds `key:value`.
    pub fn tags(&mut self, name: &str) -> Result<Vec<(String, String)>, Problem> {
        self.all(name)
            .into_iter()
            .map(|text| match text.split_once(':') {
                Some((key, value)) => {
                    model::tag_key(key)?;
                    Ok((key.to_owned(), value.to_owned()))
                }
                None => Err(wrong(name, "is written key:value")),
            })
            .collect()
    }

    /// Refuses parameters that were not taken.
    pub fn end(self) -> Result<(), Problem> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => Err(wrong(name, "is not a parameter of this route")),
        }
    }
}

fn wrong(name: &str, what: impl Display) -> Problem {
    let name = text::quoted(name.as_bytes());
    Problem::new(Code::InvalidQuery, format!("`{name}` {what}")).with("parameter", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Given, Problem> {
        let request = axum::http::Request::get(format!("/?{text}"))
            .body(())
            .expect("a request");
        Given::read(&request.into_parts().0)
    }

    #[test]
    fn a_parameter_is_read_once_and_an_unknown_one_is_refused() {
        let mut given = query("limit=5&tag=app.a:x%3Ay&tag=app.b:&z=1").expect("reads");
        assert_eq!(given.value::<u32>("limit"), Ok(Some(5)));
        assert_eq!(given.value::<u32>("limit"), Ok(None));
        let tags = given.tags("tag").expect("two tags");
        assert_eq!(
            tags,
            [
                ("app.a".into(), "x:y".into()),
                ("app.b".into(), String::new())
            ]
        );
        assert!(given.end().is_err());
    }

    #[test]
    fn doubled_and_broken_parameters_are_refused() {
        let mut given = query("limit=5&limit=6&after=x&tag=nocolon").expect("reads");
        assert!(given.text("limit").is_err());
        assert!(given.value::<u32>("after").is_err());
        assert!(given.tags("tag").is_err());
        assert!(query("a=%00").is_err());
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_refused_and_not_replaced() {
        for wrong in [
            "tag=a.b:%ff",
            "%C3=1",
            "a=1&b=%c3%28",
            "a=%",
            "a=%4",
            "a=%zz",
            "a=%+1",
        ] {
            let refused = query(wrong).expect_err(wrong);
            assert_eq!(refused.code, Code::InvalidQuery, "{wrong}");
        }
        let mut given = query("a=%C3%a9+100%25&&=").expect("reads");
        assert_eq!(given.text("a"), Ok(Some("é 100%".into())));
    }
}
