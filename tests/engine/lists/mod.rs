//! Lists of executions: filters, pages to their end, and what moves meanwhile.

mod bounds;
mod filters;
mod moving;
