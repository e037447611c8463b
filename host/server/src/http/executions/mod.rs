//! Executions: creating, reading, following and operating them, below `/v1/executions`.

pub mod batch;
pub mod block;
pub mod cancel;
pub mod create;
pub mod get;
pub mod list;
pub mod operate;
pub mod overrides;
pub mod suspended;
pub mod suspensions;
pub mod tags;
pub mod timeline;
pub mod wait;
