//! What tests share: databases of their own, time that can be moved, and waiting
//! without sleeping.

mod component;
mod database;
mod eventually;
mod guests;
mod host;
mod random;

pub use component::{HandmadeComponent, Run};
pub use database::{Database, SECRETS_KEY, database};
pub use eventually::eventually;
pub use guests::guest;
pub use host::{Host, HostBuilder};
pub use random::Random;
