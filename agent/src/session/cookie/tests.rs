use policy_protocol::{AgentKey, AgentKeySet, Identity, KeyId, SealingKey, Secret};
use proptest::prelude::*;

use super::*;
use crate::session::sample;

const NOW: Timestamp = Timestamp(1_800_000_000);

fn key(id: u32) -> AgentKey {
    AgentKey {
        id: KeyId(id),
        key: Secret::new([u8::try_from(id).unwrap(); 32]),
    }
}

fn keys(current: u32, next: u32, previous: &[u32]) -> AgentKeySet {
    AgentKeySet {
        store: String::new(),
        version: 1,
        current: key(current),
        next: key(next),
        previous: previous.iter().map(|id| key(*id)).collect(),
        static_key: key(200),
        assertion_key: Secret::new(Vec::new()),
    }
}

fn ring() -> AgentKeyRing {
    AgentKeyRing::new(&keys(2, 3, &[1]))
}

fn session() -> Session {
    Session {
        spec: SessionSpec::new("x".repeat(700)),
        identity: Identity {
            user_name: String::from("alice"),
            user_dn: String::from("cn=alice,ou=people"),
            ..Identity::default()
        },
        ..sample::session(9, "alice", NOW)
    }
}

fn sealed() -> String {
    SessionClaims::new(&session(), "agent", None, NOW)
        .seal(&ring(), "SM")
        .unwrap()
}

#[test]
fn claims_survive_the_cookie() {
    let claims = SessionClaims::new(
        &session(),
        "agent",
        Some("2001:db8::1".parse().unwrap()),
        NOW,
    );
    let sealed = claims.seal(&ring(), "SM").unwrap();
    assert!(sealed.len() < 1400, "{} characters", sealed.len());
    assert_eq!(
        SessionClaims::open(sealed.as_bytes(), &ring(), "SM"),
        Ok(claims)
    );
}

/// Agents of the version before do not tell which realm the login was to, and read no further than they know.
#[test]
fn the_realm_of_the_login_is_the_last_thing_that_is_told() {
    let without = SessionClaims::new(&session(), "agent", None, NOW);
    let old = minicbor::to_vec(&without).unwrap();
    assert_eq!(old[0], 0x8a, "ten members");
    assert_eq!(minicbor::decode::<SessionClaims>(&old).unwrap(), without);
    let with = without.made_for(Some("app".into()));
    let sealed = with.seal(&ring(), "SM").unwrap();
    let opened = SessionClaims::open(sealed.as_bytes(), &ring(), "SM").unwrap();
    assert_eq!(opened.made_for.as_deref(), Some("app"));
}

#[test]
fn a_session_that_starts_after_its_request_came_is_a_session() {
    let before = Timestamp(NOW.0 - 2);
    let claims = SessionClaims::new(&session(), "agent", None, before);
    assert_eq!(claims.last_access, NOW);
    assert_eq!(claims.check_times(before), Ok(()));
}

#[test]
fn every_changed_character_truncation_and_extension_is_the_same_refusal() {
    let sealed = sealed();
    let open = |text: &[u8]| SessionClaims::open(text, &ring(), "SM");
    for index in 0..sealed.len() {
        let mut changed = sealed.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        assert_eq!(open(&changed), Err(INVALID), "character {index}");
        assert_eq!(
            open(&sealed.as_bytes()[..index]),
            Err(INVALID),
            "cut at {index}"
        );
    }
    for extension in ["A", "AAAA", "=", ".", " "] {
        assert_eq!(
            open(format!("{sealed}{extension}").as_bytes()),
            Err(INVALID)
        );
    }
}

#[test]
fn another_zone_type_version_or_key_is_the_same_refusal() {
    let plaintext = minicbor::to_vec(SessionClaims::new(&session(), "agent", None, NOW)).unwrap();
    let ring = ring();
    assert_eq!(
        SessionClaims::open(sealed().as_bytes(), &ring, "Z1"),
        Err(INVALID)
    );
    for token_type in [TokenType::SessionSpec, TokenType::LoginState] {
        let other = ring.current().seal(token_type, "SM", &plaintext).unwrap();
        assert_eq!(
            SessionClaims::open(other.as_bytes(), &ring, "SM"),
            Err(INVALID)
        );
    }
    let stranger = SealingKey::new(KeyId(77), &[77; 32])
        .seal(TokenType::Session, "SM", &plaintext)
        .unwrap();
    assert_eq!(
        SessionClaims::open(stranger.as_bytes(), &ring, "SM"),
        Err(INVALID)
    );
    let impostor = SealingKey::new(KeyId(2), &[77; 32])
        .seal(TokenType::Session, "SM", &plaintext)
        .unwrap();
    assert_eq!(
        SessionClaims::open(impostor.as_bytes(), &ring, "SM"),
        Err(INVALID)
    );
    let extended = [plaintext.as_slice(), &[0]].concat();
    let extended = ring
        .current()
        .seal(TokenType::Session, "SM", &extended)
        .unwrap();
    assert_eq!(
        SessionClaims::open(extended.as_bytes(), &ring, "SM"),
        Err(INVALID)
    );
}

#[test]
fn a_cookie_opens_through_rollovers_until_its_key_is_dropped() {
    let sealed = sealed(); // with key 2
    for (current, next, previous) in [(3, 4, [2, 1]), (4, 5, [3, 2])] {
        let later = AgentKeyRing::new(&keys(current, next, &previous));
        assert!(SessionClaims::open(sealed.as_bytes(), &later, "SM").is_ok());
    }
    // An agent that has not heard of the rollover yet knows the new current key as its next one.
    let rolled = AgentKeyRing::new(&keys(3, 4, &[2]));
    let by_rolled = SessionClaims::new(&session(), "agent", None, NOW)
        .seal(&rolled, "SM")
        .unwrap();
    assert!(SessionClaims::open(by_rolled.as_bytes(), &ring(), "SM").is_ok());
    let dropped = AgentKeyRing::new(&keys(6, 7, &[5]));
    assert_eq!(
        SessionClaims::open(sealed.as_bytes(), &dropped, "SM"),
        Err(INVALID)
    );
}

#[test]
fn times_are_exact_and_the_future_is_refused() {
    let claims = SessionClaims::new(&session(), "agent", None, NOW);
    let at = |seconds: u64| Timestamp(NOW.0 + seconds);
    assert_eq!(claims.check_times(at(7199)), Ok(()));
    assert_eq!(claims.check_times(at(7200)), Err(Reason::EXPIRED_SESSION));
    assert_eq!(claims.check_times(Timestamp(NOW.0 - 60)), Ok(()));
    assert_eq!(claims.check_times(Timestamp(NOW.0 - 61)), Err(INVALID));
}

#[test]
fn claims_that_do_not_fit_into_a_cookie_are_not_sealed() {
    let mut session = session();
    session.identity.user_dn = "x".repeat(3000);
    assert!(
        SessionClaims::new(&session, "agent", None, NOW)
            .seal(&ring(), "SM")
            .is_err()
    );
}

proptest! {
    #[test]
    fn arbitrary_cookies_are_refused_without_a_panic(text in proptest::collection::vec(any::<u8>(), 0..5000)) {
        prop_assert_eq!(SessionClaims::open(&text, &ring(), "SM"), Err(INVALID));
    }

    #[test]
    fn arbitrary_sealed_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let sealed = ring().current().seal(TokenType::Session, "SM", &bytes).unwrap();
        prop_assert_eq!(SessionClaims::open(sealed.as_bytes(), &ring(), "SM"), Err(INVALID));
    }
}
