//! Integration tests: a module for each behaviour, all over real sockets.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    unreachable_pub,
    reason = "nothing reaches into a test binary, and the fuzz targets share a module with it"
)]

mod admin;
mod am;
mod am_client;
mod am_interop;
mod assertion;
mod authaz_back_end;
mod bad_input;
mod basic;
mod browser;
mod cache;
mod certificate;
mod clients_interop;
mod config;
mod corpus;
mod doorward_to_doorward;
mod drain;
mod fleet;
mod framing;
mod hang_up;
mod headers;
mod http2_floods;
mod http2_smuggling;
mod keys;
mod ldap;
mod logout;
mod outage;
mod password_change;
mod paths;
mod policies;
mod post_preservation;
mod proxy;
mod redirect_targets;
mod reload;
mod remembered_name;
mod rollover;
mod rules;
mod seal;
mod second_factor;
mod secrets;
mod services_am;
mod services_authaz;
mod services_vsphere;
mod services_vsphere_saml;
mod step_up;
mod story;
mod streaming;
mod support;
mod time;
mod upgrade;
mod vcsim_interop;
mod vsphere_back_end;
