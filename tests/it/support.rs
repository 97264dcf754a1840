//! What several modules ask of an answer.

use harness::gateway::Gateway;
use harness::{Answer, Client, Protocol};
use http::StatusCode;
use policy_protocol::Reason;
use url::Url;

/// The reason with which an answer sends the browser to the login page; `None` if it does not.
pub fn challenge_reason(answer: &Answer) -> Option<Reason> {
    if answer.status != StatusCode::FOUND {
        return None;
    }
    let url = Url::parse("https://app.test/")
        .unwrap()
        .join(answer.location())
        .ok()?;
    if url.path() != "/doorward/login" {
        return None;
    }
    let reason = url
        .query_pairs()
        .find(|(name, _)| name == "SMAUTHREASON")?
        .1;
    Some(Reason(reason.parse().expect("a number")))
}

/// Asserts that a request was sent to the login page, and returns why.
#[track_caller]
pub fn refused(answer: &Answer) -> Reason {
    challenge_reason(answer)
        .unwrap_or_else(|| panic!("not refused: {} {}", answer.status, answer.text()))
}

/// Path and query of an address that may be relative.
pub fn path_of(location: &str) -> String {
    let url = Url::parse("https://app.test/")
        .unwrap()
        .join(location)
        .unwrap();
    assert_eq!(url.host_str(), Some("app.test"), "{location}");
    url[url::Position::BeforePath..url::Position::AfterQuery].into()
}

/// A client that is logged in as `user`, with its cookie.
pub async fn logged_in(gateway: &Gateway, user: &str, protocol: Protocol) -> (Client, String) {
    let client = gateway.client(protocol);
    let cookie = client
        .login("/app/", user, harness::gateway::PASSWORD)
        .await;
    (client, cookie)
}

/// A client that shows `cookie` as its SMSESSION.
pub fn holding(gateway: &Gateway, cookie: &str, protocol: Protocol) -> Client {
    let client = gateway.client(protocol);
    client.set_cookie("SMSESSION", cookie);
    client
}

/// Raw HTTP/1.1: a GET with the given header lines, each without its line end.
pub fn get(target: &str, lines: &[&str]) -> Vec<u8> {
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: app.test\r\n");
    for line in lines {
        request.push_str(line);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.into_bytes()
}

/// Runs the calling test, whose name must be given, once more in a process of its own, and returns what
/// that printed. Inside that process, nothing.
///
/// For tests that measure what all tests of a process share: memory, standard output.
#[track_caller]
pub fn alone(test: &str) -> Option<String> {
    const INSIDE: &str = "DOORWARD_TEST_ALONE";
    if std::env::var_os(INSIDE).is_some() {
        return None;
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told = [child.stdout, child.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(
        child.status.success() && told.contains("1 passed"),
        "{told}"
    );
    Some(told)
}
