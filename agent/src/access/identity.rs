//! What an application is told of its user: the field's `SM_…` headers, configured responses and the
//! signed assertion. Rendered once for each session and realm, and then only cloned.

use std::sync::Arc;
use std::time::Duration;

use cookie::Cookie;
use http::{HeaderName, HeaderValue};
use policy_protocol::{Session, Timestamp};

use crate::access::assertion::Signer;
use crate::access::{Denial, Visit};
use crate::config::{
    AssertionSettings, IdentitySettings, Realm, Response, ResponseKind, ResponseValue,
};
use crate::http::cookies;
use crate::session::Sessions;
use crate::session::cache::{CachedSession, RealmHeaders};

/// Joins the values of an attribute, as systems of this kind do.
const VALUE_SEPARATOR: &str = "^";

type Field = fn(&Session, &Realm) -> String;

/// The identity headers in their underscore form, and where their values come from.
const FIELDS: [(&str, Field); 14] = [
    ("SM_USER", |session, _| session.identity.user_name.clone()),
    ("SM_USERDN", |session, _| session.identity.user_dn.clone()),
    ("SM_UNIVERSALID", |session, _| {
        session.identity.universal_id.clone()
    }),
    ("SM_USERGROUPS", |session, _| {
        session.identity.groups.join(VALUE_SEPARATOR)
    }),
    ("SM_AUTHTYPE", |session, _| {
        session.auth_scheme.auth_type().to_owned()
    }),
    ("SM_AUTHLEVEL", |session, _| {
        session.protection_level.0.to_string()
    }),
    ("SM_AUTHDIROID", |session, _| {
        session.identity.directory.oid.clone()
    }),
    ("SM_AUTHDIRNAME", |session, _| {
        session.identity.directory.name.clone()
    }),
    ("SM_AUTHDIRSERVER", |session, _| {
        session.identity.directory.server.clone()
    }),
    ("SM_AUTHDIRNAMESPACE", |session, _| {
        session.identity.directory.namespace.clone()
    }),
    ("SM_REALM", |_, realm| realm.name.clone()),
    ("SM_SERVERSESSIONID", |session, _| session.id.to_string()),
    (SESSION_SPEC, |session, _| session.spec.as_str().to_owned()),
    ("SM_SESSIONDRIFT", |_, _| "0".to_owned()),
];
/// Useful to policy servers alone.
const SESSION_SPEC: &str = "SM_SERVERSESSIONSPEC";
/// Seconds until the session ends at the latest; changes with every second.
const TIME_TO_EXPIRE: &str = "SM_TIMETOEXPIRE";
/// Names one request; changes with every one.
const TRANSACTION_ID: &str = "SM_TRANSACTIONID";

/// Every name that `identity.omit` may list.
pub fn known_names() -> impl Iterator<Item = &'static str> {
    FIELDS
        .iter()
        .map(|(name, _)| *name)
        .chain([TIME_TO_EXPIRE, TRANSACTION_ID])
}

/// The identity headers as configured.
#[derive(Debug)]
pub struct IdentityHeaders {
    fields: Vec<(HeaderName, Field)>,
    /// Seconds until the session ends, if it is sent.
    pub time_to_expire: Option<HeaderName>,
    /// The id of the request, if it is sent.
    pub transaction_id: Option<HeaderName>,
    assertion: Option<AssertionSettings>,
}

impl IdentityHeaders {
    /// The headers that a configuration asks for.
    pub fn new(settings: &IdentitySettings) -> Self {
        let name = |name: &str| {
            let omitted = settings
                .omit
                .iter()
                .any(|omitted| omitted.eq_ignore_ascii_case(name));
            let spelled = if settings.hyphens {
                name.replace('_', "-")
            } else {
                name.to_owned()
            };
            HeaderName::try_from(spelled).ok().filter(|_| !omitted)
        };
        Self {
            fields: FIELDS
                .iter()
                .filter_map(|(field, value)| Some((name(field)?, *value)))
                .collect(),
            time_to_expire: name(TIME_TO_EXPIRE),
            transaction_id: name(TRANSACTION_ID),
            assertion: settings.assertion.clone(),
        }
    }

