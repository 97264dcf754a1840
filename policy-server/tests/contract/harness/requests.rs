//! What is asked of a policy server, and what is made of its answers.

use std::net::IpAddr;
use std::time::Duration;

use policy_protocol::administration::{RollRequest, RollWhich};
use policy_protocol::message::{
    AuthorizeRequest, Credentials, LoginRequest, SessionTicket, ValidateAnswer, ValidateRequest,
};
use policy_protocol::{
    AuthScheme, ProtectionLevel, RealmContext, Reason, ResourceContext, Session, Timestamp,
};

pub(crate) fn by_command() -> RollRequest {
    RollRequest {
        which: RollWhich::Rolling,
        next_key: None,
        force: false,
    }
}

pub(crate) fn resource(path: &str) -> ResourceContext {
    ResourceContext {
        agent: String::from("an agent that is not asking"),
        server: String::from("app.test"),
        resource: path.to_owned(),
        action: String::from("GET"),
    }
}

/// A realm with a form, half an hour idle and two hours at most.
pub(crate) fn realm() -> RealmContext {
    RealmContext {
        name: String::from("app"),
        protection_level: ProtectionLevel(5),
        auth_scheme: AuthScheme::Form,
        idle_timeout: Duration::from_secs(1800),
        max_timeout: Duration::from_secs(7200),
        persistent: false,
    }
}

pub(crate) fn persistent() -> RealmContext {
    RealmContext {
        persistent: true,
        ..realm()
    }
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn login_request(
    credentials: Credentials,
    realm: &RealmContext,
    previous: Option<&Session>,
) -> LoginRequest {
    LoginRequest {
        resource: resource("/app"),
        realm: realm.clone(),
        credentials,
        client_address: Some(address("192.0.2.1")),
        previous: previous.map(Session::ticket).into_iter().collect(),
        transaction_id: String::from("t1"),
    }
}

pub(crate) fn authorization(session: &Session, path: &str) -> AuthorizeRequest {
    AuthorizeRequest {
        session: session.ticket(),
        resource: resource(path),
        realm: realm(),
        from: address("192.0.2.1"),
        client_address: None,
        transaction_id: String::from("t4"),
    }
}

pub(crate) fn validation(session: SessionTicket) -> ValidateRequest {
    ValidateRequest {
        session,
        resource: resource("/app"),
        realm: realm(),
        client_address: None,
        last_access: Timestamp::default(),
        overlooked: false,
        transaction_id: String::from("t2"),
    }
}
/// The session of a YES.
#[track_caller]
pub(crate) fn alive(answer: ValidateAnswer) -> Session {
    match answer {
        ValidateAnswer::Yes { session } => *session,
        ValidateAnswer::No { reason } => panic!("refused: {}", reason.name()),
    }
}

#[track_caller]
pub(crate) fn assert_dead(answer: ValidateAnswer, because: Reason) {
    assert_eq!(answer, ValidateAnswer::No { reason: because });
}
