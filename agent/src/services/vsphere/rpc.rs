//! The JSON-RPC form, which the SDKs use: all that is asked and answered is in the message, and every answer has
//! status 200.
//!
//! Times, ids and errors are data values: `{"SECRET": …}`, `{"STRUCTURE": {name: fields}}`, `{"ERROR": …}`,
//! `{"OPTIONAL": …}`. `ctx.appCtx` and the input, which no operation has, are not looked at.

use http::{HeaderValue, Response, StatusCode};
use policy_protocol::Secret;
use policy_protocol::message::Credentials;
use serde::Deserialize;
use serde_json::{Value, json};

use super::operations::{self, Done, Fault};
use super::rest::Received;
use super::{SERVICE, SESSION_ID, in_json, messages, saml, single};
use crate::config::services::Vsphere;
use crate::http::body::Body;
use crate::login::direct;
use crate::services::core::Core;

/// Names of the ways to authenticate.
const USER_PASS: &str = "com.vmware.vapi.std.security.user_pass";
const SESSION: &str = "com.vmware.vapi.std.security.session_id";

/// The longest id of a message that is sent back, in bytes of JSON.
const MAX_ID: usize = 256;

/// A message. Names that are not here are not looked at; a name that is there twice makes it no message.
#[derive(Deserialize)]
pub(super) struct Message {
    jsonrpc: String,
    method: String,
    #[serde(default)]
    id: Value,
    params: Params,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Params {
    service_id: String,
    operation_id: String,
    #[serde(default)]
    ctx: Context,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    security_ctx: Option<Security>,
}

/// Who asks. Which of the fields there are depends on the scheme.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(
    not(feature = "saml"),
    expect(dead_code, reason = "read by SAML alone")
)]
pub(super) struct Security {
    pub(super) scheme_id: String,
    user_name: Option<String>,
    password: Option<Secret<String>>,
    session_id: Option<Secret<String>>,
    pub(super) saml_token: Option<Secret<String>>,
    pub(super) signature: Option<Signature>,
    pub(super) signature_algorithm: Option<String>,
    pub(super) timestamp: Option<Validity>,
}

/// What shows that a key is held, and the assertion that names it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(
    not(feature = "saml"),
    expect(dead_code, reason = "read by SAML alone")
)]
pub(super) struct Signature {
    pub(super) saml_token: Secret<String>,
    pub(super) value: String,
}

/// When a message was signed.
#[derive(Deserialize)]
#[cfg_attr(
    not(feature = "saml"),
    expect(dead_code, reason = "read by SAML alone")
)]
pub(super) struct Validity {
    pub(super) created: String,
    pub(super) expires: String,
}

/// What is no message at all.
const NOT_JSON: (i32, &str) = (-32700, "Parse error.");
/// JSON that is no request.
const NO_REQUEST: (i32, &str) = (-32600, "Invalid Request.");
/// A request that nothing here is called by.
const NO_METHOD: (i32, &str) = (-32601, "Method not found.");

/// Answers a call.
pub(super) async fn answer(core: &Core<'_>, service: &Vsphere, body: Received) -> Response<Body> {
    let message = body
        .map_err(|_| NO_REQUEST)
        .and_then(|body| Ok((parse(&body)?, body)));
    let answer = match message {
        Ok((message, body)) => {
            let id = message.id;
            let outcome = perform(core, service, message.params, &body).await;
            json!({ "jsonrpc": "2.0", "id": id, "result": result(outcome) })
        }
        Err(why) => return no_answer(why),
    };
    in_json(StatusCode::OK, Some(&answer))
}

/// It cannot be told what is asked.
pub(super) fn no_request() -> Response<Body> {
    no_answer(NO_REQUEST)
}

fn no_answer((code, text): (i32, &str)) -> Response<Body> {
    let answer = json!({
        "jsonrpc": "2.0",
        "id": null,
        "error": { "code": code, "message": text },
    });
    in_json(StatusCode::OK, Some(&answer))
}

/// What is looked at may be 128 levels deep; the rest is skipped without going down.
pub(super) fn parse(body: &[u8]) -> Result<Message, (i32, &'static str)> {
    let message: Message = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            NO_REQUEST
        } else {
            NOT_JSON
        }
    })?;
    let may_be_id = match &message.id {
        Value::Null | Value::Number(_) => true,
        Value::String(id) => id.len() <= MAX_ID,
        _ => false,
    };
    if message.jsonrpc != "2.0" || !may_be_id {
        return Err(NO_REQUEST);
    }
    if message.method != "invoke" {
        return Err(NO_METHOD);
    }
    Ok(message)
}

async fn perform(
    core: &Core<'_>,
    service: &Vsphere,
    params: Params,
    body: &[u8],
) -> Result<Done, Fault> {
    if params.service_id != SERVICE {
        return Err(Fault::NoSuchOperation);
    }
    let security = params.ctx.security_ctx;
    match params.operation_id.as_str() {
        "create" => {
            let credentials = match &security {
                Some(security) => presented(core, service, security, body).await,
                None => None,
            };
            operations::create(core, service, credentials).await
        }
        "get" => get_or_delete(core, service, security, false).await,
        "delete" => get_or_delete(core, service, security, true).await,
        _ => Err(Fault::NoSuchOperation),
    }
}

/// A password or an assertion.
async fn presented(
    core: &Core<'_>,
    service: &Vsphere,
    security: &Security,
    body: &[u8],
) -> Option<Credentials> {
    if security.scheme_id == USER_PASS {
        let password = security.password.as_ref()?.expose();
        return direct::credentials(security.user_name.as_deref()?, password);
    }
    saml::from_message(core, service.saml.as_ref(), security, body).await
}

/// The id is in the message; without anything there, in the header.
async fn get_or_delete(
    core: &Core<'_>,
    service: &Vsphere,
    security: Option<Security>,
    delete: bool,
) -> Result<Done, Fault> {
    let in_header = single(core.visit.headers, &SESSION_ID).map(HeaderValue::as_bytes);
    let in_message = security.as_ref().and_then(|security| {
        let id = security.session_id.as_ref()?;
        (security.scheme_id == SESSION).then_some(id.expose().as_bytes())
    });
    let id = if security.is_some() {
        in_message
    } else {
        in_header
    };
    operations::get_or_delete(core, service, id, delete).await
}

pub(super) fn result(outcome: Result<Done, Fault>) -> Value {
    match outcome {
        Ok(Done::Created(id)) => json!({ "output": { "SECRET": id } }),
        Ok(Done::Info(info)) => json!({
            "output": { "STRUCTURE": { "com.vmware.cis.session.info": info.fields() } },
        }),
        Ok(Done::Deleted) => json!({ "output": null }),
        Err(fault) => json!({ "error": { "ERROR": error(fault) } }),
    }
}

fn error(fault: Fault) -> Value {
    let (name, kind, messages) = messages(fault);
    let message =
        |fields| json!({ "STRUCTURE": { "com.vmware.vapi.std.localizable_message": fields } });
    let messages: Vec<_> = messages.into_iter().map(message).collect();
    let mut fields = json!({
        "messages": messages,
        "data": { "OPTIONAL": null },
        "error_type": { "OPTIONAL": kind },
    });
    if fault == Fault::Unauthenticated {
        fields["challenge"] = json!({ "OPTIONAL": null });
    }
    json!({ format!("com.vmware.vapi.std.errors.{name}"): fields })
}
