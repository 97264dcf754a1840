//! Session specs that somebody has worked on.

use policy_protocol::message::{LogoutAnswer, SessionTicket};
use policy_protocol::{KeyId, Reason, SealingKey, SessionSpec, TokenType};

use crate::harness::{World, alive, assert_dead, realm};

crate::for_both!(a_changed_spec_is_refused_whatever_was_changed);

async fn a_changed_spec_is_refused_whatever_was_changed(world: World) {
    let session = world.login("alice", &realm()).await;
    let sealed = session.spec.as_str();
    let mut forgeries = vec![
        String::new(),
        format!("{sealed}A"),
        format!("{sealed}="),
        format!(" {sealed}"),
        "A".repeat(SessionSpec::MAX_LENGTH),
        "A".repeat(SessionSpec::MAX_LENGTH + 1),
        String::from("é"),
    ];
    for index in 0..sealed.len() {
        let mut changed = sealed.as_bytes().to_vec();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        forgeries.push(String::from_utf8(changed).unwrap());
        forgeries.push(sealed[..index].to_owned());
    }
    // Sealed by somebody else, under the names of the server's keys.
    for id in 0..4 {
        let key = SealingKey::new(KeyId(id), &[7; 32]);
        forgeries.push(key.seal(TokenType::SessionSpec, "", b"contents").unwrap());
    }
    for forgery in forgeries {
        let forged = SessionTicket {
            session_id: session.id,
            session_spec: SessionSpec::new(forgery),
        };
        let answer = world
            .validate_ticket(forged.clone(), world.now(), None)
            .await;
        assert_dead(answer, Reason::INVALID_SESSION);
        let refused = LogoutAnswer::No {
            reason: Reason::INVALID_SESSION,
        };
        assert_eq!(world.logout(forged).await, refused);
    }
    alive(world.validate(&session).await);
}
