//! Writing SMSESSION: at login, when a session was validated, and when the cookie's last access is older
//! than the session grace period. In between a busy session writes no cookie at all.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cookie::Cookie;
use http::HeaderValue;
use policy_protocol::{AgentKeyRing, Timestamp};

use super::Sessions;
use super::cache::{Alias, CachedSession};
use super::cached_session::IssuedCookie;
use super::cookie::{LOGGED_OFF, SessionClaims};
use crate::config::{SameSite, SessionSettings};

/// Name, equals sign and value of the longest cookie that every browser keeps (RFC 6265, section 6.1).
const MAX_COOKIE_LENGTH: usize = 4096;

/// The cookies of an SSO zone: their names, and the attributes that all of them carry.
#[derive(Debug)]
pub struct CookieJar {
    zone: Arc<str>,
    session_name: String,
    login_name: String,
    user_name_cookie: String,
    same_site: SameSite,
    domain: Option<String>,
}

impl CookieJar {
    /// The cookies that a configuration asks for.
    pub fn new(settings: &SessionSettings) -> Self {
        Self {
            zone: settings.zone.as_str().into(),
            session_name: format!("{}SESSION", settings.zone),
            // The prefix keeps other hosts and clear-text connections from planting one.
            login_name: format!("__Host-{}LOGIN", settings.zone),
            user_name_cookie: format!("{}USERNAME", settings.zone),
            same_site: settings.same_site,
            domain: settings.cookie_domain.clone(),
        }
    }

    /// The agent's own zone.
    pub const fn zone(&self) -> &Arc<str> {
        &self.zone
    }

    /// The name of the cookie that ties a login page to the browser it was shown in.
    pub fn login_name(&self) -> &str {
        &self.login_name
    }

    /// The name of the cookie that remembers a user name for the login page.
    pub fn user_name_cookie(&self) -> &str {
        &self.user_name_cookie
    }

    /// The session cookie with a sealed value.
    pub fn session(&self, sealed: String) -> Option<HeaderValue> {
        self.set_cookie(&self.session_name, sealed, self.domain.clone())
    }

    /// Whether browsers would keep it: they count the name, too.
    fn fits(&self, sealed: &str) -> bool {
        self.session_name.len() + sealed.len() < MAX_COOKIE_LENGTH
    }

    /// The session cookie after logout.
    pub fn logged_off(&self) -> Option<HeaderValue> {
        self.set_cookie(
            &self.session_name,
            LOGGED_OFF.to_owned(),
            self.domain.clone(),
        )
    }

    /// The login cookie. Host-only whatever the domain: it belongs to one page on one host.
    pub fn login(&self, value: String) -> Option<HeaderValue> {
        self.set_cookie(&self.login_name, value, None)
    }

    /// The cookie that remembers a user name, for the page below `login_path` of this one host; gone at once if
    /// `max_age` is zero.
    pub fn user_name(
        &self,
        value: String,
        login_path: &str,
        max_age: Duration,
    ) -> Option<HeaderValue> {
        let mut cookie = self.cookie(&self.user_name_cookie, value);
        cookie.set_path(format!("{login_path}/login"));
        cookie.set_max_age(cookie::time::Duration::try_from(max_age).ok()?);
        HeaderValue::try_from(cookie.to_string()).ok()
    }

    /// Makes the browser forget the login cookie: what is tied to it is nobody's then.
    pub fn forget_login(&self) -> Option<HeaderValue> {
        let mut cookie = self.cookie(&self.login_name, String::new());
        cookie.make_removal();
        HeaderValue::try_from(cookie.to_string()).ok()
    }

    /// A cookie of a service, with the attributes of the session cookie.
    pub fn named(&self, name: &str, value: String) -> Option<HeaderValue> {
        self.set_cookie(name, value, self.domain.clone())
    }

    /// As browsers are told: `Lax`, `Strict` or `None`.
    pub const fn same_site(&self) -> &'static str {
        match self.same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
            SameSite::None => "None",
        }
    }

    fn set_cookie(&self, name: &str, value: String, domain: Option<String>) -> Option<HeaderValue> {
        let mut cookie = self.cookie(name, value);
        if let Some(domain) = domain {
            cookie.set_domain(domain);
        }
        HeaderValue::try_from(cookie.to_string()).ok()
    }

    /// What all cookies have in common.
    fn cookie<'n>(&self, name: &'n str, value: String) -> Cookie<'n> {
        let mut cookie = Cookie::build((name, value))
            .path("/")
            .secure(true)
            .http_only(true)
            .build();
        cookie.set_same_site(match self.same_site {
            SameSite::Lax => cookie::SameSite::Lax,
            SameSite::Strict => cookie::SameSite::Strict,
            SameSite::None => cookie::SameSite::None,
        });
        cookie
    }
}

/// The value in a `Set-Cookie` of ours.
pub fn value_of(set_cookie: &HeaderValue) -> Option<&str> {
    let (_, rest) = set_cookie.to_str().ok()?.split_once('=')?;
    rest.split(';').next()
}

/// Who writes a cookie, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// Names and attributes.
    pub jar: &'a CookieJar,
    /// What seals.
    pub ring: &'a AgentKeyRing,
    /// The agent's name.
    pub agent_name: &'a str,
    /// The address the session is bound to, if it is bound.
    pub client_ip: Option<IpAddr>,
}

impl Sessions {
    /// A new SMSESSION for a session that is in use now. `None` if it does not fit into a cookie.
    pub fn issue_cookie(
        &self,
        session: &Arc<CachedSession>,
        now: Timestamp,
        writer: Writer<'_>,
    ) -> Option<HeaderValue> {
        let set_cookie = writer
            .jar
            .session(self.issue_token(session, now, writer)?)?;
        session.remember_cookie(IssuedCookie {
            set_cookie: set_cookie.clone(),
            last_access: now,
        });
        Some(set_cookie)
    }

    /// The value of a new SMSESSION. `None` if it does not fit into a cookie.
    pub fn issue_token(
        &self,
        session: &Arc<CachedSession>,
        now: Timestamp,
        writer: Writer<'_>,
    ) -> Option<String> {
        session.touch(now);
        let state = session.state();
        let claims = || SessionClaims::new(&state, writer.agent_name, writer.client_ip, now);
        let seal = |claims: SessionClaims| {
            let sealed = claims.seal(writer.ring, writer.jar.zone()).ok();
            sealed.filter(|sealed| writer.jar.fits(sealed))
        };
        // Better without the realm of the login than not at all.
        let sealed = seal(claims().made_for(session.made_for())).or_else(|| seal(claims()))?;
        // Known at once, so that the next request finds its session without opening anything.
        let alias = Alias {
            zone: Arc::clone(writer.jar.zone()),
            last_access: now,
            client_ip: writer.client_ip,
            session: Arc::clone(session),
        };
        self.cache.insert(sealed.as_bytes(), alias);
        Some(sealed)
    }
}
