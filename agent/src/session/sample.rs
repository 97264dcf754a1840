//! A session for tests.

use std::time::Duration;

use policy_protocol::{
    AuthScheme, Identity, ProtectionLevel, Session, SessionId, SessionSpec, Timestamp,
};

/// A session of `user` that has just begun, ten minutes idle and two hours at most.
pub(crate) fn session(id: u8, user: &str, started: Timestamp) -> Session {
    Session {
        id: SessionId::from_bytes([id; 20]),
        spec: SessionSpec::new(format!("spec of {user}")),
        identity: Identity {
            user_name: user.to_owned(),
            universal_id: user.to_owned(),
            ..Identity::default()
        },
        auth_scheme: AuthScheme::Form,
        protection_level: ProtectionLevel(5),
        started,
        last_access: started,
        idle_timeout: Duration::from_secs(600),
        max_timeout: Duration::from_secs(7200),
        persistent: false,
    }
}
