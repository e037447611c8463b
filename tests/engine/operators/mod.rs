//! Verbs of operators, which need no fence: what they change, what the holder
//! then meets, and that they are kept with the execution.

mod endings;
mod labels;
mod queue;
mod replays;
