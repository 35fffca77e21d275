//! What several tests stand on: real servers, started and stopped, and waiting for what must happen.

pub mod eventually;
pub mod provider;
pub mod redis;