    /// Names that the configuration chose and that must therefore be managed.
    pub fn configured_name(&self) -> Option<&HeaderName> {
        self.assertion.as_ref().map(|assertion| &assertion.header)
    }

    fn render(
        &self,
        session: &Arc<Session>,
        realm: &Arc<Realm>,
        audience: &str,
        signer: &Signer,
        now: Timestamp,
    ) -> RealmHeaders {
        let mut headers: Vec<_> = self
            .fields
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value_of(&value(session, realm))?)))
            .collect();
        let mut cookies = Vec::new();
        for response in &realm.responses {
            let Some(value) = response_value(response, session) else {
                continue;
            };
            match &response.kind {
                ResponseKind::Header(name) => {
                    headers.extend(value_of(&value).map(|value| (name.clone(), value)))
                }
                ResponseKind::Cookie(name) => cookies.extend(response_cookie(name, &value)),
            }
        }
        let mut renew_at = None;
        if let Some(assertion) = &self.assertion {
            let signed = signer.sign(
                session,
                &assertion.issuer,
                audience,
                assertion.lifetime,
                now,
            );
            headers.extend(signed.map(|value| (assertion.header.clone(), value)));
            // An application always gets one that is good for at least half its lifetime.
            renew_at = Some(now.plus((assertion.lifetime / 2).max(Duration::from_secs(1))));
        }
        RealmHeaders {
            realm: Arc::clone(realm),
            session: Arc::clone(session),
            headers: headers.into(),
            cookies: cookies.into(),
            renew_at,
        }
    }
}

/// What an application is told of a session, ready-made if possible.
///
/// # Errors
/// If an assertion is wanted and there is no key for it.
pub fn headers(
    sessions: &Sessions,
    visit: &Visit<'_>,
    realm: &Arc<Realm>,
    session: &CachedSession,
) -> Result<Arc<RealmHeaders>, Denial> {
    session.headers_for(realm, visit.now, |state| {
        let keys = sessions.keys.load()?;
        let audience = &visit.site.config.upstreams[realm.upstream].name;
        let identity = &visit.site.identity;
        Ok(identity.render(state, realm, audience, &keys.assertion, visit.now))
    })
}

/// What is told of a session where it is told by name and value and not as headers of a request: the same, in the
/// underscore form, but for what only an application or a policy server may see: the assertion and the session
/// spec. Names of responses are in lower case.
pub fn told(visit: &Visit<'_>, session: &CachedSession, realm: &Realm) -> Vec<(String, String)> {
    let omitted = &visit.site.config.identity.omit;
    let wanted = |name: &str| {
        name != SESSION_SPEC
            && !omitted
                .iter()
                .any(|omitted| omitted.eq_ignore_ascii_case(name))
    };
    let state = session.state();
    let times = [
        (
            TIME_TO_EXPIRE,
            session.time_to_expire(visit.now).to_string(),
        ),
        (TRANSACTION_ID, visit.transaction_id.as_str().to_owned()),
    ];
    let fields = FIELDS
        .iter()
        .map(|(name, value)| (*name, value(&state, realm)));
    let fields = fields.chain(times).filter(|(name, _)| wanted(name));
    let responses = realm.responses.iter().filter_map(|response| {
        let ResponseKind::Header(name) = &response.kind else {
            return None;
        };
        Some((name.as_str().to_owned(), response_value(response, &state)?))
    });
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .chain(responses)
        .collect()
}

fn response_value(response: &Response, session: &Session) -> Option<String> {
    match &response.value {
        ResponseValue::Static(text) => Some(text.clone()),
        ResponseValue::Attribute(name) => {
            let values = session.identity.attributes.get(name)?;
            Some(values.join(VALUE_SEPARATOR))
        }
    }
}

/// A header value, unless it is empty or holds control characters: then the header is left out.
fn value_of(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text)
        .ok()
        .filter(|value| !value.is_empty())
}

/// A response cookie: for this session of the browser, out of reach of scripts of other sites.
pub fn response_cookie(name: &str, value: &str) -> Option<HeaderValue> {
    if !cookies::is_value(value) {
        return None;
    }
    let cookie = Cookie::build((name.to_owned(), value.to_owned()))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(cookie::SameSite::Lax)
        .build();
    HeaderValue::try_from(cookie.to_string()).ok()
}
