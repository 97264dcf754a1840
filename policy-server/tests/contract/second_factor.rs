//! One-time codes: asked for together with the password, and good for one login.

use std::time::Duration;

use futures_util::future::join_all;
use policy_client::PolicyError;
use policy_protocol::message::{Credentials, LoginAnswer};
use policy_protocol::user_administration::Enrolment;
use policy_protocol::{AuthScheme, ProtectionLevel, RealmContext, Reason, Secret};
use policy_server::NotEnrolled;
use totp_rs::{Builder, Secret as TotpSecret};

use crate::harness::{ADMIN_SECRET, PASSWORD, World, alive, realm};

crate::for_both!(
    a_password_and_a_code_make_a_stronger_session,
    a_code_works_once_however_many_logins_bring_it,
    a_recovery_code_works_once,
    neither_alone_is_enough_and_nothing_tells_which_was_wrong,
    wrong_codes_count_like_wrong_passwords,
    a_login_without_a_code_forgives_no_wrong_codes,
    a_second_factor_is_enrolled_once_and_can_be_taken_away,
);

fn totp_realm() -> RealmContext {
    RealmContext {
        name: String::from("vault"),
        auth_scheme: AuthScheme::Totp,
        protection_level: ProtectionLevel(15),
        ..realm()
    }
}

async fn enrolled(world: &World) -> Enrolment {
    world
        .server
        .enrol_second_factor("alice", "Example: Ltd")
        .await
        .unwrap()
}

/// The code of the moment.
fn code(world: &World, enrolment: &Enrolment) -> String {
    let secret = TotpSecret::try_from_base32(enrolment.secret.expose()).unwrap();
    let app = Builder::new().with_secret(secret).build_noncompliant();
    app.generate(world.now().0).to_string()
}

async fn try_code(world: &World, password: &str, code: Option<&str>) -> LoginAnswer {
    let credentials = Credentials::Password {
        user_name: String::from("alice"),
        password: Secret::new(password.to_owned()),
        new_password: None,
        code: code.map(|code| Secret::new(code.to_owned())),
    };
    world.present(credentials, &totp_realm(), None).await
}

const REFUSED: LoginAnswer = LoginAnswer::No {
    reason: Reason::UNKNOWN_USER,
};

fn details(world: &World) -> Vec<String> {
    let records = world.audit();
    let details = records
        .iter()
        .filter_map(|record| record["detail"].as_str());
    details.map(str::to_owned).collect()
}

async fn a_password_and_a_code_make_a_stronger_session(world: World) {
    let enrolment = enrolled(&world).await;
    let uri = enrolment.uri.expose();
    assert!(
        uri.starts_with("otpauth://totp/Example%20%20Ltd:alice?secret="),
        "{uri}"
    );
    match try_code(&world, PASSWORD, Some(&code(&world, &enrolment))).await {
        LoginAnswer::Yes { session } => {
            assert_eq!(session.auth_scheme, AuthScheme::Totp);
            assert_eq!(session.protection_level, ProtectionLevel(15));
            alive(world.validate(&session).await);
        }
        other => panic!("{other:?}"),
    }
}

async fn a_code_works_once_however_many_logins_bring_it(world: World) {
    let enrolment = enrolled(&world).await;
    let code = code(&world, &enrolment);
    let logins = join_all((0..5).map(|_| try_code(&world, PASSWORD, Some(&code)))).await;
    let accepted = logins.iter().filter(|answer| **answer != REFUSED);
    assert_eq!(accepted.count(), 1);
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(try_code(&world, PASSWORD, Some(&code)).await, REFUSED);
}

async fn a_recovery_code_works_once(world: World) {
    let enrolment = enrolled(&world).await;
    assert_eq!(enrolment.recovery_codes.len(), 10);
    let code = enrolment.recovery_codes[3].expose();
    assert_ne!(try_code(&world, PASSWORD, Some(code)).await, REFUSED);
    assert_eq!(try_code(&world, PASSWORD, Some(code)).await, REFUSED);
    let status = world.server.user_status("alice").await.unwrap();
    assert_eq!(status.second_factor.unwrap().recovery_codes, 9);
}

