//! Chaos: three policy servers, three agents and a real store as processes of their own, users at work, and one
//! thing after another that breaks.
//!
//! ```text
//! users ──> agent 0,1,2 ──link──> policy server 0,1,2 ──link──> Valkey or PostgreSQL
//! ```
//! Processes are killed and paused; links are cut, held (both ways or one) and slowed down ([`proxy`]). The load itself checks all the
//! time what must hold ([`checker`]): there is no moment at which nobody looks.
#![allow(clippy::unwrap_used, reason = "a test that cannot do its work fails")]

pub mod bounds;
pub mod browser;
pub mod checker;
pub mod fault;
pub mod installation;
pub mod load;
pub mod origin;
pub mod process;
pub mod proxy;
pub mod random;
pub mod report;
pub mod run;
pub mod store;
pub mod watch;
