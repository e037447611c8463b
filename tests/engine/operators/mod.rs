//! Verbs of operators, which need no fence: what they change, how the holder
//! is refused then, and that they are recorded with the execution.

mod endings;
mod labels;
mod queue;
mod replays;
