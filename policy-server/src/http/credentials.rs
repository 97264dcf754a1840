//! Who asks: agents by name and secret (HTTP Basic, RFC 7617), administrators by their secret (Bearer).
//!
//! A wrong name, a wrong secret and none at all get the same answer before anything else of the
//! request is looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::http::{HeaderMap, StatusCode, header};
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_protocol::{Reason, Secret};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use crate::audit::{AuditEvent, Record};
use crate::server::{AgentHandle, PolicyServer};

const UNAUTHORIZED: Problem = Problem(StatusCode::UNAUTHORIZED);

/// A secret that can be compared and nothing else: hashes have one length, so that comparing them in
/// constant time does not tell the secret's.
#[derive(Clone, Copy)]
pub(crate) struct SecretHash([u8; SHA256_OUTPUT_LEN]);

impl SecretHash {
    pub(crate) fn of(secret: &Secret<String>) -> Self {
        Self::of_bytes(secret.expose().as_bytes())
    }

    fn of_bytes(secret: &[u8]) -> Self {
        let mut hash = [0; SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest(&SHA256, secret).as_ref());
        Self(hash)
    }

    fn matches(&self, secret: &[u8]) -> bool {
        self.0.ct_eq(&Self::of_bytes(secret).0).into()
    }
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
    let name = authorization(request.headers(), "Basic").and_then(|text| known(&server, text));
    let Some(name) = name else {
        tracing::warn!("refused an agent that could not prove who it is");
        return Err(UNAUTHORIZED);
    };
    Proven::by(&request);
    request.extensions_mut().insert(AgentHandle {
        agent: name.into(),
        server,
    });
    Ok(next.run(request).await)
}

/// The name of the agent that a pair of name and secret belongs to.
fn known(server: &PolicyServer, text: &str) -> Option<String> {
    let pair = Secret::new(STANDARD.decode(text).ok()?);
    let colon = pair.expose().iter().position(|byte| *byte == b':')?;
    let (name, secret) = (&pair.expose()[..colon], &pair.expose()[colon + 1..]);
    let name = std::str::from_utf8(name).ok()?;
    server
        .agents
        .get(name)?
        .matches(secret)
        .then(|| name.to_owned())
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
        .is_some_and(|(secret, admin)| admin.matches(secret.as_bytes()));
    if !accepted {
        let reason = Reason::INVALID_SESSION;
        Record {
            reason,
            ..Record::new(AuditEvent::AdminReject, "", "")
        }
        .write(&server.audit)
        .await?;
        return Err(UNAUTHORIZED);
    }
    Proven::by(&request);
    Ok(next.run(request).await)
}
