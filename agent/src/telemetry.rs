//! Tells operators what happens: [logs](logging), one line for [every request](access_log), the
//! [audit] of who was let in, and [metrics].
//!
//! All of them carry the same transaction id, none of them ever holds a password, a token, a key or a
//! query string, and whatever a client or a directory said is [escaped](escape) before it is written.

pub mod access_log;
pub mod audit;
pub mod escape;
pub mod logging;
pub mod metrics;
pub mod outcome;

pub use access_log::{AccessLog, AccessRecord};
pub use audit::{AuditContext, AuditEvent};
pub use metrics::Metrics;
pub use outcome::Outcome;
