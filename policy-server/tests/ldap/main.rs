//! Users in a real LDAP server (slapd). Skipped, loudly, where it is not installed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod certificates;
mod connection;
mod groups;
mod harness;
mod names;
mod outage;
mod passwords;
mod sessions;
