//! A POST that meets a login is not lost: it waits here, and takes its place in the pipeline again once
//! the user has logged in.
//!
//! Only requests from pages of the same origin wait. Others would let a foreign site have a request sent
//! with the user's session, which the cookie's SameSite is there to prevent.

mod shares;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

use self::shares::{Share, Shares};
use super::state::{browser_nonce, new_nonce};
use super::targets::MAX_TARGET_LENGTH;
use super::{Portal, page};
use crate::access::{Denial, Facts, Visit};
use crate::http::body::{Body, RequestBody};
use crate::http::target::RequestTarget;
use crate::session::Sessions;
use crate::session::cache::BoundedMap;

/// Memory for all waiting requests, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// And for those of one client, so that nobody pushes out what others sent: two of the largest size.
const MAX_CLIENT_BYTES: u64 = 2 * 1024 * 1024 + 8192;
/// How long a request waits: time to find a password, not time for lunch.
const WAITS_FOR: Duration = Duration::from_secs(600);

/// How long the client may take to send what is to be kept.
const RECEIVED_WITHIN: Duration = Duration::from_secs(30);
/// The longest `Content-Type` that is kept.
const MAX_CONTENT_TYPE: usize = 256;

/// A request that waits for a login. It holds copies: a slice would keep the connection's whole buffer.
#[derive(Debug)]
struct Waiting {
    /// The browser that it came from.
    nonce: String,
    target: RequestTarget,
    content_type: Option<HeaderValue>,
    body: Bytes,
    /// Its part of what its client may have kept.
    share: Share,
}

/// The memory of a waiting request in bytes, with a generous allowance for what has a fixed size.
fn weight(target: &RequestTarget, body: &Bytes) -> u64 {
    (1024 + target.path_and_query().as_str().len() + MAX_CONTENT_TYPE + body.len()) as u64
}

/// All requests that wait, by a random id.
#[derive(Debug)]
pub struct PreservedRequests {
    waiting: BoundedMap<String, Arc<Waiting>>,
    shares: Shares,
}

impl Default for PreservedRequests {
    fn default() -> Self {
        let weigh = |_: &String, waiting: &Arc<Waiting>| {
            u32::try_from(waiting.share.bytes()).unwrap_or(u32::MAX)
        };
        Self {
            waiting: BoundedMap::new(MAX_BYTES, weigh),
            shares: Shares::new(MAX_CLIENT_BYTES),
        }
    }
}

impl PreservedRequests {
    /// Room for so much more from a client.
    fn share(&self, client: IpAddr, bytes: u64) -> Option<Share> {
        let share = || self.shares.take(client, bytes);
        share().or_else(|| {
            self.waiting.tidy();
            share()
        })
    }

    /// Whether the request of this id still waits. It does not any more: of several who ask at once, one is told yes.
    fn take(&self, id: &String) -> bool {
        let taken = self.waiting.take(id);
        taken.inspect(|waiting| waiting.share.give_back()).is_some()
    }

    /// What the request of this id is for, if it waits.
    pub fn target(&self, id: &str) -> Option<RequestTarget> {
        Some(self.waiting.get(&id.to_owned())?.target.clone())
    }
}

/// A waiting request whose time has come. It is kept until it is decided upon: what can only not be told now may be
/// tried again.
#[derive(Debug)]
pub struct Resumed {
    id: String,
    waiting: Arc<Waiting>,
}

impl Resumed {
    /// What it is for.
    pub fn target(&self) -> &RequestTarget {
        &self.waiting.target
    }

    /// Turns the headers of the request that brought the user back into those of the one that waited, and
    /// returns what that one said.
    pub fn restore(&self, headers: &mut HeaderMap) -> RequestBody {
        headers.remove(header::CONTENT_TYPE);
        headers.extend(
            self.waiting
                .content_type
                .clone()
                .map(|value| (header::CONTENT_TYPE, value)),
        );
        headers.insert(header::CONTENT_LENGTH, self.waiting.body.len().into());
        RequestBody::full(self.waiting.body.clone())
    }
}

