//! suspension_timeouts: suspended longer than it may be → failed, cancelled or expired,
//! ready again, or an operator is asked.

mod sweep;
