//! Tokens that were verified a moment ago, by their digests, so that a repeated one costs
//! a hash. The tokens themselves are not kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::Identity;
use parking_lot::Mutex;

use crate::stopwatch::Stopwatch;

/// Most tokens that are remembered.
const TOKENS_MAX: usize = 8192;
/// Longest a token is remembered; its issuer may withdraw the key meanwhile.
const REMEMBERED_MAX: Duration = Duration::from_secs(60);

/// Tokens that were verified a moment ago.
#[derive(Debug)]
pub struct Memory {
    clock: Stopwatch,
    verified: Mutex<HashMap<[u8; 32], Verified>>,
}

#[derive(Debug)]
struct Verified {
    identity: Arc<Identity>,
    until: Duration,
    /// The keys it was verified with.
    keys: [u8; 32],
}

impl Memory {
    /// Makes one that remembers nothing.
    pub fn new() -> Self {
        Self {
            clock: Stopwatch::start(),
            verified: Mutex::default(),
        }
    }

    /// Returns whose token it is, if it was verified with these keys and holds still.
    pub fn recall(&self, token: &[u8; 32], keys: &[u8; 32]) -> Option<Arc<Identity>> {
        let verified = self.verified.lock();
        let known = verified.get(token)?;
        let holds = known.keys == *keys && self.clock.elapsed() < known.until;
        holds.then(|| Arc::clone(&known.identity))
    }

    /// Remembers a token, at most until it expires.
    pub fn remember(
        &self,
        token: [u8; 32],
        keys: [u8; 32],
        identity: Arc<Identity>,
        left: Duration,
    ) {
        let now = self.clock.elapsed();
        let mut verified = self.verified.lock();
        if verified.len() >= TOKENS_MAX {
            verified.retain(|_, it| it.until > now && it.keys == keys);
        }
        // So many within a minute are verified each time.
        if verified.len() < TOKENS_MAX {
            let until = now + left.min(REMEMBERED_MAX);
            let known = Verified {
                identity,
                until,
                keys,
            };
            verified.insert(token, known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Principal;

    fn anybody() -> Arc<Identity> {
        Arc::new(Identity::new(Principal::anybody()))
    }

    #[test]
    fn a_token_is_recalled_with_the_same_keys_until_it_expires() {
        let memory = Memory::new();
        let identity = anybody();
        let long = Duration::from_secs(3600);
        memory.remember([1; 32], [9; 32], identity.clone(), long);
        memory.remember([2; 32], [9; 32], identity.clone(), Duration::ZERO);
        let recalled = memory.recall(&[1; 32], &[9; 32]);
        assert!(Arc::ptr_eq(&recalled.expect("its token"), &identity));
        let is_recalled = |token, keys| memory.recall(&token, &keys).is_some();
        assert!(!is_recalled([1; 32], [8; 32]), "other keys");
        assert!(!is_recalled([2; 32], [9; 32]), "expired");
        assert!(!is_recalled([3; 32], [9; 32]), "another token");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let memory = Memory::new();
        for number in 0..TOKENS_MAX as u64 + 100 {
            let mut token = [0; 32];
            token[..8].copy_from_slice(&number.to_be_bytes());
            memory.remember(token, [9; 32], anybody(), REMEMBERED_MAX);
        }
        assert_eq!(memory.verified.lock().len(), TOKENS_MAX);
        // Other keys make room.
        memory.remember([7; 32], [8; 32], anybody(), REMEMBERED_MAX);
        assert_eq!(memory.verified.lock().len(), 1);
    }
}
