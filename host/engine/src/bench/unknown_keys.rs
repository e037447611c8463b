//! Keys that no database knows.

use crate::ApiKeyText;

/// Draws texts that are well formed, so that a host has to look them up.
pub fn unknown_keys(count: usize) -> Vec<ApiKeyText> {
    (0..count).map(|_| ApiKeyText::draw()).collect()
}
