//! One call, with all that is known of it before anything is done.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, header};

use super::error::Refusal;
use super::json::Sent;
use super::query::Query;
use super::version::{Asked, Version};
use crate::config::Realm;
use crate::config::services::Am;
use crate::services::core::Core;

/// One call.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) core: &'a Core<'a>,
    pub(super) service: &'a Am,
    /// The realm of this agent that is meant.
    pub(super) realm: &'a Arc<Realm>,
    /// What that is called in the API.
    pub(super) realm_name: String,
    pub(super) method: Method,
    pub(super) query: Query,
    pub(super) asked: Asked,
    /// The version that serves it.
    pub(super) version: Version,
    pub(super) body: Sent,
}

impl Ask<'_> {
    pub(super) const fn headers(&self) -> &HeaderMap {
        self.core.visit.headers
    }

    /// The action that a POST asks for.
    ///
    /// # Errors
    /// If it is no POST, or asks for none: that would create something, and nothing can be created here.
    pub(super) fn action(&self) -> Result<&str, Refusal> {
        let action = self.query.one("_action")?;
        match (self.method == Method::POST, action) {
            (true, Some(action)) => {
                let conditional = [header::IF_MATCH, header::IF_NONE_MATCH];
                if conditional
                    .iter()
                    .any(|name| self.headers().contains_key(name))
                {
                    let message = "If-Match and If-None-Match are not supported for actions";
                    return Err(Refusal::new(StatusCode::PRECONDITION_FAILED, message));
                }
                Ok(action)
            }
            (true, None) if self.asked.protocol < Version(2, 1) => Err(Refusal::bad_request(
                "No values provided for the request parameter '_action'",
            )),
            _ => Err(self.unsupported()),
        }
    }

    /// That this method means nothing here.
    pub(super) fn unsupported(&self) -> Refusal {
        match self.method {
            Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE => {
                Refusal::no_operation()
            }
            _ => Refusal::method(),
        }
    }

    /// The members that are to be answered; all if none is named.
    ///
    /// # Errors
    /// If the parameter is there twice.
    pub(super) fn fields(&self) -> Result<Vec<&str>, Refusal> {
        let named = self.query.one("_fields")?.unwrap_or_default();
        Ok(named
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect())
    }
}