/// Whether a request may be sent now that it was decided upon. A kept one may only once.
pub fn may_be_sent(sessions: &Sessions, facts: &Facts<'_>) -> bool {
    let resumed = facts.resumed;
    resumed.is_none_or(|resumed| sessions.preserved.take(&resumed.id))
}

/// A request is not sent. A kept one is given up, unless it may still be decided: whoever has this browser next must not
/// send what was refused to somebody else.
pub fn give_up_if_decided(sessions: &Sessions, facts: &Facts<'_>, denial: &Denial) {
    let undecided = matches!(denial, Denial::Challenge { .. } | Denial::PolicyUnavailable);
    if let Some(resumed) = facts.resumed.filter(|_| !undecided) {
        sessions.preserved.take(&resumed.id);
    }
}

/// Keeps a request, if it may be kept and is not kept already. Returns its id and, for a browser that has none yet, the
/// nonce that ties the request to it.
pub(super) async fn keep(
    sessions: &Sessions,
    visit: &Visit<'_>,
    body: RequestBody,
) -> Option<(String, Option<HeaderValue>)> {
    if let Some(resumed) = visit.resumed {
        return Some((resumed.id.clone(), None));
    }
    let limit = visit.site.config.login.preserve_bytes;
    // A browser says where a request comes from; what says nothing cannot be told from a foreign site.
    let says_origin =
        visit.headers.contains_key(header::ORIGIN) || visit.headers.contains_key("sec-fetch-site");
    if limit == 0 || !says_origin || !super::form::is_same_origin(visit) {
        return None;
    }
    let content_type = visit.headers.get(header::CONTENT_TYPE);
    if visit.headers.contains_key(header::CONTENT_ENCODING)
        || content_type.is_some_and(|value| value.len() > MAX_CONTENT_TYPE)
        || visit.target.path_and_query().as_str().len() > MAX_TARGET_LENGTH
    {
        return None;
    }
    let received = timeout(RECEIVED_WITHIN, Limited::new(body, limit).collect()).await;
    let body = received.ok()?.ok()?.to_bytes();
    let known = browser_nonce(visit.headers, &visit.site.cookies).map(str::to_owned);
    let is_new = known.is_none();
    let nonce = known.or_else(new_nonce)?;
    let cookie = if is_new {
        Some(visit.site.cookies.login(nonce.clone())?)
    } else {
        None
    };
    let id = new_nonce()?;
    let target = visit.target.detached();
    let bytes = weight(&target, &body);
    let share = sessions.preserved.share(visit.origin.address, bytes)?;
    let waiting = Waiting {
        nonce,
        target,
        content_type: content_type.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok()),
        body: Bytes::copy_from_slice(&body),
        share,
    };
    sessions
        .preserved
        .waiting
        .insert(id.clone(), Arc::new(waiting), WAITS_FOR);
    Some((id, cookie))
}

/// `GET resume`: the request that waited takes this one's place, in the browser that it came from.
///
/// # Errors
/// If the address is none of ours.
pub fn resume(sessions: &Sessions, visit: &Visit<'_>) -> Result<Portal, Denial> {
    let query = visit.target.query().unwrap_or_default();
    let id = query
        .strip_prefix("ID=")
        .ok_or(Denial::NotFound)?
        .to_owned();
    let nonce = browser_nonce(visit.headers, &visit.site.cookies);
    let is_theirs = |waiting: &Arc<Waiting>| {
        Some(waiting.nonce.as_str()) == nonce
            && waiting.target.authority() == visit.target.authority()
    };
    let waiting = sessions.preserved.waiting.get(&id).filter(is_theirs);
    match waiting.filter(|_| super::form::is_same_origin(visit)) {
        Some(waiting) => Ok(Portal::Resumed(Resumed { id, waiting })),
        None => Ok(Portal::Answered(already_sent(visit))),
    }
}

/// The answer to who comes for a kept request that is gone.
pub fn already_sent(visit: &Visit<'_>) -> Response<Body> {
    page(
        visit,
        StatusCode::CONFLICT,
        visit.site.pages.already_sent("/"),
    )
}

/// Whether a request of this method loses something on the way through a redirect.
pub(super) fn loses_its_body(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}
