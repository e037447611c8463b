//! Handles: what a program outside holds as proof of a lease or a grant.
//!
//! ```text
//! v1.<payload>.<HMAC-SHA-256>        both base64url without padding
//! ```
//!
//! The MAC covers the purpose of the handle, the instance and its generation, and the
//! payload, so that a handle of another database, of one restored elsewhere, or of another
//! purpose is not valid here. The key is the instance's: every host accepts the handles of
//! the others. A handle proves that its bearer was given a lease or a grant; whether that
//! is still valid is decided by the database under its fence.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use model::{ExecutionId, Fence, GrantKind, LeaseId};
use sha2::Sha256;
use uuid::Uuid;

use crate::{Engine, Error, Instance};

/// Most bytes of a handle; longer texts are refused unread.
const BYTES_MAX: usize = 1024;
const VERSION: &str = "v1";

/// Signs and verifies handles. Cheap to clone.
#[derive(Clone)]
pub struct HandleSigner(Arc<Hmac<Sha256>>);

/// A lease as its handle names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLease {
    /// The fence that every write under the lease carries.
    pub fence: Fence,
    /// Namespace of the execution.
    pub namespace: String,
    /// The worker instance that was given the lease.
    pub worker_instance_id: String,
}

/// A grant as its handle names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldGrant {
    pub(crate) execution_id: ExecutionId,
    /// Namespace of the execution.
    pub(crate) namespace: String,
    pub(crate) grant_id: Uuid,
    pub(crate) worker_id: String,
    pub(crate) worker_instance_id: String,
    /// When it expires, in microseconds since 1970.
    pub(crate) expires_at_us: i64,
    /// Hash of the capabilities the worker offered when the grant was issued.
    pub(crate) capability_hash: String,
}

impl Engine {
    /// Returns the signer of this instance's handles.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the key cannot be read.
    pub async fn handle_signer(&self) -> Result<&HandleSigner, Error> {
        self.inner
            .handle_signer
            .get_or_try_init(async || {
                let key = self.shared_key("handles").await?;
                Ok(HandleSigner::new(&key, self.instance()))
            })
            .await
    }
}

impl HandleSigner {
    fn new(key: &[u8; 32], instance: Instance) -> Self {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(key).expect("invariant: HMAC takes keys of any length");
        mac.update(b"flowhost handle\0");
        mac.update(instance.id.as_bytes());
        mac.update(&instance.generation.to_be_bytes());
        Self(Arc::new(mac))
    }

    /// Signs the handle of a lease.
    pub fn sign_lease(&self, lease: &HeldLease) -> String {
        let fence = &lease.fence;
        let mut payload = Vec::with_capacity(128);
        payload.extend_from_slice(fence.execution_id.uuid().as_bytes());
        payload.extend_from_slice(fence.lease_id.0.as_bytes());
        payload.extend_from_slice(&fence.epoch.to_be_bytes());
        payload.extend_from_slice(&fence.attempt.to_be_bytes());
        put_text(&mut payload, &lease.namespace);
        put_text(&mut payload, &lease.worker_instance_id);
        self.sign("lease", &payload)
    }

    /// Verifies the handle of a lease; `None` if it is not a valid one of this instance,
    /// without saying what is wrong with it.
    pub fn verify_lease(&self, text: &str) -> Option<HeldLease> {
        let payload = self.verify("lease", text)?;
        let mut rest = Reader(&payload);
        let lease = HeldLease {
            fence: Fence {
                execution_id: ExecutionId::from_uuid(rest.uuid()?),
                lease_id: LeaseId(rest.uuid()?),
                epoch: u64::from_be_bytes(rest.bytes()?),
                attempt: u32::from_be_bytes(rest.bytes()?),
            },
            namespace: rest.text()?,
            worker_instance_id: rest.text()?,
        };
        rest.end()?;
        Some(lease)
    }

    pub(crate) fn sign_grant(&self, kind: GrantKind, grant: &HeldGrant) -> String {
        let mut payload = Vec::with_capacity(128);
        payload.extend_from_slice(grant.execution_id.uuid().as_bytes());
        payload.extend_from_slice(grant.grant_id.as_bytes());
        payload.extend_from_slice(&grant.expires_at_us.to_be_bytes());
        put_text(&mut payload, &grant.namespace);
        put_text(&mut payload, &grant.worker_id);
        put_text(&mut payload, &grant.worker_instance_id);
        put_text(&mut payload, &grant.capability_hash);
        self.sign(kind.as_str(), &payload)
    }

    pub(crate) fn verify_grant(&self, kind: GrantKind, text: &str) -> Option<HeldGrant> {
        let payload = self.verify(kind.as_str(), text)?;
        let mut rest = Reader(&payload);
        let grant = HeldGrant {
            execution_id: ExecutionId::from_uuid(rest.uuid()?),
            grant_id: rest.uuid()?,
            expires_at_us: i64::from_be_bytes(rest.bytes()?),
            namespace: rest.text()?,
            worker_id: rest.text()?,
            worker_instance_id: rest.text()?,
            capability_hash: rest.text()?,
        };
        rest.end()?;
        Some(grant)
    }