async fn neither_alone_is_enough_and_nothing_tells_which_was_wrong(world: World) {
    let good = "000000";
    assert_eq!(try_code(&world, PASSWORD, Some(good)).await, REFUSED);
    let enrolment = enrolled(&world).await;
    let good = code(&world, &enrolment);
    assert_eq!(try_code(&world, PASSWORD, None).await, REFUSED);
    world.server.unlock_user("alice").await.unwrap();
    assert_eq!(try_code(&world, PASSWORD, Some("")).await, REFUSED);
    assert_eq!(try_code(&world, "wrong", Some(&good)).await, REFUSED);
    assert_eq!(
        details(&world),
        ["no second factor", "no code", "code", "password"]
    );
    // A wrong password did not use the code up.
    assert_ne!(try_code(&world, PASSWORD, Some(&good)).await, REFUSED);
    // Elsewhere a code is neither asked for nor looked at.
    world.login("alice", &realm()).await;
}

async fn wrong_codes_count_like_wrong_passwords(world: World) {
    let enrolment = enrolled(&world).await;
    for cost in [0, 0, 0, 1, 2, 4, 8, 8, 8, 0] {
        let wrong = try_code(&world, PASSWORD, Some("1234-5678-9012")).await;
        assert_eq!(wrong, REFUSED);
        world.clock.advance(Duration::from_secs(cost));
    }
    let right = code(&world, &enrolment);
    assert_eq!(try_code(&world, PASSWORD, Some(&right)).await, REFUSED);
    let status = world.server.user_status("alice").await.unwrap();
    assert!(status.refused_until.is_some());
}

async fn a_second_factor_is_enrolled_once_and_can_be_taken_away(world: World) {
    let enrolment = enrolled(&world).await;
    let again = world.server.enrol_second_factor("alice", "x").await;
    assert_eq!(again, Err(NotEnrolled::Already));
    let unknown = world.server.enrol_second_factor("nobody", "x").await;
    assert_eq!(unknown, Err(NotEnrolled::UnknownUser));
    let world = world.restart().await;
    assert_ne!(
        try_code(&world, PASSWORD, Some(&code(&world, &enrolment))).await,
        REFUSED
    );
    assert!(world.server.remove_second_factor("alice").await.unwrap());
    assert!(!world.server.remove_second_factor("alice").await.unwrap());
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(
        try_code(&world, PASSWORD, Some(&code(&world, &enrolment))).await,
        REFUSED
    );
    let new = enrolled(&world).await;
    assert_ne!(
        try_code(&world, PASSWORD, Some(&code(&world, &new))).await,
        REFUSED
    );
}

#[tokio::test]
async fn administrators_do_the_same_over_https() {
    let world = World::remote().await;
    let admin = world.admin(ADMIN_SECRET);
    let enrolment = admin.enrol_second_factor("alice", "Example").await.unwrap();
    let again = admin.enrol_second_factor("alice", "Example").await;
    assert_eq!(again, Err(PolicyError::Failure));
    let right = code(&world, &enrolment);
    assert_ne!(try_code(&world, PASSWORD, Some(&right)).await, REFUSED);
    assert!(
        admin
            .user_status("alice")
            .await
            .unwrap()
            .second_factor
            .is_some()
    );
    admin.remove_second_factor("alice").await.unwrap();
    assert!(admin.remove_second_factor("alice").await.is_err());
    let nobody = world.admin("wrong");
    assert!(
        nobody
            .enrol_second_factor("alice", "Example")
            .await
            .is_err()
    );
    assert!(nobody.unlock_user("alice").await.is_err());
}

/// Who has the password and not the codes must not get rid of the count by using the password.
async fn a_login_without_a_code_forgives_no_wrong_codes(world: World) {
    let enrolment = enrolled(&world).await;
    for guess in 0..10 {
        assert_eq!(try_code(&world, PASSWORD, Some("000000")).await, REFUSED);
        world.login("alice", &realm()).await;
        // Past what a failure costs below the limit.
        if guess < 9 {
            world.clock.advance(Duration::from_secs(10));
        }
    }
    world.login("alice", &realm()).await;
    let code = code(&world, &enrolment);
    assert_eq!(try_code(&world, PASSWORD, Some(&code)).await, REFUSED);
    assert_eq!(
        world
            .server
            .user_status("alice")
            .await
            .unwrap()
            .failed_logins,
        10
    );
    world.server.unlock_user("alice").await.unwrap();
    assert_ne!(try_code(&world, PASSWORD, Some(&code)).await, REFUSED);
}
