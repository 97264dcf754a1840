//! The proof in a message: a signature over the JSON in its canonical form (draft-staykov-hu-json-canonical-form),
//! without the signature itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_protocol::Timestamp;
use serde_json::Value;

use super::key::{Algorithm, PublicKey};
use super::{PROOF_WINDOW, Refused};
use crate::services::vsphere::rpc::Security;

const BEARER: &str = "com.vmware.vapi.std.security.saml_bearer_token";
const HOLDER: &str = "com.vmware.vapi.std.security.saml_hok_token";

/// The assertion in a security context, and whether a proof must go with it.
pub(super) fn assertion_in(security: &Security) -> Result<(&str, bool), Refused> {
    let (token, with_proof) = match security.scheme_id.as_str() {
        BEARER => (security.saml_token.as_ref(), false),
        HOLDER => {
            let signature = security.signature.as_ref();
            (signature.map(|signature| &signature.saml_token), true)
        }
        _ => return Err(Refused("the security context is of another scheme")),
    };
    let token = token.ok_or(Refused("the security context has no token"))?;
    Ok((token.expose(), with_proof))
}

/// The message that was signed, if one of the holders signed it just now.
pub(super) fn check(
    security: &Security,
    body: &[u8],
    holders: &[PublicKey],
    now: Timestamp,
) -> Result<Vec<u8>, Refused> {
    let algorithm = match security.signature_algorithm.as_deref() {
        Some("RS256") => Algorithm::RsaSha256,
        Some("RS384") => Algorithm::RsaSha384,
        Some("RS512") => Algorithm::RsaSha512,
        _ => return Err(Refused("the proof is of an algorithm that does not count")),
    };
    let timestamp = security.timestamp.as_ref();
    let timestamp = timestamp.ok_or(Refused("the proof does not tell its time"))?;
    let [created, expires] = [&timestamp.created, &timestamp.expires].map(|text| {
        text.parse::<jiff::Timestamp>()
            .map(jiff::Timestamp::as_second)
    });
    let (Ok(created), Ok(expires), Ok(now)) = (created, expires, i64::try_from(now.0)) else {
        return Err(Refused("the proof does not tell its time"));
    };
    if created.abs_diff(now) > PROOF_WINDOW || expires <= now {
        return Err(Refused("the proof is too old or too new"));
    }
    let signature = security.signature.as_ref();
    let signature = signature.and_then(|signature| STANDARD.decode(&signature.value).ok());
    let signature = signature.ok_or(Refused("the proof is not Base64"))?;
    let message = signed_part(body).ok_or(Refused("the message has no canonical form"))?;
    let mut keys = holders.iter();
    if keys.any(|key| key.verifies(algorithm, &message, &signature)) {
        Ok(message)
    } else {
        Err(Refused("no holder of the assertion signed the message"))
    }
}

/// A message in canonical form, without its signature.
pub(super) fn signed_part(body: &[u8]) -> Option<Vec<u8>> {
    let mut message: Value = serde_json::from_slice(body).ok()?;
    let context = message.pointer_mut("/params/ctx/securityCtx")?;
    context.as_object_mut()?.remove("signature")?;
    let mut canonical = String::new();
    write(&message, &mut canonical)?;
    Some(canonical.into_bytes())
}

/// Names in order, no blanks, everything but ASCII escaped. Numbers with a fraction have no form that all agree on.
fn write(value: &Value, to: &mut String) -> Option<()> {
    match value {
        Value::Null | Value::Bool(_) => to.push_str(&value.to_string()),
        Value::Number(number) if number.is_f64() => return None,
        Value::Number(number) => to.push_str(&number.to_string()),
        Value::String(text) => write_text(text, to),
        Value::Array(items) => {
            to.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    to.push(',');
                }
                write(item, to)?;
            }
            to.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            // Bytes of UTF-8 have the order of code points.
            fields.sort_unstable_by_key(|(name, _)| *name);
            to.push('{');
            for (index, (name, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    to.push(',');
                }
                write_text(name, to);
                to.push(':');
                write(value, to)?;
            }
            to.push('}');
        }
    }
    Some(())
}

fn write_text(text: &str, to: &mut String) {
    to.push('"');
    for character in text.chars() {
        match character {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            '\u{8}' => to.push_str("\\b"),
            '\u{c}' => to.push_str("\\f"),
            ' '..='~' => to.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    to.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    to.push('"');
}
