//! What integration tests need around a gateway: certificates, an origin that writes down what it
//! saw, clients that can say anything, a real browser.
//!
//! Everything listens on port 0 of the loopback and ends when it is dropped. A helper that cannot do
//! its work panics with what it was doing: in a test that is the right kind of error.
#![allow(
    clippy::unwrap_used,
    reason = "a harness that cannot do its work fails its test"
)]

pub mod browser;
pub mod client;
pub mod eventually;
pub mod fake_am;
pub mod foreign_server;
pub mod gateway;
pub mod logs;
pub mod origin;
pub mod pki;
pub mod policy_host;
pub mod policy_watch;
pub mod raw;
pub mod raw_http2;
pub mod toml_merge;

pub use browser::Browser;
pub use client::{Answer, Client, Protocol};
pub use eventually::{eventually, within};
pub use foreign_server::ForeignServer;
pub use origin::{Origin, SeenRequest};
pub use pki::{Leaf, Pki};
pub use raw::{RawClient, RawResponse};
pub use raw_http2::RawHttp2;
