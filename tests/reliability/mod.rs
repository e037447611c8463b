//! What must hold when the database fails, hosts die, callers compete, or input is
//! hostile.

mod api_fuzz;
mod chaos;
mod chaos_database;
mod database_faults;
mod event_readers;
mod fuzz;
mod hostile;
mod interleavings;
mod outage;
mod poolers;
mod programs;
mod zombies;
