//! What the gateway would say: to the call itself, and to a request with a token.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};

use super::{Core, Unavailable};
use crate::access::authenticate::by_cookies;
use crate::access::authorize::authorize;
use crate::access::protection::Protection;
use crate::access::{self, Denial, Grant};
use crate::config::Realm;
use crate::http::target::RequestTarget;
use crate::session::cache::CachedSession;
use crate::session::cookie::SessionClaims;
use crate::session::reissue::value_of;

/// What the gateway would say to a request.
#[derive(Debug)]
pub enum Verdict {
    /// It would pass without a session.
    NotProtected,
    /// It would pass as this user's.
    Granted {
        /// The session.
        session: Arc<CachedSession>,
        /// What application and browser would be told.
        grant: Box<Grant>,
        /// A newer token, if one is due.
        renewed: Option<String>,
    },
    /// It would not pass: [`Denial::Challenge`], `Forbidden`, `Elsewhere`, `NotFound`, `MethodNotAllowed` or
    /// `BadRequest`.
    Denied(Denial),
}

impl Core<'_> {
    /// Whether the call itself may pass into a realm: a session cookie of the caller's, or other credentials. The
    /// `Set-Cookie` that is due with the answer.
    ///
    /// # Errors
    /// Why it may not.
    pub async fn admit(&self, realm: &Arc<Realm>) -> Result<Option<HeaderValue>, Denial> {
        let (admitted, _) = access::admit(self.sessions, self.visit, realm).await?;
        Ok(admitted.set_cookie)
    }

    /// What the gateway would say to a request for `target` with this token, which counts as a use of it.
    ///
    /// # Errors
    /// If the policy server would have to be asked and gives no answer.
    pub async fn decide(
        &self,
        token: &[u8],
        target: &RequestTarget,
    ) -> Result<Verdict, Unavailable> {
        let facts = access::Facts {
            target,
            from_script: true,
            ..self.visit.facts().clone()
        };
        let headers = self.as_cookies(token);
        let visit = facts.with(&headers);
        let outcome = async {
            let realm = match visit.site.realms.find(target)? {
                Protection::Open(_) => return Ok(Verdict::NotProtected),
                Protection::Protected(realm) => realm,
            };
            // The certificate of the connection is the caller's, not the user's.
            let admitted = by_cookies(self.sessions, &visit, &realm).await;
            let admitted = admitted.map_err(|unfit| unfit.denial(&realm))?;
            let grant = authorize(self.sessions, &visit, &realm, &admitted).await?;
            let renewed = admitted.set_cookie.as_ref();
            Ok(Verdict::Granted {
                session: admitted.session,
                grant: Box::new(grant),
                renewed: renewed.and_then(value_of).map(str::to_owned),
            })
        };
        match outcome.await {
            Ok(verdict) => Ok(verdict),
            Err(Denial::PolicyUnavailable | Denial::Internal) => Err(Unavailable),
            Err(denial) => Ok(Verdict::Denied(denial)),
        }
    }

    /// The headers of a request that has nothing but the session cookie, in the zone that its seal names; in every
    /// zone, if the seal cannot be opened yet.
    fn as_cookies(&self, token: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let zones = &self.visit.site.zones;
        let keys = self.sessions.keys.load().ok();
        let named = keys.and_then(|keys| {
            zones
                .iter()
                .position(|zone| SessionClaims::open(token, &keys.ring, &zone.name).is_ok())
        });
        for zone in named.map_or(&zones[..], |index| &zones[index..=index]) {
            let cookie = [zone.cookie_name().as_bytes(), b"=", token].concat();
            let cookie = HeaderValue::from_bytes(&cookie).ok();
            headers.extend(cookie.map(|value| (header::COOKIE, value)));
        }
        headers
    }
}
