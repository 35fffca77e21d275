//! The voice: a [`Reply`](crate::engine::reply::Reply) written as TwiML.

pub mod links;
