//! Which host, API key and namespace a command uses: flag > environment > profile > default.
//!
//! The key of a profile is sent to the host of the profile and to no other. Where a flag or
//! the environment names another host, a profile that was not named does not apply, and one
//! that was is refused.

use std::path::PathBuf;

use crate::cli::io::{ApiKey, Failure, Target, URL_DEFAULT, same_host};

use super::store::{Profile, Profiles, path};

/// What the command line says about the host to ask.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// The host that `--url` or `FLOWHOST_URL` names.
    pub url: Option<String>,
    /// The profile that `--profile` or `FLOWHOST_PROFILE` names.
    pub profile: Option<String>,
    /// The file with certificates that `--ca` or `FLOWHOST_CA` names.
    pub ca: Option<PathBuf>,
    /// Whether `--insecure-http` lets the key be sent in the clear.
    pub insecure_http: bool,
}

/// What the environment says besides.
#[derive(Debug, Clone, Default)]
struct Environment {
    /// `FLOWHOST_API_KEY`; an empty one has no key sent.
    key: Option<String>,
    /// `FLOWHOST_NAMESPACE`; an empty one names none.
    namespace: Option<String>,
}

/// Returns the host to send requests to, and what to send with them.
pub fn target(chosen: &Chosen) -> Result<Target, Failure> {
    let environment = Environment {
        key: variable("FLOWHOST_API_KEY")?,
        namespace: variable("FLOWHOST_NAMESPACE")?,
    };
    of(chosen.clone(), environment, Profiles::read()?)
}

fn variable(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Failure::usage(format!("{name} is not UTF-8")))
        }
    }
}

fn of(chosen: Chosen, environment: Environment, mut profiles: Profiles) -> Result<Target, Failure> {
    let profile = match (&chosen.profile, &profiles.current) {
        (Some(name), _) => {
            let profile = named(&mut profiles, name)?;
            if let Some(url) = &chosen.url
                && !same_host(url, &profile.url)
            {
                return Err(Failure::usage(format!(
                    "profile `{name}` is of {}, and its key is not sent to {url}: leave out one of --url (or FLOWHOST_URL) and --profile",
                    profile.url
                )));
            }
            Some(profile)
        }
        (None, Some(name)) => {
            let name = name.clone();
            let profile = named(&mut profiles, &name)?;
            let url = chosen.url.as_ref();
            url.is_none_or(|url| same_host(url, &profile.url))
                .then_some(profile)
        }
        (None, None) => None,
    };
    let (url, namespace, key) = match profile {
        Some(profile) => (Some(profile.url), profile.namespace, profile.key),
        None => (None, None, None),
    };
    let key = environment.key.or(key).filter(|key| !key.is_empty());
    let namespace = environment.namespace.or(namespace);
    Ok(Target {
        url: chosen.url.or(url).unwrap_or_else(|| URL_DEFAULT.to_owned()),
        key: key.map(ApiKey::new).transpose()?,
        namespace: namespace.filter(|name| !name.is_empty()),
        insecure_http: chosen.insecure_http,
        ca: chosen.ca,
    })
}

fn named(profiles: &mut Profiles, name: &str) -> Result<Profile, Failure> {
    profiles.profiles.remove(name).ok_or_else(|| {
        let place = path().map(|path| format!(" in {}", path.display()));
        Failure::usage(format!(
            "there is no profile `{}`{}; `flowhost profile list` names those there are",
            name.escape_debug(),
            place.unwrap_or_default()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles(current: Option<&str>) -> Profiles {
        let profile = |url: &str, key: &str| Profile {
            url: url.to_owned(),
            namespace: Some("n".to_owned()),
            key: Some(key.to_owned()),
        };
        Profiles {
            current: current.map(str::to_owned),
            profiles: [
                ("a".to_owned(), profile("https://a.example", "fh_a")),
                ("b".to_owned(), profile("https://b.example:8443/x", "fh_b")),
            ]
            .into(),
        }
    }

    fn chosen(url: Option<&str>, profile: Option<&str>) -> Chosen {
        Chosen {
            url: url.map(str::to_owned),
            profile: profile.map(str::to_owned),
            ..Chosen::default()
        }
    }

    /// URL, key and namespace of a command.
    fn used(
        url: Option<&str>,
        profile: Option<&str>,
        current: Option<&str>,
        environment: Environment,
    ) -> Option<(String, Option<String>, Option<String>)> {
        let target = of(chosen(url, profile), environment, profiles(current)).ok()?;
        let key = target.key.map(|key| key.reveal().to_owned());
        Some((target.url, key, target.namespace))
    }

    fn expected(
        url: &str,
        key: Option<&str>,
        namespace: Option<&str>,
    ) -> Option<(String, Option<String>, Option<String>)> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some((url.to_owned(), owned(key), owned(namespace)))
    }

    #[test]
    fn a_key_is_sent_to_the_host_of_its_profile_and_to_no_other() {
        let (n, none) = (Some("n"), Environment::default);
        assert_eq!(
            used(None, None, None, none()),
            expected(URL_DEFAULT, None, None)
        );
        let of_a = expected("https://a.example", Some("fh_a"), n);
        assert_eq!(used(None, None, Some("a"), none()), of_a);
        assert_eq!(used(None, Some("a"), Some("b"), none()), of_a);
        // The same host by another spelling of its URL.
        let spelled = used(Some("https://A.example:443/"), None, Some("a"), none());
        assert_eq!(spelled, expected("https://A.example:443/", Some("fh_a"), n));
        for other in [
            "https://evil.example",
            "http://a.example",
            "https://a.example:8443",
            "https://a.example.evil.example",
            "https://a.example@evil.example",
        ] {
            let found = used(Some(other), None, Some("a"), none());
            assert_eq!(found, expected(other, None, None), "{other}");
            assert_eq!(used(Some(other), Some("a"), None, none()), None, "{other}");
        }
        assert_eq!(used(None, Some("c"), None, none()), None);
        assert_eq!(used(None, None, Some("c"), none()), None);
    }

    #[test]
    fn the_environment_goes_before_the_profile() {
        let environment = |key: &str, namespace: &str| Environment {
            key: Some(key.to_owned()),
            namespace: Some(namespace.to_owned()),
        };
        let found = used(None, None, Some("a"), environment("fh_e", "m"));
        assert_eq!(
            found,
            expected("https://a.example", Some("fh_e"), Some("m"))
        );
        let found = used(Some("https://c"), None, Some("a"), environment("fh_e", "m"));
        assert_eq!(found, expected("https://c", Some("fh_e"), Some("m")));
        let found = used(None, None, Some("a"), environment("", ""));
        assert_eq!(
            found,
            expected("https://a.example", None, None),
            "none is sent"
        );
    }
}
