//! Refuses requests that a page of another site makes a browser send.
//!
//! A host on loopback does not authenticate its callers, and every page that a browser on
//! the same machine shows can send requests to it. Two tests keep such pages out;
//! programs that are not browsers send none of the headers and notice nothing.
//!
//! ```text
//! Host             is it a name of this host?       no ─▶ foreign_host
//!                  (a name that an attacker pointed here would count as the same site)
//! Origin           is it an allowed origin?         yes ─▶ passes, with CORS headers
//! Sec-Fetch-Site   does the browser call it its own? no ─▶ cross_site_request
//! Origin           where the browser says nothing: is it this host's?  no ─▶ cross_site_request
//! ```
//!
//! Browsers that send `Sec-Fetch-Site` send it with every request to loopback. Older
//! ones send `Origin` with every request other than `GET` and `HEAD`, and those two
//! change nothing here and cannot be read by the page.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};

use crate::address::{CALLBACKS, host_of, origin_of};
use crate::config::Http;
use crate::http::problem::{Code, Problem};
use crate::http::transport::text;

const FETCH_SITE: &str = "sec-fetch-site";
const FETCH_MODE: &str = "sec-fetch-mode";

/// Paths that are answered under any name: probes of load balancers call a host as
/// they like, and learn from these no more than that it answers.
const ANY_HOST: [&str; 2] = ["/healthz", "/readyz"];

/// Methods and headers that a page of an allowed origin may send, and headers it may read,
/// besides those that every page may.
const CORS_METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
const CORS_REQUEST_HEADERS: &str =
    "content-type, content-encoding, idempotency-key, last-event-id, prefer, traceparent";
const CORS_ANSWER_HEADERS: &str = "location, preference-applied, retry-after";
/// How long a browser may remember them, in seconds.
const CORS_AGE: &str = "600";

/// Decides which requests of browsers are let in.
#[derive(Debug)]
pub struct Gate {
    /// Names of this host, in lower case; `None` allows any.
    hosts: Option<Vec<String>>,
    /// Origin under which outsiders reach this host, if it is configured.
    public: Option<String>,
    /// Origins of other sites whose pages may send requests.
    allowed: Vec<String>,
}

/// A request that was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The origin of another site whose pages may read the answer.
    pub allowed_origin: Option<HeaderValue>,
}

impl Gate {
    /// Reads the settings, which were checked.
    pub fn new(http: &Http) -> Self {
        let public = http.public_url.as_deref().and_then(origin_of);
        Self {
            hosts: http.host_names(),
            public,
            allowed: http
                .allowed_origins
                .iter()
                .filter_map(|origin| origin_of(origin))
                .collect(),
        }
    }

    /// Lets a request in, or says why not.
    ///
    /// Callback URLs are always let in: their token is the proof, senders don't
    /// repeat what was refused, and forms on other sites may lead there.
    pub fn admit(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Admitted, Problem> {
        let admitted = Admitted {
            allowed_origin: None,
        };
        if uri.path().starts_with(CALLBACKS) {
            return Ok(admitted);
        }
        self.admit_host(uri, headers)?;
        let origin = headers.get(header::ORIGIN);
        if let Some(origin) = origin
            && self.allows(origin)
        {
            return Ok(Admitted {
                allowed_origin: Some(origin.clone()),
            });
        }
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let foreign = match headers.get(FETCH_SITE).map(HeaderValue::as_bytes) {
            Some(b"same-origin" | b"none") => false,
            // Another port of this machine, or another name of this domain.
            Some(b"same-site") => !reads,
            // A person followed a link.
            Some(b"cross-site") if reads => {
                headers.get(FETCH_MODE).map(HeaderValue::as_bytes) != Some(b"navigate")
            }
            Some(_) => true,
            None => !reads && origin.is_some_and(|origin| !self.is_own(origin, uri, headers)),
        };
        if !foreign {
            return Ok(admitted);
        }
        let from = match origin {
            Some(origin) => format!("of `{}`", text::quoted(origin.as_bytes())),
            None => "of another site".to_owned(),
        };
        Err(Problem::new(
            Code::CrossSiteRequest,
            format!(
                "a page {from} made a browser send this; if its pages may ask this host, add the origin to http.allowed_origins"
            ),
        ))
    }

    fn admit_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(names) = &self.hosts else {
            return Ok(());
        };
        if ANY_HOST.contains(&uri.path()) {
            return Ok(());
        }
        let given = headers.get_all(header::HOST).iter();
        let given = given.map(HeaderValue::as_bytes);
        let given = given.chain(uri.authority().map(|it| it.as_str().as_bytes()));
        for authority in given {
            let name = std::str::from_utf8(authority).ok().map(host_of);
            let known = name.is_some_and(|name| {
                // An attacker can point a name here, but no address.
                name.is_empty() || is_address(&name) || names.contains(&name)
            });
            if !known {
                return Err(Problem::new(
                    Code::ForeignHost,
                    format!(
                        "`{}` is not a name of this host; if it should be one, add it to http.allowed_hosts",
                        text::quoted(authority)
                    ),
                ));
            }
        }
        Ok(())
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let origin = origin.to_str().ok().and_then(origin_of);
        origin.is_some_and(|origin| self.allowed.contains(&origin))
    }

