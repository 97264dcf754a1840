//! Requests in another system's own form, and their answers.

use policy_protocol::Secret;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};

use super::address::below;
use super::reply::read;
use super::{Transport, failed, sent, well};
use crate::PolicyError;
use crate::limits::MAX_FOREIGN_ANSWER;
use crate::retry::{Call, Failure, Repeat};

/// A request in another system's own form.
pub(crate) struct Exchange<'a> {
    /// Whether it may reach two servers.
    pub(crate) repeat: Repeat,
    pub(crate) method: Method,
    /// Segments below the server's address; each is escaped.
    pub(crate) path: &'a [&'a str],
    /// Sent as it is: some servers compare it as text.
    pub(crate) query: Option<&'a str>,
    /// Those that hold a secret are marked as sensitive.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Secret<Vec<u8>>>,
}

/// The answer to an [`Exchange`]: neither a server's failure (5xx) nor a redirect.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Secret<Vec<u8>>,
}

impl Transport {
    /// Sends another system's request, and reads the answer whatever its status says, but for 5xx: those are
    /// failures of the server, 501 aside. A redirect is no answer, and is not followed.
    pub(crate) async fn exchange(&self, exchange: &Exchange<'_>) -> Result<Answer, PolicyError> {
        self.exchange_or_fault(exchange, |_| false).await
    }

    /// The same, where a 500 is an answer if its body is a fault: SOAP says so of requests that it does not
    /// understand, and a server that does is well.
    pub(crate) async fn exchange_or_fault(
        &self,
        exchange: &Exchange<'_>,
        is_fault: fn(&[u8]) -> bool,
    ) -> Result<Answer, PolicyError> {
        self.make(Call::new(exchange.repeat), move |server| async move {
            let base = &self.bases[server];
            let mut url = below(base, &[], exchange.path);
            url.set_query(exchange.query);
            let mut request = self
                .client
                .request(exchange.method.clone(), url)
                .headers(exchange.headers.clone());
            if let Some(body) = &exchange.body {
                request = request.body(body.expose().clone());
            }
            let response = sent(base, request).await?;
            let status = response.status();
            if status == StatusCode::INTERNAL_SERVER_ERROR {
                let body = Secret::new(read(response, MAX_FOREIGN_ANSWER).await?);
                return match is_fault(body.expose()) {
                    true => Ok(Answer { status, body }),
                    false => Err(failed(base, status)),
                };
            }
            let response = well(base, response).await?;
            if status.is_redirection() {
                tracing::warn!(server = %base, status = status.as_u16(), "a redirect is not followed");
                return Err(Failure::Refused(PolicyError::Protocol));
            }
            Ok(Answer {
                status,
                body: Secret::new(read(response, MAX_FOREIGN_ANSWER).await?),
            })
        })
        .await
    }
}
