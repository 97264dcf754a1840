//! `policies?_action=evaluate`: may this session do this?
//!
//! A decision is a map of actions to yes and no. What is not in it is not allowed, and an allowed action with
//! advices is not a yes: an advice says what is missing.

use std::collections::BTreeMap;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use policy_protocol::message::{AuthorizeAnswer, AuthorizeRequest, ResponseAttribute};
use policy_protocol::{Reason, ResourceContext, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::limits::MAX_DECISION_TIME;
use super::reply::parse;
use crate::PolicyError;

/// What `Accept-API-Version` says.
pub(super) const VERSION: &str = "resource=2.0";
/// What cannot stand in the path of an address as it is (RFC 3986), `?` and `#` included: the path ends there.
const NOT_IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// Says that the session's level is too low.
const AUTH_LEVEL_ADVICE: &str = "AuthLevelConditionAdvice";

/// The name of a resource in policies: an address with its port, as AM's own agents write it.
pub(super) fn resource_name(resource: &ResourceContext) -> String {
    let path = utf8_percent_encode(&resource.resource, NOT_IN_PATHS);
    format!("https://{}:443{path}", resource.server)
}

/// The body of the question.
///
/// # Errors
/// If it cannot be written as JSON.
pub(super) fn question(
    request: &AuthorizeRequest,
    resource: &str,
    application: &str,
) -> Result<Secret<Vec<u8>>, PolicyError> {
    #[derive(Serialize)]
    struct Question<'a> {
        resources: [&'a str; 1],
        application: &'a str,
        subject: Subject<'a>,
        environment: Environment,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Subject<'a> {
        sso_token: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Environment {
        request_ip: [String; 1],
    }
    let question = Question {
        resources: [resource],
        application,
        subject: Subject {
            sso_token: request.session.session_spec.as_str(),
        },
        environment: Environment {
            request_ip: [request.from.to_string()],
        },
    };
    let body = serde_json::to_vec(&question).map_err(|_| PolicyError::Protocol)?;
    Ok(Secret::new(body))
}

#[derive(Deserialize)]
struct Decision {
    resource: String,
    actions: BTreeMap<String, bool>,
    #[serde(default)]
    attributes: BTreeMap<String, Vec<Value>>,
    #[serde(default)]
    advices: BTreeMap<String, Value>,
    ttl: Option<Number>,
}

/// Reads the decision about `resource`.
///
/// # Errors
/// If there is not exactly one about that very resource.
pub(super) fn decide(
    body: &Secret<Vec<u8>>,
    resource: &str,
    action: &str,
    now: Timestamp,
) -> Result<AuthorizeAnswer, PolicyError> {
    let decisions: Vec<Decision> = parse(body)?;
    let mut about = decisions.into_iter().filter(|one| one.resource == resource);
    let (Some(decision), None) = (about.next(), about.next()) else {
        tracing::warn!(resource, "AM's decision is not about what was asked");
        return Err(PolicyError::Protocol);
    };
    let allowed = decision.actions.get(action) == Some(&true);
    if !decision.advices.is_empty() {
        let is_level = decision.advices.contains_key(AUTH_LEVEL_ADVICE);
        return Ok(AuthorizeAnswer::No {
            // What is missing may be there a moment later.
            ttl: Duration::ZERO,
            reason: if is_level {
                Reason::AUTH_LEVEL_TOO_LOW
            } else {
                Reason::NONE
            },
            redirect: None,
        });
    }
    let ttl = time_to_live(decision.ttl.as_ref(), now);
    Ok(if allowed {
        AuthorizeAnswer::Yes {
            ttl,
            responses: responses(decision.attributes),
            redirect: None,
        }
    } else {
        AuthorizeAnswer::No {
            ttl,
            reason: Reason::NONE,
            redirect: None,
        }
    })
}

/// `ttl` is the moment, in milliseconds since 1970, until which a decision may be kept; the greatest 64-bit number
/// says that there is no limit, and does not survive every JSON library unharmed. Without one nothing is kept.
fn time_to_live(ttl: Option<&Number>, now: Timestamp) -> Duration {
    let until = ttl.and_then(|ttl| match ttl.as_u64() {
        Some(until) => Some(Duration::from_millis(until)),
        // As a floating-point number, negative ones included.
        None => Duration::try_from_secs_f64(ttl.as_f64()? / 1000.0).ok(),
    });
    let left = until
        .unwrap_or_default()
        .saturating_sub(Duration::from_secs(now.0));
    // Whole seconds, as the agent counts: rounded down.
    Duration::from_secs(left.min(MAX_DECISION_TIME).as_secs())
}

/// The attributes that the policies add, as headers. Several values stand in one, as identity headers have them.
fn responses(attributes: BTreeMap<String, Vec<Value>>) -> Vec<ResponseAttribute> {
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        _ => None,
    };
    let header = |(name, values): (String, Vec<Value>)| {
        let values: Vec<String> = values.into_iter().filter_map(text).collect();
        (!values.is_empty()).then(|| ResponseAttribute::Header {
            name,
            value: values.join("^"),
        })
    };
    attributes.into_iter().filter_map(header).collect()
}

#[cfg(test)]
mod tests;
