//! Answers agents: user directories, sessions, keys and policies.
//!
//! A [`PolicyServer`] is a library. An agent in the same process asks it through
//! [`PolicyServer::as_agent`]; agents elsewhere ask over HTTPS, where [`serve()`] puts the same handle
//! behind a [router](PolicyServer::router). Either way it is one `PolicyCalls`, and the same code
//! answers.
//!
//! | file | owns |
//! |---|---|
//! | [`server`] | the parts put together |
//! | `maintenance` | what is done every so often without being asked |
//! | `calls` | Login, Validate, Authorize, IsProtected, Logout, one file each |
//! | `spec` | the session spec and its twenty fields |
//! | `keys`, `master_key` | agent keys and session ticket keys, their rollover, what seals them at rest |
//! | `agents`, `presence` | which agents may ask; which listen, and with which keys |
//! | [`directory`] | who the users are |
//! | `regulation`, `answer_time` | what guessing costs, and what the time of an answer tells |
//! | `second_factor` | what users prove beside the password |
//! | [`store`] | what survives a restart |
//! | [`policy`] | who may do what |
//! | `feed`, `events` | what any policy server has done; what agents are told of it |
//! | [`sessions`], `admin` | sessions as seen from outside |
//! | `audit` | what everybody was told, written before they were |
//! | `uses` | when sessions were last used |
//! | `http`, [`mod@serve`] | the same over HTTPS |

mod admin;
mod agent_keys;
mod agents;
mod answer_time;
mod audit;
mod calls;
#[cfg(any(feature = "ldap", feature = "postgres"))]
mod client_tls;
pub mod config;
pub mod directory;
mod events;
mod feed;
mod file_stamp;
mod http;
mod key_administration;
mod keys;
mod maintenance;
mod master_key;
pub mod policy;
mod presence;
mod regulation;
mod rolling_keys;
mod second_factor;
pub mod serve;
pub mod server;
pub mod sessions;
mod spec;
pub mod store;
mod store_health;
mod ticket_keys;
mod users;
mod uses;

pub use config::file::schema;
pub use config::{AgentCredentials, Limits, ListenConfig, PolicyServerConfig, Problem, Problems};
pub use directory::password::{HashError, PasswordCost, hash_password, hash_password_at};
pub use http::openapi;
pub use master_key::generate as generate_master_key;
pub use serve::{RunningPolicyServer, ServeError, serve};
pub use server::{AgentHandle, OpenError, PolicyServer};
pub use users::NotEnrolled;
