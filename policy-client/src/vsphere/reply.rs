//! What is read of answers, in each form.
//!
//! 401 is a refusal if its body is empty, plain text or the service's own; of JSON-RPC, the error `unauthenticated`.
//! Everything else that is not what was asked for, such as a page of a proxy in between, is an error: nobody can tell
//! from it whether there is a session. The content type is not looked at: servers of this kind call JSON plain text.

use http::StatusCode;
use policy_protocol::{Secret, Timestamp};
use serde_json::Value;

use super::WireForm;
use crate::PolicyError;
use crate::foreign::{for_log, moment};
use crate::transport::Answer;

const UNAUTHENTICATED: &str = "com.vmware.vapi.std.errors.unauthenticated";
/// The same error as newer servers name it in `error_type`.
const UNAUTHENTICATED_TYPE: &str = "UNAUTHENTICATED";
/// What the ids of the service's own messages begin with, the second of them before 7.0.
const OWN_MESSAGES: [&str; 2] = ["com.vmware.", "vapi."];
const UNAVAILABLE: &str = "com.vmware.vapi.std.errors.service_unavailable";

/// What came of an operation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply<T> {
    /// It was done.
    Done(T),
    /// The credentials do not do, or the session is not known.
    Unauthenticated,
}

/// What the service tells of a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) user: String,
    pub(super) created: Timestamp,
    pub(super) last_accessed: Timestamp,
}

/// The answer to create.
pub(super) fn created(
    form: WireForm,
    answer: &Answer,
) -> Result<Reply<Secret<String>>, PolicyError> {
    let Reply::Done(output) = output(form, answer)? else {
        return Ok(Reply::Unauthenticated);
    };
    let token = text(&output).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| malformed("no session id"))?;
    Ok(Reply::Done(Secret::new(token.to_owned())))
}

/// The answer to get.
pub(super) fn info(form: WireForm, answer: &Answer) -> Result<Reply<Info>, PolicyError> {
    let Reply::Done(output) = output(form, answer)? else {
        return Ok(Reply::Unauthenticated);
    };
    let fields = match form {
        WireForm::JsonRpc => &output["STRUCTURE"]["com.vmware.cis.session.info"],
        WireForm::Api | WireForm::Rest => &output,
    };
    let time = |name: &str| text(&fields[name]).and_then(moment);
    let user = text(&fields["user"]).filter(|user| !user.is_empty());
    let created = time("created_time");
    let (Some(user), Some(created)) = (user, created) else {
        return Err(malformed("no user or no time of creation"));
    };
    Ok(Reply::Done(Info {
        user: user.to_owned(),
        created,
        last_accessed: time("last_accessed_time").unwrap_or(created),
    }))
}

/// The answer to delete.
pub(super) fn deleted(form: WireForm, answer: &Answer) -> Result<Reply<()>, PolicyError> {
    if form != WireForm::JsonRpc && answer.status.is_success() {
        return match says_nothing(answer.body.expose()) {
            true => Ok(Reply::Done(())),
            false => Err(malformed("content where there is none")),
        };
    }
    Ok(match output(form, answer)? {
        Reply::Done(_) => Reply::Done(()),
        Reply::Unauthenticated => Reply::Unauthenticated,
    })
}

/// What the operation gave, without what its form wraps around it.
fn output(form: WireForm, answer: &Answer) -> Result<Reply<Value>, PolicyError> {
    let status = answer.status;
    if form != WireForm::JsonRpc && status == StatusCode::UNAUTHORIZED {
        return match is_refusal(answer.body.expose()) {
            true => Ok(Reply::Unauthenticated),
            false => Err(malformed("a refusal that is not the service's own")),
        };
    }
    if !status.is_success() {
        tracing::warn!(
            status = status.as_u16(),
            "the session service refused a call; policy_server.wire_form may be another"
        );
        return Err(PolicyError::Failure);
    }
    let mut value: Value =
        serde_json::from_slice(answer.body.expose()).map_err(|_| malformed("not JSON"))?;
    match form {
        WireForm::Api => Ok(Reply::Done(value)),
        WireForm::Rest => match value.get_mut("value") {
            Some(value) => Ok(Reply::Done(value.take())),
            None => Err(malformed("no value")),
        },
        WireForm::JsonRpc => rpc_output(&mut value),
    }
}

/// Whether a body is nothing: in some way that JSON has, or not there.
fn says_nothing(body: &[u8]) -> bool {
    if body.trim_ascii().is_empty() {
        return true;
    }
    match serde_json::from_slice(body) {
        Ok(Value::Null) => true,
        Ok(Value::Object(fields)) => fields.values().all(Value::is_null),
        _ => false,
    }
}

/// Whether the body of a 401 can be the service's: nothing, its own JSON, or a line of text, but no page.
fn is_refusal(body: &[u8]) -> bool {
    match body.trim_ascii() {
        [] => true,
        [b'{' | b'[', ..] => serde_json::from_slice(body).is_ok_and(|value| is_own_refusal(&value)),
        [first, ..] => *first != b'<' && !body.trim_ascii().contains(&b'\n'),
    }
}

/// Whether JSON is the error `unauthenticated` of the service. Gateways in between have objects of their own for
/// 401, such as those of RFC 9457, and know nothing of sessions.
fn is_own_refusal(value: &Value) -> bool {
    let named = |name: &str| value.get(name).and_then(Value::as_str);
    match (named("error_type"), named("type")) {
        (Some(error), _) => error == UNAUTHENTICATED_TYPE,
        (None, Some(error)) => error == UNAUTHENTICATED,
        (None, None) => {
            let messages = value.get("messages").and_then(Value::as_array);
            let mut ids = messages
                .into_iter()
                .flatten()
                .filter_map(|one| one["id"].as_str());
            ids.any(|id| OWN_MESSAGES.iter().any(|own| id.starts_with(own)))
        }
    }
}

fn rpc_output(value: &mut Value) -> Result<Reply<Value>, PolicyError> {
    let Some(result) = value.get_mut("result") else {
        return Err(malformed("no result"));
    };
    if let Some(output) = result.get_mut("output") {
        return Ok(Reply::Done(output.take()));
    }
    let error = result["error"]["ERROR"].as_object();
    let name = error.and_then(|error| error.keys().next());
    match name.map(String::as_str) {
        Some(UNAUTHENTICATED) => Ok(Reply::Unauthenticated),
        Some(UNAVAILABLE) => Err(PolicyError::Unavailable),
        Some(name) => {
            tracing::warn!(error = for_log(name), "the session service refused a call");
            Err(PolicyError::Failure)
        }
        None => Err(malformed("neither output nor error")),
    }
}

/// A text, as it is or as the one member of an object that says of which kind it is, such as `SECRET`.
fn text(value: &Value) -> Option<&str> {
    let wrapped = value.as_object().filter(|object| object.len() == 1);
    let inner = wrapped.and_then(|object| object.values().next());
    inner.unwrap_or(value).as_str()
}

fn malformed(what: &str) -> PolicyError {
    tracing::warn!(what, "the session service's answer makes no sense");
    PolicyError::Protocol
}

#[cfg(test)]
mod tests;
