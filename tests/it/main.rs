//! Everything that is tested from outside: one binary, so that it links once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets what it did not expect is to fail, and so are the stand-ins that serve it"
)]

mod agents;
mod api_key;
mod attempts;
mod audit_show;
mod bad_input;
mod carrier;
mod cli;
mod configuration;
mod damage;
mod deploy;
mod directory;
mod docs;
mod e2e;
mod editions;
mod editor;
mod faults;
mod fix;
mod fleet;
mod flows;
mod fuzz;
mod golden;
mod graph;
mod guards;
mod hash_pin;
mod layout;
mod leftovers;
mod lookup;
mod mail;
mod messages;
mod metrics;
mod numbers;
mod odds;
mod outbound;
mod outbox;
mod overload;
mod pages;
mod proof;
mod recording;
mod render;
mod replay;
mod room;
mod round_trips;
mod schema;
mod service_codes;
mod signals;
#[path = "../sim/mod.rs"]
mod sim;
mod starts;
mod steps;
mod store;
mod support;
mod terminal;
mod threats;
mod tidy;
mod traces;
mod unlock;
mod usage;
mod verify;
mod webhooks;
mod writing;
