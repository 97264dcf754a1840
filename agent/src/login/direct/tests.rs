use super::*;
use crate::access::sample_visit::{NOW, SampleVisit};
use crate::session::scripted_policy::ScriptedPolicy;

fn parsed(value: &str) -> Option<(String, String)> {
    match basic(value.as_bytes())? {
        Credentials::Password {
            user_name,
            password,
            ..
        } => Some((user_name, password.expose().clone())),
        Credentials::Certificate { .. } | Credentials::Assertion { .. } => None,
    }
}

#[test]
fn basic_credentials_are_read_with_and_without_padding() {
    let pair = Some((String::from("alice"), String::from("a:b")));
    assert_eq!(parsed("Basic YWxpY2U6YTpi"), pair);
    let other = Some((String::from("alice"), String::from("pw")));
    assert_eq!(parsed("basic YWxpY2U6cHc="), other);
    assert_eq!(parsed("BASIC YWxpY2U6cHc"), other);
}

#[test]
fn anything_else_is_no_credential() {
    let long = format!("Basic {}", "A".repeat(MAX_AUTHORIZATION));
    for value in [
        "",
        "Basic",
        "Basic ",
        "Bearer abc",
        "Basic !!!!",
        "Basic YWxpY2U=",
        "Basic OnB3",
        "Basic /////w==",
        &long,
    ] {
        assert_eq!(parsed(value), None, "{value:.20}");
    }
}

/// A script asks for many things at once.
#[tokio::test]
async fn who_comes_too_late_for_a_login_finds_its_session() {
    let policy = ScriptedPolicy::new(7);
    *policy.begins.lock().unwrap() = Some(NOW);
    let sessions = policy.sessions(NOW);
    let sample = SampleVisit::new();
    let facts = sample.facts(&sessions);
    let visit = facts.with(&sample.headers);
    let realm = Arc::clone(&sample.site.config.realms[0]);
    let present = || {
        let presented = presented(&sessions, &visit, &realm).unwrap();
        let known = presented.known(&sessions, &visit, &realm);
        (presented, known)
    };

    let [(first, None), (second, None)] = [present(), present()] else {
        panic!("nobody has logged in yet");
    };
    let begun = first.log_in(&sessions, &visit, &realm, None).await.unwrap();
    // It has looked before the login, and asks after it.
    let found = second.log_in(&sessions, &visit, &realm, None).await;
    assert_eq!(found.unwrap().session.id(), begun.session.id());
    assert_eq!(policy.logins(), 1);

    // What does not do any more is no find; but what another has begun in its place is.
    let given_up = Some(&*begun.session);
    let [(third, Some(_)), (fourth, Some(_))] = [present(), present()] else {
        panic!("it is forgotten");
    };
    let renewed = third.log_in(&sessions, &visit, &realm, given_up).await;
    let found = fourth.log_in(&sessions, &visit, &realm, given_up).await;
    assert_eq!(renewed.unwrap().session.id(), ScriptedPolicy::session_id(2));
    assert_eq!(found.unwrap().session.id(), ScriptedPolicy::session_id(2));
    assert_eq!(policy.logins(), 2);
}
