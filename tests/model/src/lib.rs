//! The protocols that keep N policy servers and their agents of one mind, as models.
//!
//! A model holds what decides who gets in and leaves out everything else: no sockets, no ciphers, no HTTP.
//! [`explore`] visits every state that a small model can reach, and follows random schedules through larger
//! ones. A schedule that breaks an invariant is printed action by action, with the seed that leads to it.
//!
//! * [`revocation`]: sessions end, and every agent refuses them.
//! * [`keys`]: keys roll over, and no good cookie is refused.
//!
//! What is stated and what was checked is in `docs/src/design/protocols.md`. `tests/model/it` runs the models:
//! as they are, and with one rule left out at a time, which must be noticed. It also runs the agent's own
//! code (link, trust, session cache, Validate, key ring) through random schedules beside the model, and
//! compares every decision.
//!
//! The explorer is our own, a page of code: the crates for it bring threads, a web interface and random numbers
//! that are not ours to seed.

pub mod explore;
pub mod keys;
pub mod revocation;
