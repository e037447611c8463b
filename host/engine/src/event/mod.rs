//! The event log: what became true, in the order of the transactions that made it true.
//! The statements of the verbs write it; here it is read.

mod read;
