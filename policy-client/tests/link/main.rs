//! The link to several policy servers, and to those of other systems, over real sockets and TLS.

#![allow(clippy::unwrap_used)] // also in helpers

mod authaz;
mod certificate;
mod deadlines;
mod failover;
mod foreign;
mod server;
mod stream;
mod vsphere;
