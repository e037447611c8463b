//! What the tests share; nothing here is a test.

pub(crate) mod api;
pub(crate) mod conditions;
pub(crate) mod doors;
pub(crate) mod flows;
pub(crate) mod golden;
pub(crate) mod http_waiting;
pub(crate) mod http_work;
pub(crate) mod idle_worker;
pub(crate) mod lists;
pub(crate) mod memory;
pub(crate) mod native_worker;
pub(crate) mod routes;
pub(crate) mod server;
pub(crate) mod waiting;
pub(crate) mod work;
