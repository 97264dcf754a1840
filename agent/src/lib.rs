//! Doorward's gateway: a reverse-proxy web agent.
//!
//! In reading order:
//! * [`pipeline`] is the life of one request, in one function.
//! * [`http`] reads requests: one host, one canonical path, one action; managed headers.
//! * [`access`] decides: protection, authentication, authorization. Only it can make a
//!   [`Grant`](access::Grant), and nothing is forwarded without one.
//! * [`session`] knows SMSESSION cookies, agent keys and the session cache.
//! * [`login`] asks for credentials: form, Basic, client certificate; and logs out.
//! * [`services`] answers clients of other systems about sessions, in their dialects.
//! * [`outbound`] writes what the application is told, [`upstream`] forwards to the protected application.
//! * [`server`] accepts connections, ends TLS and drains.
//! * [`runtime`] joins all of it into a running agent.
//! * [`config`] turns TOML into values that cannot be wrong.
//! * [`telemetry`] and [`admin`] tell operators what happens.

pub mod access;
pub mod admin;
pub mod config;
pub mod http;
pub mod login;
pub mod outbound;
pub mod pipeline;
pub mod record;
pub mod runtime;
pub mod server;
pub mod services;
pub mod session;
pub mod site;
pub mod telemetry;
pub mod upstream;

pub use runtime::{Agent, RunningAgent, StartError};
