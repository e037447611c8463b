//! What the tests of the doors share: certificates, and an issuer of tokens.

pub(crate) mod certificates;
pub(crate) mod issuer;
