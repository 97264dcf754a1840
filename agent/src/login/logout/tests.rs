use policy_protocol::{SessionId, SessionSpec};

use super::*;
use crate::access::sample_visit::NOW;
use crate::session::sample::session;
use crate::session::scripted_policy::ScriptedPolicy;

fn ticket(id: u8) -> SessionTicket {
    SessionTicket {
        session_id: SessionId::from_bytes([id; 20]),
        session_spec: SessionSpec::new(String::from("spec")),
    }
}

/// This policy server answers no logout.
#[tokio::test]
async fn only_what_may_be_a_session_is_told_of_later() {
    let sessions = ScriptedPolicy::new(7).sessions(NOW);
    let generation = sessions.trust.generation();
    let known = session(2, "alice", NOW);
    let _known = sessions.cache.adopt(known, generation, NOW).unwrap();
    let ending = Ending {
        sessions: Arc::clone(&sessions),
        transaction_id: String::from("1"),
    };
    let told = ending.end(vec![ticket(1)], vec![ticket(2), ticket(3)]);
    assert!(told.await.is_err());
    let mut unsent = sessions.unsent_logouts.sessions();
    unsent.sort_unstable();
    assert_eq!(unsent, [1, 2].map(|id| ticket(id).session_id));
    // One that is begun there and comes later is over all the same.
    let late = session(3, "bob", NOW);
    let refused = sessions.cache.adopt(late, generation, NOW).err();
    assert_eq!(refused, Some(Reason::USER_LOGOUT));
}
