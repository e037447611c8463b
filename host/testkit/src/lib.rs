//! What tests share: databases of their own, time that can be moved, and waiting
//! without sleeping.

mod answered;
mod component;
mod database;
mod eventually;
mod guests;
mod host;
mod memory_group;
mod parts;
mod proxy;
mod random;

pub use answered::Answered;
pub use component::{HandmadeComponent, Run};
pub use database::{Database, SECRETS_KEY, database};
pub use eventually::eventually;
pub use guests::guest;
pub use host::{Host, HostBuilder};
pub use memory_group::MemoryGroup;
pub use parts::{Parts, with_parts};
pub use proxy::{Fault, Pooling, Proxy, Tls};
pub use random::Random;
