use http::{HeaderValue, header};
use policy_protocol::Session;

use super::*;
use crate::access::sample_visit::{NOW, SampleVisit};
use crate::session::sample::session;
use crate::session::scripted_policy::ScriptedPolicy;

/// The cookie of a session, sealed with the current key of `sessions`.
fn sealed(sessions: &Sessions, session: &Session, zone: &str) -> String {
    let keys = sessions.keys.load().unwrap();
    let claims = SessionClaims::new(session, "agent-1", None, NOW);
    claims.seal(&keys.ring, zone).unwrap()
}

fn show(sample: &mut SampleVisit, values: &[&str]) {
    sample.headers.clear();
    for value in values {
        let cookie = HeaderValue::try_from(format!("SMSESSION={value}")).unwrap();
        sample.headers.append(header::COOKIE, cookie);
    }
}

/// Not on the threads that call the policy server, where those of strangers would keep everybody waiting.
#[tokio::test]
async fn cookies_are_opened_before_anybody_waits_unless_their_key_is_unknown() {
    let policy = ScriptedPolicy::new(9);
    let sessions = policy.sessions(NOW);
    let (one, two) = (session(1, "alice", NOW), session(2, "alice", NOW));
    sessions.keys.replace(&policy.keys(9), NOW).unwrap();
    let newer = sealed(&sessions, &two, "SM");

    let sessions = policy.sessions(NOW);
    sessions.keys.replace(&policy.keys(7), NOW).unwrap();
    let mut sample = SampleVisit::new();
    show(
        &mut sample,
        &["garbage", &newer, &sealed(&sessions, &one, "SM")],
    );
    let facts = sample.facts(&sessions);
    // The newer keys are without that of the first.
    let (tickets, all) = tickets(&sessions, &facts.with(&sample.headers)).await;
    assert!(all.is_ok());
    let ids: Vec<_> = tickets.iter().map(|ticket| ticket.session_id).collect();
    assert_eq!(ids, [one.id, two.id]);
}

#[tokio::test]
async fn one_request_has_only_so_many_seals_tried() {
    let policy = ScriptedPolicy::new(7);
    let sessions = policy.sessions(NOW);
    sessions.keys.replace(&policy.keys(7), NOW).unwrap();
    let alice = session(1, "alice", NOW);
    let real = sealed(&sessions, &alice, "SM");
    // Our key, and a seal for another zone.
    let planted = sealed(&sessions, &alice, "Z1");
    for (before, found) in [(MAX_TRIED - 1, 1), (MAX_TRIED, 0)] {
        let mut sample = SampleVisit::new();
        let mut shown = vec!["garbage"; 100];
        shown.extend(vec![planted.as_str(); before]);
        shown.push(&real);
        show(&mut sample, &shown);
        let facts = sample.facts(&sessions);
        let (tickets, _) = tickets(&sessions, &facts.with(&sample.headers)).await;
        assert_eq!(tickets.len(), found, "behind {before}");
    }
}
