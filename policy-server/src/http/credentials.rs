//! Who asks: agents by name and secret (HTTP Basic, RFC 7617), by a client certificate, or by both;
//! administrators by their secret (Bearer).
//!
//! A wrong name, a wrong secret or certificate and none at all get the same answer before anything else of
//! the request is looked at.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ::http::{HeaderMap, StatusCode, header};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_protocol::{Reason, Secret, Timestamp};

use super::problem::Problem;
use crate::agents::{Hash, Proof};
use crate::audit::{AuditEvent, Record};
use crate::server::{AgentHandle, PolicyServer};

const UNAUTHORIZED: Problem = Problem::new(StatusCode::UNAUTHORIZED);
/// Names the process among those of one agent. It says which keys a process has, and no more.
const INSTANCE: &str = "doorward-agent-instance";
/// The longest name of a process, in bytes; agents send 27.
const MAX_INSTANCE: usize = 64;

/// Who is at the other end of a connection. Every request of the connection carries it as an extension.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The client certificate that the TLS layer has verified, if there is one.
    pub(crate) certificate: Option<Hash>,
}

/// Whether anybody has proven on a connection who they are. Every request of the connection carries it
/// as an extension.
#[derive(Clone, Default)]
pub(crate) struct Proven(Arc<AtomicBool>);

impl Proven {
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Somebody has, with this request.
    fn by(request: &Request) {
        if let Some(Self(proven)) = request.extensions().get() {
            proven.store(true, Ordering::Relaxed);
        }
    }
}

/// The credentials of a scheme, if the request has these and no others.
fn authorization<'h>(headers: &'h HeaderMap, scheme: &str) -> Option<&'h str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (name, credentials) = value.split_once(' ')?;
    (values.next().is_none() && name.eq_ignore_ascii_case(scheme)).then_some(credentials)
}

/// Lets agents through, each with its own handle.
pub(super) async fn agent(
    State(server): State<Arc<PolicyServer>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let peer = request.extensions().get::<Peer>().copied();
    let proof = proof(request.headers(), peer);
    let name = proof
        .as_ref()
        .and_then(|proof| server.agents.identify(proof, server.now()));
    let Some(name) = name else {
        tracing::warn!("refused an agent that could not prove who it is");
        return Err(UNAUTHORIZED);
    };
    Proven::by(&request);
    let instance = instance(request.headers()).map_or_else(|| Arc::clone(&name), Arc::from);
    request.extensions_mut().insert(AgentHandle {
        process: (Arc::clone(&name), instance),
        agent: name,
        address: peer.map(|peer| peer.address),
        proof,
        server,
    });
    Ok(next.run(request).await)
}

/// What a request shows. Nothing if it shows something that is not understood.
fn proof(headers: &HeaderMap, peer: Option<Peer>) -> Option<Proof> {
    let pair = if headers.contains_key(header::AUTHORIZATION) {
        let text = authorization(headers, "Basic")?;
        let pair = Secret::new(STANDARD.decode(text).ok()?);
        let colon = pair.expose().iter().position(|byte| *byte == b':')?;
        let (name, secret) = (&pair.expose()[..colon], &pair.expose()[colon + 1..]);
        Some((std::str::from_utf8(name).ok()?.into(), Hash::of(secret)))
    } else {
        None
    };
    Some(Proof {
        pair,
        certificate: peer.and_then(|peer| peer.certificate),
    })
}

/// Which process of an agent this is, if it says.
fn instance(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(INSTANCE)?.to_str().ok()?;
    (1..=MAX_INSTANCE).contains(&text.len()).then_some(text)
}

/// Refused administrators that are recorded in one second. Of more, which only somebody makes who wants to
/// fill the audit, it is recorded how many there were.
const MAX_RECORDED: u32 = 10;

/// Refused administrators, counted.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<Refused>);

#[derive(Default)]
struct Refused {
    second: Timestamp,
    recorded: u32,
    passed_over: u64,
}

impl Refusals {
    /// There is one more. If it is to be recorded: how many before it were not.
    fn one_more(&self, now: Timestamp) -> Option<u64> {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.second != now {
            refused.second = now;
            refused.recorded = 0;
        }
        if refused.recorded == MAX_RECORDED {
            refused.passed_over += 1;
            return None;
        }
        refused.recorded += 1;
        Some(std::mem::take(&mut refused.passed_over))
    }
}

/// Lets administrators through.
pub(super) async fn administrator(
    State(server): State<Arc<PolicyServer>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let secret = authorization(request.headers(), "Bearer");
    let accepted = secret
        .zip(server.admin)
        .is_some_and(|(secret, admin)| admin.matches(&Hash::of(secret.as_bytes())));
    if !accepted {
        if let Some(passed_over) = server.refused_administrators.one_more(server.now()) {
            let peer = request.extensions().get::<Peer>();
            let detail = match passed_over {
                0 => String::new(),
                number => format!("{number} before it were not recorded"),
            };
            Record {
                reason: Reason::INVALID_SESSION,
                client: peer.map(|peer| peer.address.ip()),
                detail: &detail,
                ..Record::new(AuditEvent::AdminReject, "", "")
            }
            .write(&server.audit)
            .await?;
        }
        return Err(UNAUTHORIZED);
    }
    Proven::by(&request);
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_refusals_at_once_are_counted_and_not_recorded() {
        let refusals = Refusals::default();
        let recorded = (0..100).filter_map(|_| refusals.one_more(Timestamp(7)));
        assert_eq!(recorded.count(), 10);
        assert_eq!(refusals.one_more(Timestamp(8)), Some(90));
        assert_eq!(refusals.one_more(Timestamp(8)), Some(0));
    }
}
