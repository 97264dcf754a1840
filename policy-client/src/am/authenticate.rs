//! `/json/authenticate`: the messages of a login.
//!
//! Name and password travel in headers first ("zero page"). A tree or chain that does not look at them answers
//! with callbacks, which are filled in and sent back as they came.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_protocol::Secret;
use serde_json::Value;

use super::limits::{MAX_CREDENTIAL, MAX_ENCODED_WORD};
use super::reply::{Reply, parse};
use crate::PolicyError;

/// What `Accept-API-Version` says; [`Step`] reads the answers of 2.x.
pub(super) const VERSION: &str = "resource=2.0, protocol=1.0";

/// What AM answers to one step of a login.
#[derive(Debug)]
pub(super) enum Step {
    /// Logged in.
    Token(Secret<String>),
    /// More is asked for.
    Callbacks(Callbacks),
    /// Refused. AM does not say why, or says too much.
    Refused,
}

/// What is asked for: the whole message, because it must go back whole.
#[derive(Debug)]
pub(super) struct Callbacks(Value);

/// Why callbacks cannot be filled in: the kind that nobody here has an answer to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unanswerable(pub(super) String);

/// What is left to be given.
#[derive(Debug)]
pub(super) struct Given<'a> {
    user: Option<&'a str>,
    password: Option<&'a str>,
}

impl<'a> Given<'a> {
    pub(super) const fn new(user: &'a str, password: &'a str) -> Self {
        Self {
            user: Some(user),
            password: Some(password),
        }
    }
}

/// Reads the answer to one step.
///
/// # Errors
/// If AM cannot tell: an answer of another form, or a refusal that is not about the credentials.
pub(super) fn read(reply: Reply) -> Result<Step, PolicyError> {
    let mut content: Value = match reply {
        Reply::Content(body) => parse(&body)?,
        Reply::Refused(refusal) if refusal.status == 401 => return Ok(Step::Refused),
        Reply::Refused(refusal) => return Err(refusal.unforeseen("to log in")),
    };
    if let Some(Value::String(token)) = content.get_mut("tokenId").map(Value::take) {
        return Ok(Step::Token(Secret::new(token)));
    }
    let asks = content.get("authId").is_some_and(Value::is_string)
        && content.get("callbacks").is_some_and(Value::is_array);
    if asks {
        Ok(Step::Callbacks(Callbacks(content)))
    } else {
        Err(PolicyError::Protocol)
    }
}

impl Callbacks {
    /// Fills in what is asked for, each part of `given` once, and returns the message to send.
    ///
    /// # Errors
    /// If something else is asked for, the same once more, or nothing at all.
    pub(super) fn fill(mut self, given: &mut Given<'_>) -> Result<Secret<Vec<u8>>, Unanswerable> {
        let callbacks = self.0["callbacks"].as_array_mut().into_iter().flatten();
        let mut filled = false;
        for callback in callbacks {
            let kind = callback["type"].as_str().unwrap_or_default().to_owned();
            let Some(input) = callback
                .get_mut("input")
                .and_then(Value::as_array_mut)
                .and_then(|inputs| inputs.first_mut())
            else {
                // Texts to be shown, and the like: nothing is asked for.
                continue;
            };
            let value = match kind.as_str() {
                "NameCallback" => given.user.take(),
                "PasswordCallback" => given.password.take(),
                _ => None,
            };
            let (Some(value), Some(input)) = (value, input.as_object_mut()) else {
                return Err(Unanswerable(kind));
            };
            input.insert(String::from("value"), Value::from(value));
            filled = true;
        }
        if !filled {
            return Err(Unanswerable(String::from("none")));
        }
        let body = serde_json::to_vec(&self.0).map_err(|error| Unanswerable(error.to_string()))?;
        Ok(Secret::new(body))
    }
}

/// A name or password as the value of a header: as it is if it is printable ASCII that cannot be mistaken for
/// something encoded, else in encoded words (RFC 2047). `None` if it is too long.
pub(super) fn header_text(text: &str) -> Option<Secret<String>> {
    if text.len() > MAX_CREDENTIAL {
        return None;
    }
    let printable = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if printable && text.trim() == text && !text.contains("=?") {
        return Some(Secret::new(text.to_owned()));
    }
    let mut words = Secret::new(String::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.floor_char_boundary(MAX_ENCODED_WORD));
        let space = if words.expose().is_empty() { "" } else { " " };
        words = Secret::new(format!(
            "{}{space}=?UTF-8?B?{}?=",
            words.expose(),
            STANDARD.encode(word)
        ));
        rest = after;
    }
    Some(words)
}

#[cfg(test)]
mod tests;
