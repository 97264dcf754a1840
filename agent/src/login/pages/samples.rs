//! Every page in every state, to find a template's mistakes when it is loaded.

use super::{LoginPage, Message, Pages, PasswordPage};
use crate::telemetry::Outcome;
use minijinja::context;

/// Renders everything once; the first page that fails is the error.
pub(super) fn render_all(pages: &Pages) -> Result<(), minijinja::Error> {
    for message in Message::ALL.into_iter().map(Some).chain([None]) {
        for (asks_code, challenge) in [(false, None), (true, None), (true, Some("challenge"))] {
            for (user_name, request_kept, remember) in [
                ("", false, None),
                ("alice", false, Some(true)),
                ("alice", true, Some(false)),
            ] {
                let page = LoginPage {
                    user_name,
                    remember,
                    message,
                    request_kept,
                    asks_code,
                    challenge,
                    ..LoginPage::default()
                };
                pages.render("login.html", pages.login_context(&page))?;
            }
            let page = PasswordPage {
                message,
                asks_code,
                challenge,
                ..PasswordPage::default()
            };
            pages.render("new_password.html", pages.password_context(&page))?;
        }
    }
    for outcome in Outcome::ALL {
        pages.render("error.html", pages.error_context(outcome, 403, "sample"))?;
    }
    pages.render("logged_out.html", context! { continue_to => "/" })?;
    pages.render("request_not_kept.html", context! { login => "/" })?;
    pages.render("already_sent.html", context! { continue_to => "/" })?;
    Ok(())
}