    /// Returns whether a page of this origin is this host's own.
    fn is_own(&self, origin: &HeaderValue, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some(origin) = origin.to_str().ok().and_then(origin_of) else {
            return false;
        };
        if self.public.as_ref() == Some(&origin) {
            return true;
        }
        let called = headers.get(header::HOST).and_then(|it| it.to_str().ok());
        let called = called.or_else(|| uri.authority().map(|it| it.as_str()));
        // A proxy in front may speak TLS, so the scheme may be either.
        called.is_some_and(|called| {
            ["http", "https"]
                .iter()
                .any(|scheme| origin_of(&format!("{scheme}://{called}")).as_ref() == Some(&origin))
        })
    }
}

/// Answers the preflight request of a browser for a page of an allowed origin.
pub fn preflight(method: &Method, headers: &HeaderMap) -> Option<Response> {
    if *method != Method::OPTIONS || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, CORS_METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, CORS_REQUEST_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, CORS_AGE),
    ] {
        set(&mut response, name, value);
    }
    Some(response)
}

/// Lets the page of an allowed origin read the answer.
pub fn expose(origin: HeaderValue, response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    set(
        response,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        CORS_ANSWER_HEADERS,
    );
}

fn set(response: &mut Response, name: HeaderName, value: &'static str) {
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(name, value);
}

fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(change: impl FnOnce(&mut Http)) -> Gate {
        let mut http = Http::default();
        change(&mut http);
        Gate::new(&http)
    }

    /// Asks for `/v1/executions` with these headers.
    fn ask(gate: &Gate, method: &str, headers: &[(&'static str, &str)]) -> Result<Admitted, Code> {
        let mut given = HeaderMap::new();
        for (name, value) in headers {
            given.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let method = method.parse().expect("a method");
        let uri = Uri::from_static("/v1/executions");
        let admitted = gate.admit(&method, &uri, &given);
        admitted.map_err(|problem| problem.code)
    }

    #[test]
    fn only_names_of_this_host_are_answered_on_loopback() {
        let gate = gate(|http| {
            http.public_url = Some("https://Flow.example.com/hooks".into());
            http.allowed_hosts = vec!["Flow.internal".into()];
        });
        for good in [
            "localhost:7070",
            "LOCALHOST",
            "localhost.",
            "127.0.0.1:7070",
            "127.8.9.1",
            "[::1]:7070",
            "192.168.1.7:8080",
            "flow.example.com",
            "flow.internal:7070",
        ] {
            assert!(ask(&gate, "POST", &[("host", good)]).is_ok(), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:7070",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "xlocalhost",
            "[evil.example]:7070",
        ] {
            let refused = ask(&gate, "GET", &[("host", bad)]);
            assert_eq!(refused, Err(Code::ForeignHost), "{bad}");
        }
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(ask(&gate, "GET", &two), Err(Code::ForeignHost));
        assert!(ask(&gate, "GET", &[]).is_ok(), "programs may leave it out");
    }

    #[test]
    fn beyond_loopback_every_name_is_answered_unless_names_are_listed() {
        let listen = "0.0.0.0:7070".parse().expect("an address");
        let open = gate(|http| http.listen = listen);
        assert!(ask(&open, "POST", &[("host", "flowhost.svc")]).is_ok());
        let listed = gate(|http| {
            http.listen = listen;
            http.allowed_hosts = vec!["flowhost.svc".into()];
        });
        assert!(ask(&listed, "POST", &[("host", "flowhost.svc:7070")]).is_ok());
        let refused = ask(&listed, "POST", &[("host", "evil.example")]);
        assert_eq!(refused, Err(Code::ForeignHost));
        let any = gate(|http| http.allowed_hosts = vec!["*".into()]);
        assert!(ask(&any, "POST", &[("host", "evil.example")]).is_ok());
    }

    #[test]
    fn a_page_of_another_site_changes_nothing() {
        let gate = gate(|http| http.public_url = Some("https://flow.example.com/hooks".into()));
        let here = ("host", "127.0.0.1:7070");
        for own in [
            vec![here],
            vec![here, ("sec-fetch-site", "same-origin")],
            vec![here, ("sec-fetch-site", "none")],
            vec![here, ("origin", "http://127.0.0.1:7070")],
            vec![here, ("origin", "https://127.0.0.1:7070")],
            vec![here, ("origin", "https://flow.example.com")],
        ] {
            assert!(ask(&gate, "POST", &own).is_ok(), "{own:?}");
        }
        for foreign in [
            vec![here, ("origin", "https://evil.example")],
            vec![here, ("origin", "http://127.0.0.1:7071")],
            vec![here, ("origin", "http://localhost:7070")],
            vec![here, ("origin", "null")],
            vec![here, ("origin", "")],
            vec![here, ("sec-fetch-site", "cross-site")],
            vec![here, ("sec-fetch-site", "same-site")],
            vec![here, ("sec-fetch-site", "unheard-of")],
            vec![
                here,
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
            ],
        ] {
            for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let refused = ask(&gate, method, &foreign);
                assert_eq!(
                    refused,
                    Err(Code::CrossSiteRequest),
                    "{method}: {foreign:?}"
                );
            }
        }
    }

    #[test]
    fn a_link_from_another_site_leads_here_and_an_image_does_not() {
        let gate = gate(|_| {});
        let site = ("sec-fetch-site", "cross-site");
        let link = [site, ("sec-fetch-mode", "navigate")];
        assert!(ask(&gate, "GET", &link).is_ok());
        let image = [site, ("sec-fetch-mode", "no-cors")];
        assert_eq!(ask(&gate, "GET", &image), Err(Code::CrossSiteRequest));
        assert!(ask(&gate, "GET", &[("sec-fetch-site", "same-site")]).is_ok());
    }

    #[test]
    fn pages_of_an_allowed_origin_may_ask_and_read() {
        let gate = gate(|http| http.allowed_origins = vec!["https://Console.example.com".into()]);
        let page = [
            ("origin", "https://console.example.com"),
            ("sec-fetch-site", "cross-site"),
        ];
        let admitted = ask(&gate, "POST", &page).expect("allowed");
        let origin = admitted.allowed_origin.expect("may read");
        let mut response = StatusCode::OK.into_response();
        expose(origin.clone(), &mut response);
        assert_eq!(response.headers()["access-control-allow-origin"], origin);
        let mut asked = HeaderMap::new();
        assert!(preflight(&Method::OPTIONS, &asked).is_none());
        asked.insert(
            header::ACCESS_CONTROL_REQUEST_METHOD,
            HeaderValue::from_static("PUT"),
        );
        assert!(preflight(&Method::OPTIONS, &asked).is_some());
        assert!(preflight(&Method::PUT, &asked).is_none());
        let other = [("origin", "http://console.example.com")];
        assert_eq!(ask(&gate, "POST", &other), Err(Code::CrossSiteRequest));
    }
}
