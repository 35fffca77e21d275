//! What several tests stand on: real servers, started and stopped, and waiting for what must happen.

pub(crate) mod backend;
pub(crate) mod clock;
pub(crate) mod cluster;
pub(crate) mod crowd;
pub(crate) mod editor;
pub(crate) mod eventually;
pub(crate) mod front;
pub(crate) mod house;
pub(crate) mod listener;
pub(crate) mod process;
pub(crate) mod provider;
pub(crate) mod redis;
pub(crate) mod relay;
pub(crate) mod smtp;
pub(crate) mod telephone;
pub(crate) mod terminal;
pub(crate) mod tree;
pub(crate) mod work;
