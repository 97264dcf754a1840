//! The pages that people see: login, logout, errors. Complete HTML without a line of script.
//!
//! Every template, text, style and picture is built in, and each can be replaced by a file of the same name in
//! `login.pages.template_dir`. All pages are rendered once when they are loaded, so that a mistake in a
//! replaced file is found at start or reload and not by the first person who logs in. Values are escaped
//! by the template engine; templates never mark anything as safe.

mod assets;
mod message;
mod samples;

use std::path::PathBuf;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};

use crate::config::PageSettings;
use crate::telemetry::Outcome;

pub use message::Message;

/// The form's field for the user name: the name that login forms of agents of this kind use.
pub const USER_FIELD: &str = "USER";
/// The form's field for the password.
pub const PASSWORD_FIELD: &str = "PASSWORD";
/// The form's field for a one-time code.
pub const CODE_FIELD: &str = "CODE";
/// The form's field for a new password.
pub const NEW_PASSWORD_FIELD: &str = "NEWPASSWORD";
/// The form's field for the new password once more.
pub const CONFIRMATION_FIELD: &str = "CONFIRMATION";
/// The form's box for a user name that is to be remembered.
pub const REMEMBER_FIELD: &str = "REMEMBER";
/// The form's field for what the agent needs to know again.
pub const STATE_FIELD: &str = "STATE";

/// Below the login path: the stylesheet.
pub const STYLESHEET: &str = "style.css";
/// Below the login path: the picture above the form.
pub const LOGO: &str = "logo";

/// Headers of every page, besides the [content security policy](content_security_policy).
///
/// `same-origin` and not `no-referrer`: the latter would turn the Origin of our own forms into `null`.
pub const PAGE_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// The content security policy of the pages: no script, no frame, nothing from elsewhere.
///
/// Browsers apply `form-action` to the redirects after a form as well, so the origins that TARGET may lead
/// to (`login.allowed_targets`) are in it.
///
/// # Errors
/// If one of them cannot stand in a header.
pub fn content_security_policy(
    allowed_targets: &[String],
) -> Result<HeaderValue, header::InvalidHeaderValue> {
    let mut policy = String::from(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; \
         frame-ancestors 'none'; form-action 'self'",
    );
    for target in allowed_targets {
        // A separator would end the directive; an origin has none.
        policy.extend([" "].into_iter().chain(target.split([';', ',', ' '])));
    }
    HeaderValue::try_from(policy)
}

/// Why the pages could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A file cannot be read.
    #[error("{}: {error}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", file.display())]
    Content {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A template does not parse, or does not render.
    #[error("page template: {0:#}")]
    Template(#[from] minijinja::Error),
}

/// The login form.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoginPage<'a> {
    /// Where the form is sent.
    pub action: &'a str,
    /// What comes back with it, sealed.
    pub state: &'a str,
    /// The host that the user wants to reach.
    pub host: &'a str,
    /// The name that was typed before or is remembered, or nothing.
    pub user_name: &'a str,
    /// Whether the box for a name that is to be remembered is ticked; `None` if there is none.
    pub remember: Option<bool>,
    /// Why the user sees this page.
    pub message: Option<Message>,
    /// Whether a request with a body waits for this login.
    pub request_kept: bool,
    /// Whether the proof of a second factor is asked for as well.
    pub asks_code: bool,
    /// What that proof must answer, if anything.
    pub challenge: Option<&'a str>,
}

/// The form for a new password. Nothing that was typed is on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct PasswordPage<'a> {
    /// Where the form is sent.
    pub action: &'a str,
    /// What comes back with it, sealed.
    pub state: &'a str,
    /// The host that the user wants to reach.
    pub host: &'a str,
    /// Why the user sees this page.
    pub message: Option<Message>,
    /// Whether the proof of a second factor is asked for as well.
    pub asks_code: bool,
    /// What that proof must answer, if anything.
    pub challenge: Option<&'a str>,
}

/// All pages, ready to be rendered.
#[derive(Debug)]
pub struct Pages {
    environment: Environment<'static>,
    texts: Value,
    site: Value,
    stylesheet: Bytes,
    logo: (Bytes, HeaderValue),
}

