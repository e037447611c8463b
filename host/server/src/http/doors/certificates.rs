//! Verified certificates of clients as credentials.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{Identity, Limits, Principal, RoleGrant};

use crate::config::{Grant, recorded};

/// Beginning of the names of principals whose credential is a certificate.
const NAME: &str = "cert:";

/// The name in a certificate that was verified in the handshake of the connection on which
/// a request came: its common name, or else its first DNS or URI name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientCertificate(pub String);

/// The caller that the certificate of a connection names, with its roles: computed once, and
/// used by every request on the connection.
#[derive(Debug, Clone)]
pub struct CertificateHolder(pub Arc<Identity>);

/// What certificates are good for, by their names.
#[derive(Debug, Default)]
pub struct Certificates {
    exact: HashMap<String, Arc<Identity>>,
    /// Beginnings of names, the longest first.
    beginnings: Vec<(String, Vec<RoleGrant>)>,
}

impl Certificates {
    /// Reads `tls.clients`, which was checked.
    pub fn new(clients: &BTreeMap<String, Vec<Grant>>) -> Self {
        let mut all = Self::default();
        for (name, grants) in clients {
            let grants: Vec<RoleGrant> = grants.iter().map(RoleGrant::from).collect();
            match name.strip_suffix('*') {
                Some(beginning) => all.beginnings.push((beginning.to_owned(), grants)),
                None => {
                    all.exact.insert(name.clone(), identity(name, &grants));
                }
            }
        }
        all.beginnings
            .sort_by_key(|(beginning, _)| std::cmp::Reverse(beginning.len()));
        all
    }

    /// Returns the caller that a certificate names: the settings of its own name, or else of
    /// the longest beginning of it. `None` if the settings know neither, or if the name as it
    /// is recorded has more than 200 bytes.
    pub fn holder(&self, certificate: &ClientCertificate) -> Option<CertificateHolder> {
        let ClientCertificate(name) = certificate;
        if let Some(exact) = self.exact.get(name) {
            return Some(CertificateHolder(Arc::clone(exact)));
        }
        let mut begins = self.beginnings.iter();
        let (_, grants) = begins.find(|(beginning, _)| name.starts_with(beginning.as_str()))?;
        let fits = recorded(name).len() <= Limits::CREDENTIAL_NAME_BYTES_MAX;
        fits.then(|| CertificateHolder(identity(name, grants)))
    }
}

fn identity(name: &str, grants: &[RoleGrant]) -> Arc<Identity> {
    Arc::new(Identity::new(Principal {
        name: Some(format!("{NAME}{}", recorded(name))),
        credential_id: None,
        grants: grants.to_vec(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Role;

    fn certificates() -> Certificates {
        let grant = |role, namespace: Option<&str>| {
            vec![Grant {
                role,
                namespace: namespace.map(str::to_owned),
            }]
        };
        Certificates::new(&BTreeMap::from([
            ("ops".to_owned(), grant(Role::Admin, None)),
            ("w-*".to_owned(), grant(Role::Worker, Some("acme"))),
            ("w-b-*".to_owned(), grant(Role::Worker, Some("b"))),
            ("spiffe://a/*".to_owned(), grant(Role::Viewer, None)),
        ]))
    }

    #[test]
    fn a_name_is_matched_exactly_or_by_its_longest_beginning() {
        let certificates = certificates();
        let found = |name: &str| {
            let holder = certificates.holder(&ClientCertificate(name.to_owned()));
            let CertificateHolder(identity) = holder?;
            let grant = identity.grants[0].clone();
            Some((identity.name.clone()?, grant.role, grant.namespace))
        };
        let acme = Some("acme".to_owned());
        assert_eq!(found("ops"), Some(("cert:ops".into(), Role::Admin, None)));
        assert_eq!(found("w-1"), Some(("cert:w-1".into(), Role::Worker, acme)));
        let b = Some("b".to_owned());
        assert_eq!(found("w-b-1"), Some(("cert:w-b-1".into(), Role::Worker, b)));
        for unknown in ["", "op", "ops2", "Ops", "w", "x", "ops "] {
            assert_eq!(found(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn no_name_ends_where_a_note_begins() {
        let certificates = certificates();
        let name = |name: &str| {
            let holder = certificates.holder(&ClientCertificate(name.to_owned()));
            holder.and_then(|it| it.0.name.clone()).expect("known")
        };
        assert_eq!(name("spiffe://a/b"), "cert:spiffe:%2F%2Fa%2Fb");
        assert_ne!(name("spiffe://a/b"), name("spiffe://a/%2Fb"));
        assert!(!name("spiffe://a/b/c").contains('/'));
    }
    #[test]
    fn a_name_that_is_too_long_as_it_is_recorded_names_no_caller() {
        let certificates = certificates();
        let named = |name: String| certificates.holder(&ClientCertificate(name)).is_some();
        assert!(named(format!("w-{}", "x".repeat(198))));
        assert!(!named(format!("w-{}", "x".repeat(199))));
        assert!(named(format!("w-{}", "/".repeat(66))));
        assert!(!named(format!("w-{}", "/".repeat(67))), "three bytes each");
    }
}
