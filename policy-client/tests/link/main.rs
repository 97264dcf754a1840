//! The link to several policy servers, over real sockets and TLS.

#![allow(clippy::unwrap_used)] // also in helpers

mod certificate;
mod failover;
mod server;
mod stream;
