//! Tokens that were verified a moment ago, by their digests, so that a repeated one costs
//! a hash. The tokens themselves are not kept.

use std::collections::HashMap;
use std::time::Duration;

use model::Principal;
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
    principal: Principal,
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
    pub fn recall(&self, token: &[u8; 32], keys: &[u8; 32]) -> Option<Principal> {
        let verified = self.verified.lock();
        let known = verified.get(token)?;
        let holds = known.keys == *keys && self.clock.elapsed() < known.until;
        holds.then(|| known.principal.clone())
    }

    /// Remembers a token, at most until it expires.
    pub fn remember(&self, token: [u8; 32], keys: [u8; 32], principal: Principal, left: Duration) {
        let now = self.clock.elapsed();
        let mut verified = self.verified.lock();
        if verified.len() >= TOKENS_MAX {
            verified.retain(|_, it| it.until > now && it.keys == keys);
        }
        // So many within a minute are verified each time.
        if verified.len() < TOKENS_MAX {
            let until = now + left.min(REMEMBERED_MAX);
            let known = Verified {
                principal,
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

    #[test]
    fn a_token_is_recalled_with_the_same_keys_until_it_expires() {
        let memory = Memory::new();
        let principal = Principal::anybody();
        let long = Duration::from_secs(3600);
        memory.remember([1; 32], [9; 32], principal.clone(), long);
        memory.remember([2; 32], [9; 32], principal.clone(), Duration::ZERO);
        assert_eq!(memory.recall(&[1; 32], &[9; 32]), Some(principal));
        assert_eq!(memory.recall(&[1; 32], &[8; 32]), None, "other keys");
        assert_eq!(memory.recall(&[2; 32], &[9; 32]), None, "expired");
        assert_eq!(memory.recall(&[3; 32], &[9; 32]), None, "another token");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let memory = Memory::new();
        for number in 0..TOKENS_MAX as u64 + 100 {
            let mut token = [0; 32];
            token[..8].copy_from_slice(&number.to_be_bytes());
            memory.remember(token, [9; 32], Principal::anybody(), REMEMBERED_MAX);
        }
        assert_eq!(memory.verified.lock().len(), TOKENS_MAX);
        // Other keys make room.
        memory.remember([7; 32], [8; 32], Principal::anybody(), REMEMBERED_MAX);
        assert_eq!(memory.verified.lock().len(), 1);
    }
}
