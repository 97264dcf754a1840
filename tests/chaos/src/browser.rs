//! What users do at an agent. Cookies are handed in for each request: every request may be a replay.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::checker::Outcome;

/// Longer than an agent asks its policy servers.
const TIMEOUT: Duration = Duration::from_secs(8);

/// The way to one agent.
#[derive(Clone, Debug)]
pub struct Browser {
    client: Client,
    port: Arc<AtomicU16>,
}

/// What a login came to.
#[derive(Debug)]
pub enum Login {
    /// A session: its cookie.
    Yes(String),
    /// Not now.
    NotNow(Outcome),
    /// Anything else.
    Odd(String),
}

impl Browser {
    /// A client of whatever listens on `port`.
    pub fn new(port: Arc<AtomicU16>, ca: &Path) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(ca).unwrap())
            .unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .timeout(TIMEOUT)
            .build()
            .unwrap();
        Self { client, port }
    }

    fn url(&self, path: &str) -> String {
        format!(
            "https://127.0.0.1:{}{path}",
            self.port.load(Ordering::SeqCst)
        )
    }

    async fn get(&self, path: &str, cookie: &str) -> Result<Response, Outcome> {
        let request = self.client.get(self.url(path));
        let request = request.header(ACCEPT, "text/html").header(COOKIE, cookie);
        request.send().await.map_err(|_| Outcome::Silence)
    }

    /// Asks the application for something. With the answer may come a newer cookie.
    pub async fn visit(&self, path: &str, cookie: &str) -> (Outcome, Option<String>) {
        let answer = match self.get(path, cookie).await {
            Ok(answer) => answer,
            Err(outcome) => return (outcome, None),
        };
        let newer =
            set_cookie(&answer, "SMSESSION").filter(|cookie| !cookie.ends_with("LOGGEDOFF"));
        match answer.status() {
            StatusCode::OK => match answer.text().await {
                Ok(user) => (Outcome::Passed(user), newer),
                Err(_) => (Outcome::Silence, None),
            },
            _ => (outcome(&answer), None),
        }
    }

    /// Logs in.
    pub async fn login(&self, path: &str, user: &str, password: &str) -> Login {
        match self.try_login(path, user, password).await {
            Ok(login) => login,
            Err(outcome) => Login::NotNow(outcome),
        }
    }

    async fn try_login(&self, path: &str, user: &str, password: &str) -> Result<Login, Outcome> {
        let challenge = self.get(path, "").await?;
        let Some(place) = challenge.headers().get(LOCATION) else {
            return Err(outcome(&challenge));
        };
        let page = self.get(place.to_str().unwrap(), "").await?;
        if page.status() != StatusCode::OK {
            return Err(outcome(&page));
        }
        let cookie = set_cookie(&page, "__Host-SMLOGIN").expect("a cookie of the form");
        let html = page.text().await.map_err(|_| Outcome::Silence)?;
        let state = html
            .split_once("name=\"STATE\"")
            .and_then(|(_, rest)| rest.split_once("value=\""))
            .and_then(|(_, rest)| rest.split('"').next())
            .expect("a state");
        let form: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("USER", user), ("PASSWORD", password), ("STATE", state)])
            .finish();
        let request = self.client.post(self.url("/doorward/login"));
        let request = request
            .header(COOKIE, &cookie)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await;
        let answer = answer.map_err(|_| Outcome::Silence)?;
        Ok(match answer.status() {
            StatusCode::SEE_OTHER => match set_cookie(&answer, "SMSESSION") {
                Some(cookie) => Login::Yes(cookie),
                None => Login::Odd(String::from("a redirect without a session")),
            },
            StatusCode::SERVICE_UNAVAILABLE => Login::NotNow(Outcome::Unavailable),
            status => Login::Odd(format!("a status of {status}")),
        })
    }

    /// Logs out. Whether that was acknowledged.
    pub async fn logout(&self, cookie: &str) -> bool {
        let answer = self.get("/doorward/logout", cookie).await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }
}

fn outcome(answer: &Response) -> Outcome {
    let place = answer.headers().get(LOCATION);
    let to_login = place.is_some_and(|place| {
        place
            .to_str()
            .is_ok_and(|place| place.contains("/doorward/login"))
    });
    match answer.status() {
        StatusCode::FOUND if to_login => Outcome::Login,
        StatusCode::SERVICE_UNAVAILABLE => Outcome::Unavailable,
        status => Outcome::Other(status.as_u16()),
    }
}

fn set_cookie(answer: &Response, name: &str) -> Option<String> {
    let lines = answer.headers().get_all(SET_COOKIE).iter();
    let mut lines = lines.filter_map(|line| line.to_str().ok());
    let line = lines.find(|line| line.split('=').next() == Some(name))?;
    line.split(';').next().map(str::to_owned)
}
