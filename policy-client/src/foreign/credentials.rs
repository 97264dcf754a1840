//! Credentials that other systems take: a name and a password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_protocol::message::{Credentials, LoginRequest};
use policy_protocol::{Reason, Secret};

/// The name and the password of a login.
///
/// # Errors
/// The reason to refuse anything else: what cannot be checked is not believed.
pub(crate) fn name_and_password(request: &LoginRequest) -> Result<(&str, &Secret<String>), Reason> {
    match &request.credentials {
        Credentials::Password {
            user_name,
            password,
            new_password: None,
            code: None,
        } if request.realm.auth_scheme.longest_proof().is_none() => Ok((user_name, password)),
        Credentials::Password {
            new_password: Some(_),
            ..
        } => Err(Reason::PASSWORD_CHANGE_FAILED),
        Credentials::Password { .. }
        | Credentials::Certificate { .. }
        | Credentials::Assertion { .. } => {
            tracing::warn!(
                realm = request.realm.name,
                "this kind of policy server takes a name and a password only"
            );
            Err(Reason::UNSUPPORTED_SCHEME)
        }
    }
}

/// HTTP Basic credentials.
pub(crate) fn basic(name: &str, secret: &str) -> Secret<String> {
    let pair = Secret::new(format!("{name}:{secret}"));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}
