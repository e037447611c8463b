//! Reads queries: each parameter at most once unless it may repeat, none that
//! the route does not know, no NUL, and nothing that is not UTF-8.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::problem::{Code, Problem};
use super::transport::text;

/// The parameters of a query not read yet.
#[derive(Debug, Clone)]
pub struct Query(Vec<(String, String)>);

/// Checks that every `%` of a query begins an escape, and that UTF-8 comes out:
/// readers replace what does not fit, and would go on with another value.
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

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        check_escapes(parts.uri.query().unwrap_or_default())?;
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| Problem::new(Code::InvalidQuery, error.body_text()))?
            .0;
        match pairs.iter().find(|(_, value)| value.contains('\0')) {
            Some((name, _)) => Err(wrong(name, "must not hold a NUL character")),
            None => Ok(Self(pairs)),
        }
    }
}

impl Query {
    /// Returns names and values, in the order given.
    pub fn pairs(self) -> Vec<(String, String)> {
        self.0
    }

    /// Returns whether a parameter is there and not read yet.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given == name)
    }

    /// Takes a parameter that may be given once.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.all(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(wrong(name, "is given more than once")),
        }
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

    /// Takes every value of a parameter that may repeat.
    pub fn all(&mut self, name: &str) -> Vec<String> {
        let mut values = Vec::new();
        self.0.retain_mut(|(given, value)| {
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

    /// Takes the namespace, if one is named.
    pub fn namespace(&mut self) -> Result<Option<String>, Problem> {
        let namespace = self.text("namespace")?;
        if let Some(name) = &namespace {
            model::namespace_name(name)?;
        }
        Ok(namespace)
    }

    /// Refuses what is left.
    pub fn end(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(wrong(name, "is no parameter of this route")),
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

    async fn query(text: &str) -> Result<Query, Problem> {
        let request = axum::http::Request::get(format!("/?{text}"))
            .body(())
            .expect("a request");
        Query::from_request_parts(&mut request.into_parts().0, &()).await
    }

    #[tokio::test]
    async fn a_parameter_is_read_once_and_an_unknown_one_is_refused() {
        let mut given = query("limit=5&tag=app.a:x%3Ay&tag=app.b:&z=1")
            .await
            .expect("reads");
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

    #[tokio::test]
    async fn doubled_and_broken_parameters_are_refused() {
        let mut given = query("limit=5&limit=6&after=x&tag=nocolon")
            .await
            .expect("reads");
        assert!(given.text("limit").is_err());
        assert!(given.value::<u32>("after").is_err());
        assert!(given.tags("tag").is_err());
        assert!(query("a=%00").await.is_err());
    }

    #[tokio::test]
    async fn what_is_not_utf_8_is_not_replaced_by_something_else() {
        for wrong in [
            "tag=a.b:%ff",
            "%C3=1",
            "a=1&b=%c3%28",
            "a=%",
            "a=%4",
            "a=%zz",
            "a=%+1",
        ] {
            let refused = query(wrong).await.expect_err(wrong);
            assert_eq!(refused.code, Code::InvalidQuery, "{wrong}");
        }
        let mut given = query("a=%C3%a9+100%25&&=").await.expect("reads");
        assert_eq!(given.text("a"), Ok(Some("é 100%".into())));
    }
}
