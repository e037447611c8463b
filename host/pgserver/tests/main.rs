//! The supervisor against a real, installed Postgres. As root the server runs
//! as another user; as any other user, as that user.

mod kill;
mod place;
mod refuse;
mod scratch;
mod start;
