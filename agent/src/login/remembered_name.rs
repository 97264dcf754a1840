//! The user name that a browser remembers for its user: filled in on the next login page, and proof of nothing.
//!
//! It is a cookie of the login page alone, sealed with the static key, so that rollovers of the agent keys leave it
//! and `doorward keys roll --static` makes every browser's unreadable.

use std::time::Duration;

use http::HeaderValue;
use minicbor::{Decode, Encode};
use policy_protocol::{AgentKeyRing, Timestamp, TokenType, seal};

use super::direct::is_name;
use crate::access::Visit;
use crate::http::cookies;
use crate::session::Sessions;

/// What the cookie holds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct RememberedName {
    /// As it was typed.
    #[n(0)]
    user_name: String,
    /// When: whoever keeps a cookie longer than they were told to gets nothing for it.
    #[n(1)]
    written: Timestamp,
}

impl RememberedName {
    fn seal(&self, ring: &AgentKeyRing, zone: &str) -> Result<String, seal::SealError> {
        let plaintext = minicbor::to_vec(self).expect("writing to memory cannot fail");
        ring.static_key()
            .seal(TokenType::UserName, zone, &plaintext)
    }

    /// Only the static key in force opens it, and it says until when: a shorter `span` holds at once.
    fn open(
        text: &[u8],
        ring: &AgentKeyRing,
        zone: &str,
        span: Duration,
        now: Timestamp,
    ) -> Option<Self> {
        let key = ring.static_key();
        let find = |id| (id == key.id()).then_some(key);
        let plaintext = seal::open(text, TokenType::UserName, zone, find).ok()?;
        let name: Self = minicbor::decode(&plaintext).ok()?;
        (now.since(name.written) < span && is_name(&name.user_name)).then_some(name)
    }
}

/// For how long names are remembered, if at all.
pub(super) fn span(visit: &Visit<'_>) -> Option<Duration> {
    visit.site.config.login.remember_user_name
}

/// The name that this browser remembers. A cookie with anything wrong is none.
pub(super) fn read(sessions: &Sessions, visit: &Visit<'_>) -> Option<String> {
    let jar = &visit.site.cookies;
    let text = cookies::first(visit.headers, jar.user_name_cookie())?;
    let keys = sessions.keys.load().ok()?;
    let opened = RememberedName::open(text, &keys.ring, jar.zone(), span(visit)?, visit.now);
    opened.map(|remembered| remembered.user_name)
}

/// The cookie that makes this browser remember `user_name`, or forget what it remembers if there is none.
pub(super) fn write(
    visit: &Visit<'_>,
    ring: &AgentKeyRing,
    user_name: Option<&str>,
) -> Option<HeaderValue> {
    let jar = &visit.site.cookies;
    let path = &visit.site.config.login.path;
    let Some(user_name) = user_name else {
        cookies::first(visit.headers, jar.user_name_cookie())?;
        return jar.user_name(String::new(), path, Duration::ZERO);
    };
    let name = RememberedName {
        user_name: user_name.trim().to_owned(),
        written: visit.now,
    };
    // What cannot be sealed is not remembered; the login stands.
    let sealed = name.seal(ring, jar.zone()).ok()?;
    jar.user_name(sealed, path, span(visit)?)
}

#[cfg(test)]
mod tests;
