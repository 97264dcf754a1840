//! Runs the models.

mod keys;
mod revocation;
