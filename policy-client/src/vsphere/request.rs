//! What is sent, in each form.

use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use policy_protocol::{Secret, SessionId, SessionSpec};
use serde_json::{Value, json};

use super::WireForm;
use crate::PolicyError;
use crate::foreign::basic;
use crate::retry::Repeat;
use crate::transport::Exchange;

const SESSION: HeaderName = HeaderName::from_static("vmware-api-session-id");
/// Says that no cookie is wanted.
const USE_HEADER: HeaderName = HeaderName::from_static("vmware-use-header-authn");
const SERVICE: &str = "com.vmware.cis.session";
/// Sent as it is: that is how all known clients write it.
const GET_ACTION: &str = "~action=get";

const API: &[&str] = &["api", "session"];
const REST: &[&str] = &["rest", "com", "vmware", "cis", "session"];
const RPC: &[&str] = &["api"];

/// An operation of the service.
pub(super) enum Operation<'a> {
    /// Credentials for a session.
    Create {
        user: &'a str,
        password: &'a Secret<String>,
    },
    /// Whose session it is.
    Get(&'a SessionSpec),
    /// Ends it.
    Delete(&'a SessionSpec),
}

impl Operation<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Get(_) => "get",
            Self::Delete(_) => "delete",
        }
    }

    const fn repeat(&self) -> Repeat {
        match self {
            Self::Create { .. } => Repeat::IfNotProcessed,
            Self::Get(_) | Self::Delete(_) => Repeat::Freely,
        }
    }
}

/// The request of an operation.
///
/// # Errors
/// If what it holds cannot stand in a header.
pub(super) fn exchange(
    form: WireForm,
    operation: &Operation<'_>,
) -> Result<Exchange<'static>, PolicyError> {
    let json = HeaderValue::from_static("application/json");
    let mut headers = HeaderMap::from_iter([(ACCEPT, json.clone()), (CONTENT_TYPE, json)]);
    let (method, path, query, body) = match form {
        WireForm::JsonRpc => {
            headers.insert("vapi-service", HeaderValue::from_static(SERVICE));
            headers.insert("vapi-operation", HeaderValue::from_static(operation.name()));
            (Method::POST, RPC, None, Some(rpc(operation)?))
        }
        WireForm::Api | WireForm::Rest => {
            authenticate(operation, &mut headers)?;
            let (method, query) = match (operation, form) {
                (Operation::Create { .. }, _) => (Method::POST, None),
                (Operation::Get(_), WireForm::Rest) => (Method::POST, Some(GET_ACTION)),
                (Operation::Get(_), _) => (Method::GET, None),
                (Operation::Delete(_), _) => (Method::DELETE, None),
            };
            let path = if form == WireForm::Rest { REST } else { API };
            (method, path, query, None)
        }
    };
    Ok(Exchange {
        repeat: operation.repeat(),
        method,
        path,
        query,
        headers,
        body,
    })
}

fn authenticate(operation: &Operation<'_>, headers: &mut HeaderMap) -> Result<(), PolicyError> {
    let (name, value) = match operation {
        Operation::Create { user, password } => {
            headers.insert(USE_HEADER, HeaderValue::from_static("true"));
            (AUTHORIZATION, basic(user, password.expose()))
        }
        Operation::Get(spec) | Operation::Delete(spec) => {
            (SESSION, Secret::new(spec.as_str().to_owned()))
        }
    };
    let mut value = HeaderValue::from_str(value.expose()).map_err(|_| PolicyError::Protocol)?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

/// JSON-RPC 2.0 with the values of vAPI.
fn rpc(operation: &Operation<'_>) -> Result<Secret<Vec<u8>>, PolicyError> {
    let security: Value = match operation {
        Operation::Create { user, password } => json!({
            "schemeId": "com.vmware.vapi.std.security.user_pass",
            "userName": user,
            "password": password.expose(),
        }),
        Operation::Get(spec) | Operation::Delete(spec) => json!({
            "schemeId": "com.vmware.vapi.std.security.session_id",
            "sessionId": spec.as_str(),
        }),
    };
    let call = SessionId::random().map_err(|_| PolicyError::Failure)?;
    let request = json!({
        "jsonrpc": "2.0",
        "id": "0",
        "method": "invoke",
        "params": {
            "serviceId": SERVICE,
            "operationId": operation.name(),
            "input": { "STRUCTURE": { "operation-input": {} } },
            "ctx": {
                "appCtx": { "opId": call.to_string() },
                "securityCtx": security,
            },
        },
    });
    let body = serde_json::to_vec(&request).map_err(|_| PolicyError::Protocol)?;
    Ok(Secret::new(body))
}
