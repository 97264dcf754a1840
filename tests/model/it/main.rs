//! Runs the models.

mod keys;
mod real_agent;
mod revocation;
