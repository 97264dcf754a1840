//! Reading requests: what they are for, and which of their headers to believe.

pub mod body;
pub mod client_origin;
pub mod connection_info;
pub mod cookies;
pub mod framing;
pub mod headers;
pub mod progress;
pub mod target;
pub mod transaction;

pub use connection_info::{ClientCertificate, ConnectionInfo};
