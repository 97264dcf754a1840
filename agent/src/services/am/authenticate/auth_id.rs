//! `authId`: what ties the answer to a form to the form. It is shaped as a JWT, and signed by sealing the digest of
//! its first two parts, so that every agent of the policy server can check it. It can be used once at each agent,
//! within a quarter of an hour.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use policy_protocol::Timestamp;
use serde::Deserialize;

use crate::login::state::new_nonce;
use crate::services::am::ask::Ask;
use crate::services::am::error::Refusal;
use crate::services::am::json::object;
use crate::services::core::Unavailable;

/// As long as servers of this API wait for an answer.
const LIFETIME: Duration = Duration::from_mins(15);
/// The longest text that is looked at: several times what one has.
const MAX_LENGTH: usize = 2048;

/// What a form remembers.
#[derive(Debug, Deserialize)]
struct Claims {
    /// Names this form.
    otk: String,
    exp: u64,
}

/// A form that is being answered: nobody else can.
#[derive(Debug)]
pub(super) struct Redeemed(String);

impl Redeemed {
    /// Lets it be answered once more.
    pub(super) fn give_back(&self, ask: &Ask<'_>) {
        ask.core.unclaim(&self.0);
    }
}

/// A new one.
///
/// # Errors
/// If there are no agent keys.
pub(super) async fn issue(ask: &Ask<'_>) -> Result<String, Refusal> {
    let now = ask.core.visit.now;
    let head = object! { "typ": "JWT", "alg": "XC20P" };
    let claims = object! {
        "otk": new_nonce().ok_or(Unavailable)?,
        "realm": ask.realm_name.as_str(),
        "iat": now.0,
        "exp": now.plus(LIFETIME).0,
    };
    let part = |json| URL_SAFE_NO_PAD.encode(serde_json::to_vec(json).unwrap_or_default());
    let signed = format!("{}.{}", part(&head), part(&claims));
    let digest = digest(&SHA256, signed.as_bytes());
    let signature = ask.core.seal_text(&purpose(ask), digest.as_ref()).await?;
    Ok(format!("{signed}.{signature}"))
}

/// Checks one that has come back, and uses it up.
///
/// # Errors
/// 400 if it is none of ours, 408 if its time is over or it was used.
pub(super) async fn redeem(ask: &Ask<'_>, text: &str) -> Result<Redeemed, Refusal> {
    let unread = || Refusal::bad_request("Failed to parse JWT, the authId is not one");
    let (signed, signature) = text
        .rsplit_once('.')
        .filter(|_| text.len() <= MAX_LENGTH)
        .ok_or_else(unread)?;
    let claims = claims(signed).ok_or_else(unread)?;
    let sealed = ask.core.open_text(&purpose(ask), signature).await?;
    if sealed.as_deref() != Some(digest(&SHA256, signed.as_bytes()).as_ref()) {
        return Err(Refusal::bad_request("AuthId JWT Signature not valid"));
    }
    let over = || Refusal::new(StatusCode::REQUEST_TIMEOUT, "Session has timed out");
    let left = Timestamp(claims.exp).since(ask.core.visit.now);
    let name = format!("authId {}", claims.otk);
    if left.is_zero() || !ask.core.claim(&name, left) {
        return Err(over());
    }
    Ok(Redeemed(name))
}

fn claims(signed: &str) -> Option<Claims> {
    let (head, claims) = signed.split_once('.')?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    serde_json::from_slice::<serde_json::Value>(&decode(head)?).ok()?;
    serde_json::from_slice(&decode(claims)?).ok()
}

/// It is of use in its own realm and SSO zone only. No zone's name has a blank, so nothing else that is sealed
/// can be taken for one.
fn purpose(ask: &Ask<'_>) -> String {
    let zone = ask.core.visit.site.cookies.zone();
    format!("{zone} authId {}", ask.realm_name)
}
