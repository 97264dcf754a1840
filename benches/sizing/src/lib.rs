//! Fills a store with sessions and measures what they cost: memory, disk, and calls in a second.
//!
//! Engines are real servers on this machine, started for it and stopped after it. Only the store is
//! measured: no TLS to agents, no password hashing, no sealing.
#![allow(
    clippy::unwrap_used,
    reason = "a measurement that fails has nothing to say"
)]

mod engine;
mod measure;
mod population;

pub use engine::{Engine, EngineKind};
pub use measure::{Figures, Load, Rate, measure};
pub use population::fill;
