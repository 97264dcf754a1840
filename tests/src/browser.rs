//! A real browser: headless Chromium, driven by chromedriver over the W3C WebDriver protocol.
//!
//! The ten commands that are needed are a page of JSON over the HTTP client that is here anyway; a
//! WebDriver library would bring eighty crates.

use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

#[cfg(doc)]
use crate::Leaf;
use crate::client::{Client, Protocol, full};
use crate::eventually::{eventually, within};

/// The Tab key, as WebDriver writes it.
pub const TAB: &str = "\u{E004}";
/// The Enter key, as WebDriver writes it.
pub const ENTER: &str = "\u{E007}";

/// How WebDriver names an element in JSON (W3C WebDriver, section 12.2).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a profile of its own. It ends when it is dropped.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    session: String,
    driver: Child,
    _profile: TempDir,
}

/// An element of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element(String);

impl Browser {
    /// Starts a browser that trusts the certificates with these keys (see [`Leaf::key_digest`]), or says loudly that there is none and returns nothing.
    ///
    /// # Panics
    /// If there is none and `DOORWARD_REQUIRE_BROWSER` is `1`.
    pub async fn start(trusted_keys: &[&str]) -> Option<Self> {
        let (Some(driver), Some(chromium)) = (
            find(&["chromedriver"]),
            find(&["chromium", "chromium-browser", "google-chrome"]),
        ) else {
            assert!(
                std::env::var("DOORWARD_REQUIRE_BROWSER").as_deref() != Ok("1"),
                "no chromium and chromedriver"
            );
            eprintln!("SKIPPED: a browser test, because chromium and chromedriver were not found");
            return None;
        };
        let mut driver = Command::new(driver)
            .args(["--port=0", "--log-level=SEVERE"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver");
        let mut lines = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let port = within("chromedriver's port", async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((_, rest)) = line.split_once("on port ") {
                    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                    if digits != "0" {
                        return digits.parse::<u16>().expect("a port");
                    }
                }
            }
            panic!("chromedriver ended");
        })
        .await;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let client = Client::new(
            ([127, 0, 0, 1], port).into(),
            "localhost",
            Protocol::Http1,
            None,
        );
        let profile = TempDir::new().unwrap();
        let flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1000,800",
        ];
        let mut args: Vec<String> = flags.iter().map(|flag| String::from(*flag)).collect();
        // Not `acceptInsecureCerts`: browsers treat a page with a certificate error as another kind of page.
        args.push(format!(
            "--ignore-certificate-errors-spki-list={}",
            trusted_keys.join(",")
        ));
        args.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": chromium, "args": args},
        }}});
        let mut browser = Self {
            client,
            session: String::new(),
            driver,
            _profile: profile,
        };
        let session = browser.command(Method::POST, "/session", wanted).await;
        browser.session = format!(
            "/session/{}",
            session["sessionId"].as_str().expect("a session")
        );
        Some(browser)
    }

    /// Ends the browser in an orderly way.
    pub async fn quit(self) {
        self.command(Method::DELETE, "", Value::Null).await;
    }

    /// One command; fails the test if the driver reports an error.
    async fn command(&self, method: Method, path: &str, body: Value) -> Value {
        self.try_command(method, path, body)
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn try_command(&self, method: Method, path: &str, body: Value) -> Result<Value, String> {
        let request = self
            .client
            .request(method, &format!("{}{path}", self.session));
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = self
            .client
            .send(
                request
                    .header("content-type", "application/json")
                    .body(full(body))
                    .unwrap(),
            )
            .await;
        let value: Value = answer.json();
        if answer.status.is_success() {
            Ok(value["value"].clone())
        } else {
            Err(value["value"]["message"].to_string())
        }
    }

    /// Opens an address and waits until it is loaded.
    pub async fn open(&self, url: &str) {
        self.command(Method::POST, "/url", json!({ "url": url }))
            .await;
    }

    /// The address bar.
    pub async fn url(&self) -> String {
        self.command(Method::GET, "/url", Value::Null)
            .await
            .as_str()
            .unwrap_or_default()
            .into()
    }

    /// The document as it stands.
    pub async fn source(&self) -> String {
        self.command(Method::GET, "/source", Value::Null)
            .await
            .as_str()
            .unwrap_or_default()
            .into()
    }

    /// The title.
    pub async fn title(&self) -> String {
        self.command(Method::GET, "/title", Value::Null)
            .await
            .as_str()
            .unwrap_or_default()
            .into()
    }

    /// The back button.
    pub async fn back(&self) {
        self.command(Method::POST, "/back", json!({})).await;
    }

    /// Waits until the document holds `text`.
    pub async fn wait_for(&self, text: &str) -> String {
        eventually(&format!("the page says {text:?}"), async || {
            let source = self
                .try_command(Method::GET, "/source", Value::Null)
                .await
                .ok()?;
            source
                .as_str()
                .filter(|source| source.contains(text))
                .map(String::from)
        })
        .await
    }

    /// The element that a CSS selector finds, once it is there.
    pub async fn find(&self, selector: &str) -> Element {
        let query = json!({"using": "css selector", "value": selector});
        eventually(&format!("an element {selector}"), async || {
            let found = self
                .try_command(Method::POST, "/element", query.clone())
                .await
                .ok()?;
            found[ELEMENT].as_str().map(|id| Element(id.into()))
        })
        .await
    }

    /// The element that has the keyboard focus.
    pub async fn focused(&self) -> Element {
        let found = self
            .command(Method::GET, "/element/active", Value::Null)
            .await;
        Element(found[ELEMENT].as_str().expect("an element").into())
    }

    /// Types into an element.
    pub async fn type_into(&self, element: &Element, text: &str) {
        self.command(
            Method::POST,
            &format!("/element/{}/value", element.0),
            json!({ "text": text }),
        )
        .await;
    }

    /// Empties a field.
    pub async fn clear(&self, element: &Element) {
        self.command(
            Method::POST,
            &format!("/element/{}/clear", element.0),
            json!({}),
        )
        .await;
    }

    /// Types on the keyboard: into whatever has the focus.
    pub async fn press(&self, text: &str) {
        let keys: Vec<Value> = text
            .chars()
            .flat_map(|key| {
                [
                    json!({"type": "keyDown", "value": key}),
                    json!({"type": "keyUp", "value": key}),
                ]
            })
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": keys}]});
        self.command(Method::POST, "/actions", actions).await;
    }

    /// Clicks an element.
    pub async fn click(&self, element: &Element) {
        self.command(
            Method::POST,
            &format!("/element/{}/click", element.0),
            json!({}),
        )
        .await;
    }

    /// A property of an element, as the page's scripts see it.
    pub async fn property(&self, element: &Element, name: &str) -> Value {
        self.command(
            Method::GET,
            &format!("/element/{}/property/{name}", element.0),
            Value::Null,
        )
        .await
    }

    /// What a script of the page hands to its last argument, a function, when it is done.
    pub async fn run(&self, script: &str, arguments: Value) -> Value {
        let script = json!({ "script": script, "args": arguments });
        self.command(Method::POST, "/execute/async", script).await
    }

    /// All cookies of the page, with their attributes.
    pub async fn cookies(&self) -> Vec<Value> {
        self.command(Method::GET, "/cookie", Value::Null)
            .await
            .as_array()
            .cloned()
            .unwrap_or_default()
    }

    /// Saves a picture of the window.
    pub async fn screenshot(&self, file: &Path) {
        let picture = self.command(Method::GET, "/screenshot", Value::Null).await;
        let png = STANDARD
            .decode(picture.as_str().unwrap_or_default())
            .expect("a picture");
        std::fs::write(file, png).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

impl Drop for Browser {
    /// Ends the whole process group: a driver that is killed alone leaves its browser behind.
    fn drop(&mut self) {
        if let Some(group) = self.driver.id() {
            let _ = std::process::Command::new("kill")
                .args(["-KILL", "--", &format!("-{group}")])
                .status();
        }
    }
}

/// The first of `names` that is on the PATH.
fn find(names: &[&str]) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    names.iter().find_map(|name| {
        folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Origin;

    #[tokio::test]
    async fn a_page_is_opened_and_read() {
        let Some(browser) = Browser::start(&[]).await else {
            return;
        };
        let origin = Origin::start().await;
        browser.open(&format!("{}/hello", origin.url())).await;
        assert!(browser.wait_for("/hello").await.contains("User-Agent"));
        assert_eq!(browser.url().await, format!("{}/hello", origin.url()));
        browser.quit().await;
    }
}
