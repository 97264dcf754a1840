//! A login from its first step to the token.

use http::{HeaderMap, HeaderName};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::authenticate::{self, Given, Step, Unanswerable, header_text};
use super::limits::MAX_LOGIN_STEPS;
use super::rest::{Ask, Rest, nothing, secret_header};
use crate::PolicyError;
use crate::retry::Repeat;
use policy_protocol::Secret;

const USER: HeaderName = HeaderName::from_static("x-openam-username");
const PASSWORD: HeaderName = HeaderName::from_static("x-openam-password");

/// How a login is made, if not in the way that the realm has for everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthIndex {
    /// The value of `authIndexType`.
    pub kind: AuthIndexKind,
    /// The value of `authIndexValue`: a name.
    pub name: String,
}

/// What an [`AuthIndex`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthIndexKind {
    /// A tree (journey) or a chain.
    Service,
    /// A module, as servers before PingAM 8 have them.
    Module,
}

/// What became of a login.
pub(super) enum Begun {
    Session(Secret<String>),
    Refused,
    /// AM asks for something that cannot be given here.
    Unanswerable,
}

impl AuthIndex {
    fn query(&self) -> String {
        let kind = match self.kind {
            AuthIndexKind::Service => "service",
            AuthIndexKind::Module => "module",
        };
        let name = utf8_percent_encode(&self.name, NON_ALPHANUMERIC);
        format!("authIndexType={kind}&authIndexValue={name}")
    }
}

/// Logs in. Nothing is sent twice that may have been processed.
///
/// # Errors
/// If AM cannot tell.
pub(super) async fn begin(
    rest: &Rest,
    user: &str,
    password: &Secret<String>,
    index: Option<&AuthIndex>,
) -> Result<Begun, PolicyError> {
    let (Some(user_text), Some(password_text)) =
        (header_text(user), header_text(password.expose()))
    else {
        return Ok(Begun::Refused);
    };
    let mut headers = HeaderMap::new();
    headers.insert(USER, secret_header(user_text.expose())?);
    headers.insert(PASSWORD, secret_header(password_text.expose())?);
    let query = index.map(AuthIndex::query);
    let mut given = Given::new(user, password.expose());
    let mut body = nothing();
    for _ in 0..MAX_LOGIN_STEPS {
        let ask = Ask {
            repeat: Repeat::IfNotProcessed,
            path: &["authenticate"],
            query: query.clone(),
            version: authenticate::VERSION,
            token: None,
            // The first step alone has them.
            headers: std::mem::take(&mut headers),
            body: Some(body),
        };
        match authenticate::read(rest.send(ask).await?)? {
            Step::Token(token) => return Ok(Begun::Session(token)),
            Step::Refused => return Ok(Begun::Refused),
            Step::Callbacks(callbacks) => match callbacks.fill(&mut given) {
                Ok(filled) => body = filled,
                Err(Unanswerable(kind)) => {
                    tracing::warn!(
                        kind,
                        "AM's login asks for something that is not asked for here"
                    );
                    return Ok(Begun::Unanswerable);
                }
            },
        }
    }
    tracing::warn!("AM's login does not come to an end");
    Ok(Begun::Unanswerable)
}