impl Pages {
    /// Loads the built-in pages and what replaces them, and renders each once.
    ///
    /// `login_path` is the path that the stylesheet and the logo are served under.
    ///
    /// # Errors
    /// If a file cannot be read, is none that pages know, or does not render.
    pub fn load(settings: &PageSettings, login_path: &str) -> Result<Self, PageError> {
        let assets = assets::load(settings)?;
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        for (name, source) in assets.templates {
            environment.add_template_owned(name, source)?;
        }
        let title = if settings.title.is_empty() {
            "Doorward"
        } else {
            &settings.title
        };
        let version = assets::version(&[&assets.stylesheet, &assets.logo.0]);
        let site = context! {
            title => title,
            stylesheet => format!("{login_path}/{STYLESHEET}?v={version}"),
            logo => format!("{login_path}/{LOGO}?v={version}"),
        };
        let texts = Value::from_pairs(assets.texts);
        let pages = Self {
            environment,
            texts,
            site,
            stylesheet: assets.stylesheet,
            logo: assets.logo,
        };
        samples::render_all(&pages)?;
        Ok(pages)
    }

    /// The login form.
    pub fn login(&self, page: &LoginPage<'_>) -> String {
        self.page("login.html", self.login_context(page))
    }

    /// The form for a new password.
    pub fn new_password(&self, page: &PasswordPage<'_>) -> String {
        self.page("new_password.html", self.password_context(page))
    }

    /// After logout. `continue_to` leads back in.
    pub fn logged_out(&self, continue_to: &str) -> String {
        self.page("logged_out.html", context! { continue_to })
    }

    /// A refusal. An outcome that is none reads as a fault of ours.
    pub fn error(&self, outcome: Outcome, status: u16, transaction_id: &str) -> String {
        self.page(
            "error.html",
            self.error_context(outcome, status, transaction_id),
        )
    }

    /// Instead of a redirect to the login page when a request's body would be lost on the way.
    pub fn request_not_kept(&self, login: &str) -> String {
        self.page("request_not_kept.html", context! { login })
    }

    /// A kept request was sent on before and is not sent again.
    pub fn already_sent(&self, continue_to: &str) -> String {
        self.page("already_sent.html", context! { continue_to })
    }

    /// The stylesheet (`text/css`). Its address changes with its content, so it may be cached for long.
    pub const fn stylesheet(&self) -> &Bytes {
        &self.stylesheet
    }

    /// The picture above the form, and its content type.
    pub const fn logo(&self) -> (&Bytes, &HeaderValue) {
        (&self.logo.0, &self.logo.1)
    }

    /// What was rendered at load renders again; should a replaced template fail after all, the user gets a
    /// plain sentence and the operator the reason.
    fn page(&self, template: &str, values: Value) -> String {
        self.render(template, values).unwrap_or_else(|error| {
            tracing::error!(
                template,
                error = format!("{error:#}"),
                "a page cannot be rendered"
            );
            String::from("<!doctype html><title>Error</title><p>This page cannot be shown.")
        })
    }

    fn render(&self, template: &str, values: Value) -> Result<String, minijinja::Error> {
        let fields = context! {
            user => USER_FIELD,
            password => PASSWORD_FIELD,
            code => CODE_FIELD,
            new_password => NEW_PASSWORD_FIELD,
            confirmation => CONFIRMATION_FIELD,
            remember => REMEMBER_FIELD,
            state => STATE_FIELD,
        };
        let common = context! { texts => &self.texts, site => &self.site, fields };
        self.environment
            .get_template(template)?
            .render(context! { ..values, ..common })
    }

    fn login_context(&self, page: &LoginPage<'_>) -> Value {
        context! {
            message => page.message.map(|message| self.message_context(message)),
            action => page.action,
            state => page.state,
            host => page.host,
            user_name => page.user_name,
            remember => page.remember,
            request_kept => page.request_kept,
            asks_code => page.asks_code,
            challenge => page.challenge,
        }
    }

    fn password_context(&self, page: &PasswordPage<'_>) -> Value {
        context! {
            message => page.message.map(|message| self.message_context(message)),
            action => page.action,
            state => page.state,
            host => page.host,
            asks_code => page.asks_code,
            challenge => page.challenge,
        }
    }

    fn message_context(&self, message: Message) -> Value {
        let kind = if message.is_error() { "error" } else { "note" };
        context! { kind, text => self.text(message.key()) }
    }

    fn error_context(&self, outcome: Outcome, status: u16, transaction_id: &str) -> Value {
        let text = |outcome: Outcome, part| self.text(&format!("error_{}_{part}", outcome.name()));
        let known = if text(outcome, "title").is_undefined() {
            Outcome::Internal
        } else {
            outcome
        };
        let error = context! { title => text(known, "title"), text => text(known, "text") };
        context! { error, status, transaction_id }
    }

    fn text(&self, key: &str) -> Value {
        self.texts.get_attr(key).unwrap_or(Value::UNDEFINED)
    }
}

#[cfg(test)]
mod tests;
