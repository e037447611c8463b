//! The URL of a host.

use super::Failure;

/// URL of the host that requests are sent to unless another is named.
pub const URL_DEFAULT: &str = "http://127.0.0.1:7070";

/// Checks the URL of a host.
pub fn check_url(url: &str) -> Result<(), Failure> {
    parse(url).map(drop)
}

/// Whether two URLs are of the same scheme, host and port.
pub fn same_host(one: &str, other: &str) -> bool {
    match (parse(one), parse(other)) {
        (Ok(one), Ok(other)) => one.origin() == other.origin(),
        _ => false,
    }
}

/// Reads the URL of a host.
pub(super) fn parse(url: &str) -> Result<reqwest::Url, Failure> {
    let wrong = |what: &str| {
        Failure::usage(format!(
            "--url (or FLOWHOST_URL): `{}` {what}; write it like {URL_DEFAULT}",
            url.escape_debug()
        ))
    };
    // The parser would take them out without a word.
    if url.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(wrong("holds spaces or control characters"));
    }
    let parsed = reqwest::Url::parse(url).map_err(|_| wrong("is not a URL"))?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
        return Err(wrong("is not an http or https URL of a host"));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(wrong("has more than a path"));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::io::Exit;

    #[test]
    fn an_invalid_url_is_refused_with_the_reason() {
        for good in [
            URL_DEFAULT,
            "https://h",
            "http://h:1/prefix/",
            "http://[::1]:1",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for wrong in [
            "",
            "h:1",
            "h",
            "ftp://h",
            "http://",
            "http://h\n",
            "http://a b",
            "http://h?x",
            "http://h#x",
        ] {
            let failure = parse(wrong).expect_err(wrong);
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.starts_with("--url"), "{}", failure.message);
        }
    }
}
