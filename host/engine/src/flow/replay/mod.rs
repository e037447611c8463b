//! What the replay of a member changes in its flow. It is written by the statement of the
//! operator's verb.

mod plan;

pub(crate) use plan::MemberReplay;
