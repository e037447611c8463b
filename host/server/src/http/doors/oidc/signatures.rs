//! Verifies the signatures of tokens with `ring`, which TLS uses as well. Nothing here
//! signs, and no key that is shared is ever one.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature as ring_signature;
use ring::signature::{RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};

use crate::config::TokenAlgorithm;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(unusable()),
    verifier_factory: |algorithm, key| {
        how(*algorithm).ok_or_else(unusable)?;
        Ok(Box::new(Verifying {
            algorithm: *algorithm,
            key: key.clone(),
        }))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

/// Has tokens of this process verified here.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Nothing else of this program verifies tokens, so this is the first.
        if PROVIDER.install_default().is_err() {
            tracing::error!("tokens are verified by another provider");
        }
    });
}

fn unusable() -> Error {
    Error::from(ErrorKind::InvalidAlgorithm)
}

/// How a signature is verified.
enum How {
    Rsa(&'static RsaParameters),
    Other(&'static dyn ring_signature::VerificationAlgorithm),
}

fn how(algorithm: Algorithm) -> Option<How> {
    Some(match algorithm {
        Algorithm::RS256 => How::Rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => How::Rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => How::Rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => How::Rsa(&ring_signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => How::Rsa(&ring_signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => How::Rsa(&ring_signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 => How::Other(&ring_signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => How::Other(&ring_signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => How::Other(&ring_signature::ED25519),
        _ => return None,
    })
}

struct Verifying {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for Verifying {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = match (how(self.algorithm), self.key.kind()) {
            (Some(How::Rsa(how)), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(how, message, signature)
            }
            (Some(How::Other(how)), DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(how, point).verify(message, signature)
            }
            _ => return Err(signature::Error::new()),
        };
        verified.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Verifying {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// Returns the same algorithm, as the crate of tokens calls it.
pub const fn named(algorithm: TokenAlgorithm) -> Algorithm {
    match algorithm {
        TokenAlgorithm::Rs256 => Algorithm::RS256,
        TokenAlgorithm::Rs384 => Algorithm::RS384,
        TokenAlgorithm::Rs512 => Algorithm::RS512,
        TokenAlgorithm::Ps256 => Algorithm::PS256,
        TokenAlgorithm::Ps384 => Algorithm::PS384,
        TokenAlgorithm::Ps512 => Algorithm::PS512,
        TokenAlgorithm::Es256 => Algorithm::ES256,
        TokenAlgorithm::Es384 => Algorithm::ES384,
        TokenAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}
