//! What a certificate says: when it expires, and the name of its holder.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::time::ASN1Time;

use crate::http::doors::ClientCertificate;

/// Most bytes of the name of a holder.
const NAME_BYTES_MAX: usize = 255;

/// Returns when a certificate expires, in seconds since 1970.
///
/// # Errors
/// It cannot be read.
pub fn expires_at(certificate: &CertificateDer<'_>) -> Result<i64, String> {
    match parse_x509_certificate(certificate) {
        Ok((_, read)) => Ok(read.validity().not_after.timestamp()),
        Err(error) => Err(format!("its first certificate cannot be read: {error}")),
    }
}

/// Returns whether a time has passed, given in seconds since 1970.
pub fn has_passed(at: i64) -> bool {
    ASN1Time::now().timestamp() >= at
}

/// Returns the name of the holder of a certificate that was verified: its common name, or
/// else its first DNS or URI name. `None` if it has none, or two common names, or one that
/// cannot be recorded.
pub fn name(certificate: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let (_, read) = parse_x509_certificate(certificate).ok()?;
    let mut common = read.subject().iter_common_name();
    let name = match (common.next(), common.next()) {
        (Some(only), None) => only.as_str().ok()?.to_owned(),
        (Some(_), Some(_)) => return None,
        (None, _) => {
            let names = read.subject_alternative_name().ok()??;
            names.value.general_names.iter().find_map(|it| match it {
                GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
                _ => None,
            })?
        }
    };
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control);
    fits.then_some(ClientCertificate(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    fn named(common: &[&str], others: Vec<SanType>) -> Option<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in common {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.subject_alt_names = others;
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed");
        name(certificate.der()).map(|ClientCertificate(name)| name)
    }

    #[test]
    fn the_holder_is_named_by_its_common_name_or_its_first_other_name() {
        let dns = |name: &str| SanType::DnsName(name.try_into().expect("a name"));
        let uri = |name: &str| SanType::URI(name.try_into().expect("a name"));
        let of = |common: &[&str], others| named(common, others);
        assert_eq!(of(&["w-1"], vec![dns("a.example")]).as_deref(), Some("w-1"));
        assert_eq!(
            of(&[], vec![dns("a.example")]).as_deref(),
            Some("a.example")
        );
        let both = vec![uri("spiffe://a/b"), dns("a.example")];
        assert_eq!(of(&[], both).as_deref(), Some("spiffe://a/b"));
        assert_eq!(of(&[], Vec::new()), None);
        assert_eq!(of(&["a\nb"], Vec::new()), None);
        assert_eq!(of(&[""], vec![dns("a.example")]), None);
    }
}
