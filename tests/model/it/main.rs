//! Runs the models.

mod revocation;
