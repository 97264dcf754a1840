use super::*;
use crate::access::Denial;
use crate::access::sample_visit::{NOW, SampleVisit};
use crate::session::scripted_policy::ScriptedPolicy;

/// The certificate of whoever asks says nothing of the user that is asked about: nobody is logged in with it.
#[tokio::test]
async fn a_decision_about_a_token_is_about_that_token_alone() {
    let policy = ScriptedPolicy::new(7);
    let sessions = policy.sessions(NOW);
    sessions.keys.replace(&policy.keys(7), NOW).unwrap();
    let sample = SampleVisit::new();
    let facts = sample.facts(&sessions);
    let visit = facts.with(&sample.headers);
    let core = Core::new(&sessions, &visit);
    // This policy server answers no login: an attempt would be "cannot tell".
    for token in [&b"garbage"[..], b"", b"LOGGEDOFF"] {
        let verdict = core.decide(token, &sample.target).await;
        let Ok(Verdict::Denied(Denial::Challenge { realm, .. })) = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(realm.name, "certified");
    }
}
