//! `doorward demo --check`: the story, played and checked step by step.

use std::fs;
use std::process::ExitCode;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, StatusCode};

use super::Demo;

/// What is wrong, in one sentence.
type Step = Result<(), String>;

/// Plays the story. Fails with the first step that does not hold.
pub(super) async fn play(demo: &Demo) -> ExitCode {
    match Visitor::new(demo) {
        Ok(mut visitor) => match visitor.story().await {
            Ok(()) => {
                println!("The whole story holds.");
                ExitCode::SUCCESS
            }
            Err(error) => super::failed(error),
        },
        Err(error) => super::failed(error),
    }
}

/// Somebody with a browser.
struct Visitor {
    client: Client,
    base: String,
    session: String,
    login: String,
}

impl Visitor {
    fn new(demo: &Demo) -> Result<Self, String> {
        let pem = fs::read(demo.folder.path().join("ca.crt")).map_err(|error| error.to_string())?;
        let config = rustls::ClientConfig::builder_with_provider(
            rustls::crypto::aws_lc_rs::default_provider().into(),
        )
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots(&pem)?)
        .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .resolve("localhost", demo.gateway)
            .build()
            .map_err(|error| error.to_string())?;
        let base = format!("https://localhost:{}", demo.gateway.port());
        Ok(Self {
            client,
            base,
            session: String::new(),
            login: String::new(),
        })
    }

    async fn story(&mut self) -> Step {
        let page = self.get("/", "").await?;
        expect(
            "a visitor without a session is sent to the login page",
            page.status() == StatusCode::FOUND,
        )?;
        let form = location(&page)?;
        let refused = self.log_in(&form, "alice", "wrong").await?;
        expect(
            "a wrong password is refused",
            refused.status() == StatusCode::FORBIDDEN,
        )?;
        let accepted = self.log_in(&form, "alice", "alice-demo").await?;
        expect(
            "the right password leads back",
            accepted.status() == StatusCode::SEE_OTHER && location(&accepted)? == "/",
        )?;
        self.session = cookie(accepted.headers(), "SMSESSION")
            .ok_or("there is no SMSESSION after the login")?;
        let alice = self.session.clone();

        let shown = text(self.get("/", &alice).await?).await?;
        expect(
            "the application is told who the user is",
            shown.contains("Hello, alice") && shown.contains("alice@example.com"),
        )?;
        let spoofed = self
            .client
            .get(format!("{}/", self.base))
            .header(COOKIE, &alice);
        let spoofed = spoofed
            .header("SM_USER", "root")
            .header("sm-user", "root")
            .header("SM.USER", "root");
        let spoofed = text(spoofed.send().await.map_err(|error| error.to_string())?).await?;
        expect(
            "nobody can bring identity headers along",
            spoofed.contains("Hello, alice") && !spoofed.contains(">root<"),
        )?;

        let stepped = self.get("/vault/", &alice).await?;
        expect(
            "a session of a lower level does not open the vault",
            stepped.status() == StatusCode::UNAUTHORIZED,
        )?;
        let forbidden = self.basic("alice", "alice-demo").await?;
        expect(
            "alice may not enter the vault",
            forbidden.status() == StatusCode::FORBIDDEN,
        )?;
        let vault = self.basic("bob", "bob-demo").await?;
        expect("bob may", vault.status() == StatusCode::OK)?;
        let bob = cookie(vault.headers(), "SMSESSION").ok_or("there is no SMSESSION for bob")?;
        expect(
            "bob's cookie opens the vault without his password",
            self.get("/vault/", &bob).await?.status() == StatusCode::OK,
        )?;

        let goodbye = self.get("/doorward/logout", &bob).await?;
        let logged_off = cookie(goodbye.headers(), "SMSESSION")
            .is_some_and(|cookie| cookie.ends_with("LOGGEDOFF"));
        expect(
            "logout says so",
            goodbye.status() == StatusCode::OK && logged_off,
        )?;
        let replay = self.get("/vault/", &bob).await?;
        expect(
            "the copied cookie is refused at once",
            replay.status() == StatusCode::UNAUTHORIZED,
        )?;
        expect(
            "and other sessions go on",
            self.get("/", &alice).await?.status() == StatusCode::OK,
        )
    }

    async fn get(&self, path: &str, cookies: &str) -> Result<Response, String> {
        let request = self
            .client
            .get(format!("{}{path}", self.base))
            .header("accept", "text/html");
        request
            .header(COOKIE, cookies)
            .send()
            .await
            .map_err(|error| format!("GET {path}: {error}"))
    }

    async fn basic(&self, user: &str, password: &str) -> Result<Response, String> {
        let request = self
            .client
            .get(format!("{}/vault/", self.base))
            .basic_auth(user, Some(password));
        request.send().await.map_err(|error| error.to_string())
    }

    /// Opens the login form at `address` and sends it back.
    async fn log_in(
        &mut self,
        address: &str,
        user: &str,
        password: &str,
    ) -> Result<Response, String> {
        let page = self.get(address, &self.login).await?;
        if let Some(login) = cookie(page.headers(), "__Host-SMLOGIN") {
            self.login = login;
        }
        let html = text(page).await?;
        let state = html
            .split("name=\"STATE\"")
            .nth(1)
            .and_then(|rest| rest.split("value=\"").nth(1)?.split('"').next());
        let state = state.ok_or("the login form has no state")?;
        let form: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("USER", user), ("PASSWORD", password), ("STATE", state)])
            .finish();
        let request = self
            .client
            .post(format!("{}/doorward/login", self.base))
            .header(COOKIE, &self.login);
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        request.send().await.map_err(|error| error.to_string())
    }
}

fn roots(pem: &[u8]) -> Result<rustls::RootCertStore, String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots
            .add(certificate.map_err(|error| error.to_string())?)
            .map_err(|error| error.to_string())?;
    }
    Ok(roots)
}

/// One step of the story.
fn expect(what: &str, holds: bool) -> Step {
    if holds {
        println!("ok      {what}");
        Ok(())
    } else {
        println!("FAILED  {what}");
        Err(format!("this does not hold: {what}"))
    }
}

fn location(response: &Response) -> Result<String, String> {
    let location = response
        .headers()
        .get(LOCATION)
        .and_then(|location| location.to_str().ok());
    location
        .map(str::to_owned)
        .ok_or_else(|| String::from("the redirect leads nowhere"))
}

/// A cookie that a response sets, as it is sent back.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut lines = headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let line = lines.find(|line| line.split('=').next() == Some(name))?;
    line.split(';').next().map(str::to_owned)
}

async fn text(response: Response) -> Result<String, String> {
    response.text().await.map_err(|error| error.to_string())
}
