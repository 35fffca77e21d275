//! callgate answers a telephony provider's voice webhooks and walks every caller through a flow.

pub mod audit;
pub mod carrier;
pub mod chance;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod diagnostic;
pub mod directory;
pub mod document;
pub mod draw;
pub mod engine;
pub mod exchange;
pub mod flow;
pub mod limits;
pub mod lsp;
pub mod outbox;
pub mod phone;
pub mod render;
pub mod replay;
pub mod secret;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod twiml;
