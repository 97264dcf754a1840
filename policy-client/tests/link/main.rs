//! The link to several policy servers, over real sockets and TLS.

mod certificate;
mod failover;
mod server;
mod stream;
