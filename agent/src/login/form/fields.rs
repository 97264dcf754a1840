//! The fields of a form that came back.

use http::{HeaderMap, header};
use policy_protocol::Secret;
use policy_protocol::message::Credentials;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::access::Denial;
use crate::http::body::{ReadError, RequestBody};
use crate::login::direct::{MAX_PASSWORD, is_name};
use crate::login::pages::{
    CODE_FIELD, CONFIRMATION_FIELD, NEW_PASSWORD_FIELD, PASSWORD_FIELD, REMEMBER_FIELD,
    STATE_FIELD, USER_FIELD,
};

/// The largest form that is read, in bytes: a sealed state, a name and three passwords, percent-encoded.
const MAX_FORM: usize = 64 * 1024;

/// The fields of a form that came back. Those that it did not have are empty.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) user_name: String,
    password: Zeroizing<String>,
    new_password: Zeroizing<String>,
    confirmation: Zeroizing<String>,
    code: Zeroizing<String>,
    /// Whether the box for it was ticked.
    pub(super) remember: bool,
    pub(super) state: String,
}

impl Fields {
    /// Reads a form.
    ///
    /// # Errors
    /// If it is none, too large, or does not arrive.
    pub(super) async fn read(headers: &HeaderMap, body: RequestBody) -> Result<Self, Denial> {
        let content_type = headers
            .get(header::CONTENT_TYPE)
            .map(header::HeaderValue::as_bytes)
            .unwrap_or_default();
        if !content_type.starts_with(b"application/x-www-form-urlencoded") {
            return Err(Denial::BadRequest("the login form is not URL-encoded"));
        }
        let bytes = body.read(MAX_FORM).await.map_err(|error| match error {
            ReadError::TooLarge => Denial::TooLarge,
            ReadError::Late => Denial::BadRequest("the login form did not arrive"),
            ReadError::Broken => Denial::BadRequest("the login form broke off"),
        })?;
        let mut fields = Self::default();
        for (name, value) in form_urlencoded::parse(&bytes) {
            let value = value.into_owned();
            match name.as_ref() {
                USER_FIELD => fields.user_name = value,
                PASSWORD_FIELD => fields.password = value.into(),
                NEW_PASSWORD_FIELD => fields.new_password = value.into(),
                CONFIRMATION_FIELD => fields.confirmation = value.into(),
                CODE_FIELD => fields.code = value.into(),
                REMEMBER_FIELD => fields.remember = true,
                STATE_FIELD => fields.state = value,
                _ => {}
            }
        }
        Ok(fields)
    }

    /// Whether the same new password was typed twice.
    pub(super) fn confirms_new_password(&self) -> bool {
        self.new_password == self.confirmation
    }

    /// What somebody of this name presents: only what was asked for, the proof of a second factor if one has a
    /// longest length. `None` if it is out of bounds.
    pub(super) fn credentials(
        &self,
        user_name: &str,
        changing: bool,
        longest_proof: Option<usize>,
    ) -> Option<Credentials> {
        let user_name = user_name.trim();
        let in_bounds = is_name(user_name)
            && self.password.len() <= MAX_PASSWORD
            && self.new_password.len() <= MAX_PASSWORD
            && longest_proof.is_none_or(|longest| self.code.len() <= longest);
        let secret = |text: &Zeroizing<String>| Secret::new(text.as_str().to_owned());
        in_bounds.then(|| Credentials::Password {
            user_name: user_name.to_owned(),
            password: secret(&self.password),
            new_password: changing.then(|| secret(&self.new_password)),
            code: longest_proof.map(|_| secret(&self.code)),
        })
    }
}
