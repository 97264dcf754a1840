//! May this user do this? The realm's own rules first, then, where the realm asks for it, the policy
//! server's Authorize().

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, Method};
use policy_protocol::message::{AuthorizeAnswer, AuthorizeRequest, ResponseAttribute};
use policy_protocol::{Identity, Reason, SessionId, Timestamp};

use crate::access::authenticate::Admitted;
use crate::access::grant::GrantedIdentity;
use crate::access::protection::covers;
use crate::access::{Denial, Grant, Visit, identity, realm_context, redirect};
use crate::config::{Realm, Rule};
use crate::http::client_origin::is_listed;
use crate::login::direct;
use crate::record::audit_context;
use crate::session::Sessions;
use crate::session::cache::CachedSession;
use crate::session::validate::ends_session;
use crate::site::Site;
use crate::telemetry::audit::{self, AuditEvent};
use crate::telemetry::metrics::{PolicyAnswer, PolicyCall};

/// The longest a decision of the policy server is kept, whatever it says.
const MAX_DECISION_AGE: Duration = Duration::from_secs(600);

/// Everything that a decision of the policy server depended on (R5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DecisionKey {
    session: SessionId,
    realm: String,
    server: String,
    resource: String,
    action: Method,
    client: IpAddr,
    /// A cache flush makes every older decision unfindable.
    generation: u64,
}

/// A decision of the policy server.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Allowed, with these additions.
    Yes {
        /// Headers for the application.
        headers: Arc<[(HeaderName, HeaderValue)]>,
        /// `Set-Cookie` values for the browser.
        cookies: Arc<[HeaderValue]>,
        /// Where to lead the browser instead of letting the request pass.
        redirect: Option<Arc<str>>,
    },
    /// Not allowed.
    No {
        /// Why.
        reason: Reason,
        /// Where to lead the browser instead of refusing.
        redirect: Option<Arc<str>>,
    },
}

/// A decision that is kept.
#[derive(Clone, Debug)]
pub struct KeptDecision {
    decision: Decision,
    asked: Instant,
    /// By the clock of the wall: the other one stands still while the machine is suspended.
    expires: Timestamp,
}

impl KeptDecision {
    /// Whether it holds for a request that arrives then, if it may be no older than `period`.
    fn holds(&self, now: Timestamp, arrived: Instant, period: Duration) -> bool {
        now < self.expires && arrived.saturating_duration_since(self.asked) < period
    }
}

/// The memory of a kept decision in bytes, with a generous allowance for what has a fixed size.
pub fn weight(key: &DecisionKey, kept: &KeptDecision) -> u32 {
    let (additions, redirect): (usize, _) = match &kept.decision {
        Decision::Yes {
            headers,
            cookies,
            redirect,
        } => {
            let headers = headers
                .iter()
                .map(|(name, value)| name.as_str().len() + value.len());
            let lengths = headers.chain(cookies.iter().map(HeaderValue::len));
            (lengths.sum(), redirect)
        }
        Decision::No { redirect, .. } => (0, redirect),
    };
    let redirect = redirect.as_ref().map_or(0, |text| text.len());
    let texts = key.realm.len() + key.server.len() + key.resource.len();
    u32::try_from(512 + texts + additions + redirect).unwrap_or(u32::MAX)
}

/// What the rules of a realm say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RuleVerdict<'r> {
    /// Whether the request may pass.
    pub allowed: bool,
    /// The rule that decided, if one did.
    pub rule: Option<&'r Rule>,
}

/// What a request looks like to a rule.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// Who.
    pub identity: &'s Identity,
    /// From where.
    pub client: IpAddr,
    /// Which resource.
    pub resource: &'s str,
    /// Doing what.
    pub method: &'s Method,
}