    fn sign(&self, purpose: &str, payload: &[u8]) -> String {
        let mac = self.mac(purpose, payload).finalize().into_bytes();
        format!(
            "{VERSION}.{}.{}",
            URL_SAFE_NO_PAD.encode(payload),
            URL_SAFE_NO_PAD.encode(mac)
        )
    }

    /// Returns the payload of a handle that was signed for this purpose. The MAC is compared
    /// in constant time, before anything in the payload is trusted.
    fn verify(&self, purpose: &str, text: &str) -> Option<Vec<u8>> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let (payload, mac) = text
            .strip_prefix(VERSION)?
            .strip_prefix('.')?
            .split_once('.')?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        self.mac(purpose, &payload).verify_slice(&mac).ok()?;
        Some(payload)
    }

    fn mac(&self, purpose: &str, payload: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::clone(&self.0);
        mac.update(purpose.as_bytes());
        mac.update(b"\0");
        mac.update(payload);
        mac
    }
}

impl std::fmt::Debug for HandleSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HandleSigner(..)")
    }
}

fn put_text(payload: &mut Vec<u8>, text: &str) {
    // Names are bounded far below.
    let length = u16::try_from(text.len()).expect("invariant: names are at most 128 bytes");
    payload.extend_from_slice(&length.to_be_bytes());
    payload.extend_from_slice(text.as_bytes());
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn uuid(&mut self) -> Option<Uuid> {
        self.bytes().map(Uuid::from_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(u16::from_be_bytes(self.bytes()?));
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Partition, Partitions};

    fn instance(id: u128, generation: u32) -> Instance {
        Instance {
            id: Uuid::from_u128(id),
            generation,
            partitions: Partitions::new(1).expect("one"),
        }
    }

    fn signer() -> HandleSigner {
        HandleSigner::new(&[7; 32], instance(1, 1))
    }

    fn lease() -> HeldLease {
        HeldLease {
            fence: Fence {
                execution_id: ExecutionId::from_parts(Partition::new(3).expect("three"), 5, 6),
                lease_id: LeaseId(Uuid::from_u128(9)),
                epoch: 2,
                attempt: 1,
            },
            namespace: "default".into(),
            worker_instance_id: "w-1".into(),
        }
    }

    fn grant() -> HeldGrant {
        HeldGrant {
            capability_hash: "e3b0c44298fc1c14".to_owned(),
            execution_id: lease().fence.execution_id,
            namespace: lease().namespace,
            grant_id: Uuid::from_u128(4),
            worker_id: "w".into(),
            worker_instance_id: "w-1".into(),
            expires_at_us: 1_700_000_000_000_000,
        }
    }

    #[test]
    fn a_handle_is_verified_as_it_was_signed() {
        let text = signer().sign_lease(&lease());
        assert_eq!(signer().verify_lease(&text), Some(lease()));
        let text = signer().sign_grant(GrantKind::Claim, &grant());
        assert_eq!(
            signer().verify_grant(GrantKind::Claim, &text),
            Some(grant())
        );
    }

    #[test]
    fn a_handle_with_a_flipped_bit_or_a_lost_byte_is_not_valid() {
        let text = signer().sign_lease(&lease());
        for at in 0..text.len() {
            assert_eq!(signer().verify_lease(&text[..at]), None, "cut at {at}");
            assert_eq!(signer().verify_lease(&text[at + 1..]), None, "from {at}");
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                // Bytes that are not UTF-8 cannot be passed at all.
                if let Ok(flipped) = String::from_utf8(bytes) {
                    assert_eq!(signer().verify_lease(&flipped), None, "byte {at} bit {bit}");
                }
            }
        }
        for longer in [format!("{text}="), format!(" {text}"), format!("{text}A")] {
            assert_eq!(signer().verify_lease(&longer), None, "{longer}");
        }
        assert_eq!(signer().verify_lease(&"v1.".repeat(BYTES_MAX)), None);
    }

    #[test]
    fn a_handle_of_another_instance_or_purpose_is_not_valid() {
        let text = signer().sign_lease(&lease());
        for other in [
            HandleSigner::new(&[8; 32], instance(1, 1)),
            HandleSigner::new(&[7; 32], instance(2, 1)),
            HandleSigner::new(&[7; 32], instance(1, 2)),
        ] {
            assert_eq!(other.verify_lease(&text), None);
        }
        let claim = signer().sign_grant(GrantKind::Claim, &grant());
        assert_eq!(signer().verify_grant(GrantKind::Reclaim, &claim), None);
        assert_eq!(signer().verify_lease(&claim), None);
        assert_eq!(signer().verify_grant(GrantKind::Claim, &text), None);
    }
}
