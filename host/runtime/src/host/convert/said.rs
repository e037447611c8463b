//! Refusals as texts for guests.

use model::Refusal;

/// Returns the text of `invalid`, which begins with the code of the refusal.
pub(in crate::host) fn said(refusal: &impl Refusal) -> String {
    format!("{}: {refusal}", refusal.code())
}