/// Decides, and lets the request pass.
///
/// # Errors
/// [`Denial::Forbidden`] if a rule or the policy server says no, [`Denial::Challenge`] if it says no because the
/// session is over or too weak, [`Denial::Elsewhere`] if it says yes and leads elsewhere,
/// [`Denial::PolicyUnavailable`] if it must be asked and cannot.
pub async fn authorize(
    sessions: &Arc<Sessions>,
    visit: &Visit<'_>,
    realm: &Arc<Realm>,
    admitted: &Admitted,
) -> Result<Grant, Denial> {
    let session = &admitted.session;
    let forbidden = |redirect: Option<Arc<str>>| Denial::Forbidden {
        realm: Arc::clone(realm),
        session: Arc::clone(session),
        redirect: redirect.filter(|location| !redirect::leads_here(visit, location)),
    };
    let allowed = {
        let state = session.state();
        let subject = Subject {
            identity: &state.identity,
            client: visit.origin.address,
            resource: visit.target.resource(),
            method: visit.target.method(),
        };
        evaluate(&realm.rules, subject).allowed
    };
    if !allowed {
        let user = session.state().identity.user_name.clone();
        audit::record(
            AuditEvent::AzReject,
            &audit_context(visit, realm, Some(&user)),
            Reason::NONE,
        );
        return Err(forbidden(None));
    }
    let (decision_headers, decision_cookies) = if realm.authorize {
        match decide(sessions, visit, realm, session).await? {
            Decision::Yes {
                cookies,
                redirect: Some(location),
                ..
            } if !redirect::leads_here(visit, &location) => {
                let due = admitted.set_cookie.iter();
                return Err(Denial::Elsewhere {
                    realm: Arc::clone(realm),
                    session: Arc::clone(session),
                    location,
                    cookies: cookies.iter().chain(due).cloned().collect(),
                });
            }
            Decision::Yes {
                headers, cookies, ..
            } => (Some(headers), Some(cookies)),
            Decision::No { reason, redirect } => {
                let may_step_up =
                    redirect.is_none() && may_step_up(sessions, visit, realm, session);
                if ends_session(reason) || reason == Reason::AUTH_LEVEL_TOO_LOW && may_step_up {
                    return Err(Denial::Challenge {
                        realm: Arc::clone(realm),
                        reason,
                    });
                }
                return Err(forbidden(redirect));
            }
        }
    } else {
        (None, None)
    };
    let ready = identity::headers(sessions, visit, realm, session)?;
    Ok(Grant::user(
        Arc::clone(realm),
        GrantedIdentity {
            session: Arc::clone(session),
            ready,
            decision_headers,
            decision_cookies,
        },
    ))
}

/// Whether a login may make a stronger session. One that a login to this very realm has made is as strong as the next,
/// and who sends credentials with each request would be asked for them for ever.
fn may_step_up(
    sessions: &Sessions,
    visit: &Visit<'_>,
    realm: &Realm,
    session: &CachedSession,
) -> bool {
    !session.was_made_for(&realm.name) && direct::presented(sessions, visit, realm).is_none()
}

/// What a realm's rules say: a matching `deny` refuses; otherwise, if there are `allow` rules, one must
/// match.
pub fn evaluate<'r>(rules: &'r [Rule], subject: Subject<'_>) -> RuleVerdict<'r> {
    let matching = |deny: bool| {
        rules
            .iter()
            .find(move |rule| rule.deny == deny && matches(rule, subject))
    };
    if let Some(rule) = matching(true) {
        return RuleVerdict {
            allowed: false,
            rule: Some(rule),
        };
    }
    match matching(false) {
        Some(rule) => RuleVerdict {
            allowed: true,
            rule: Some(rule),
        },
        None => RuleVerdict {
            allowed: rules.iter().all(|rule| rule.deny),
            rule: None,
        },
    }
}

fn matches(rule: &Rule, subject: Subject<'_>) -> bool {
    let any = |empty: bool, found: bool| empty || found;
    let identity = subject.identity;
    rule.resource
        .as_deref()
        .is_none_or(|prefix| is_below(rule, prefix, subject.resource))
        && any(
            rule.methods.is_empty(),
            rule.methods.contains(subject.method),
        )
        && any(
            rule.networks.is_empty(),
            is_listed(&rule.networks, subject.client),
        )
        && any(
            rule.users.is_empty(),
            rule.users
                .iter()
                .any(|user| user.eq_ignore_ascii_case(&identity.user_name)),
        )
        && any(
            rule.groups.is_empty(),
            rule.groups
                .iter()
                .any(|group| identity.groups.contains(group)),
        )
        && rule.attributes.iter().all(|(name, wanted)| {
            identity
                .attributes
                .get(name)
                .is_some_and(|values| values.iter().any(|value| wanted.contains(value)))
        })
}

/// Whether a rule is about a resource. Some applications do not tell upper from lower case, so a refusal
/// holds for both.
fn is_below(rule: &Rule, prefix: &str, resource: &str) -> bool {
    covers(prefix, resource)
        || rule.deny && covers(&prefix.to_ascii_lowercase(), &resource.to_ascii_lowercase())
}

async fn decide(
    sessions: &Sessions,
    visit: &Visit<'_>,
    realm: &Arc<Realm>,
    session: &CachedSession,
) -> Result<Decision, Denial> {
    let key = DecisionKey {
        session: session.id(),
        realm: realm.name.clone(),
        server: visit.target.host().to_owned(),
        resource: visit.target.resource().to_owned(),
        action: visit.target.method().clone(),
        client: visit.origin.address,
        generation: sessions.trust.generation(),
    };
    // Without events, nobody would tell that policies are others by now.
    let period = sessions
        .trust
        .period(key.generation, MAX_DECISION_AGE, visit.arrived);
    let kept = visit.site.decisions.get(&key);
    if let Some(kept) = kept.filter(|kept| kept.holds(visit.now, visit.arrived, period)) {
        return Ok(kept.decision);
    }
    let request = AuthorizeRequest {
        session: session.ticket(),
        resource: visit.resource_context(),
        realm: realm_context(realm),
        from: visit.origin.address,
        client_address: visit.bound_address(),
        transaction_id: visit.transaction_id.as_str().to_owned(),
    };
    let asked = Instant::now();
    let answer = sessions.policy.authorize(request).await;
    sessions.metrics.policy_calls.count(
        PolicyCall::Authorize,
        match &answer {
            Ok(AuthorizeAnswer::Yes { .. }) => PolicyAnswer::Yes,
            Ok(AuthorizeAnswer::No { .. }) => PolicyAnswer::No,
            Err(_) => PolicyAnswer::Error,
        },
    );
    let (decision, ttl) = match answer.map_err(|_| Denial::PolicyUnavailable)? {
        AuthorizeAnswer::Yes {
            ttl,
            responses,
            redirect,
        } => (translate(visit.site, responses, redirect), ttl),
        AuthorizeAnswer::No {
            ttl,
            reason,
            redirect,
        } => {
            if ends_session(reason) {
                sessions.cache.end(session.id(), reason);
            }
            // One that cannot be followed is none: refused is refused.
            let redirect = redirect.and_then(redirect::checked);
            (Decision::No { reason, redirect }, ttl)
        }
    };
    // The policy server counted from when it decided, which was not before it was asked.
    let ttl = ttl.min(MAX_DECISION_AGE);
    let left = ttl.saturating_sub(asked.elapsed());
    if !left.is_zero() {
        let kept = KeptDecision {
            decision: decision.clone(),
            asked,
            expires: visit.now.plus(ttl),
        };
        visit.site.decisions.insert(key, kept, left);
    }
    Ok(decision)
}

/// Only managed headers are passed on: of any other, the client's own copy would stand wherever a policy
/// does not set it (R1). Attributes that cannot be a header or a cookie are left out; a redirect that cannot
/// be followed leaves nothing that may be done.
fn translate(site: &Site, responses: Vec<ResponseAttribute>, redirect: Option<String>) -> Decision {
    let redirect = match redirect.map(redirect::checked) {
        Some(None) => {
            return Decision::No {
                reason: Reason::NONE,
                redirect: None,
            };
        }
        Some(location) => location,
        None => None,
    };
    let mut headers = Vec::new();
    let mut cookies = Vec::new();
    for response in responses {
        match response {
            ResponseAttribute::Header { name, value } => {
                let (Ok(name), Ok(value)) =
                    (HeaderName::try_from(name), HeaderValue::try_from(value))
                else {
                    continue;
                };
                if site.managed.is_managed(&name) {
                    headers.push((name, value));
                } else {
                    tracing::warn!(%name, "a policy sets a header that is not listed in identity.managed_headers");
                }
            }
            ResponseAttribute::Cookie { name, value } => {
                cookies.extend(identity::response_cookie(&name, &value))
            }
        }
    }
    Decision::Yes {
        headers: headers.into(),
        cookies: cookies.into(),
        redirect,
    }
}

#[cfg(test)]
mod tests;
