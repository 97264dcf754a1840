use std::ops::RangeInclusive;

use policy_protocol::{AgentKey, AgentKeySet, KeyId, Secret};

use super::*;
use crate::login::direct::MAX_USER_NAME;

const NOW: Timestamp = Timestamp(1_800_000_000);
const SPAN: Duration = Duration::from_hours(30 * 24);

fn key(id: u8) -> AgentKey {
    AgentKey {
        id: KeyId(id.into()),
        key: Secret::new([id; 32]),
    }
}

/// Agent keys that are named so, and a static key.
fn ring(agent_keys: RangeInclusive<u8>, static_key: u8) -> AgentKeyRing {
    AgentKeyRing::new(&AgentKeySet {
        store: String::new(),
        version: 1,
        current: key(*agent_keys.start()),
        next: key(*agent_keys.end()),
        previous: agent_keys.map(key).collect(),
        static_key: key(static_key),
        assertion_key: Secret::new(Vec::new()),
    })
}

fn remembered(user_name: &str) -> String {
    let name = RememberedName {
        user_name: user_name.to_owned(),
        written: NOW,
    };
    name.seal(&ring(1..=2, 9), "SM").unwrap()
}

fn opened(text: &[u8], ring: &AgentKeyRing, now: Timestamp) -> Option<String> {
    RememberedName::open(text, ring, "SM", SPAN, now).map(|name| name.user_name)
}

#[test]
fn a_name_is_remembered_for_its_time_whatever_becomes_of_the_agent_keys() {
    let sealed = remembered("alice");
    let (same, rolled) = (ring(1..=2, 9), ring(3..=5, 9));
    let last = NOW.plus(SPAN - Duration::from_secs(1));
    for now in [NOW, last] {
        for ring in [&same, &rolled] {
            assert_eq!(
                opened(sealed.as_bytes(), ring, now).as_deref(),
                Some("alice")
            );
        }
    }
    assert_eq!(opened(sealed.as_bytes(), &same, NOW.plus(SPAN)), None);
    let shorter = RememberedName::open(
        sealed.as_bytes(),
        &same,
        "SM",
        Duration::from_secs(1),
        NOW.plus(Duration::from_secs(1)),
    );
    assert_eq!(shorter, None, "the setting was shortened");
}

#[test]
fn only_the_static_key_in_force_opens_it() {
    let sealed = remembered("alice");
    // The old static key is an agent key here: even so it opens no name.
    for other in [ring(1..=2, 8), ring(9..=9, 8)] {
        assert_eq!(opened(sealed.as_bytes(), &other, NOW), None);
    }
}

#[test]
fn nothing_else_is_taken_for_a_name_nor_a_name_for_anything_else() {
    let ring = ring(1..=2, 9);
    let sealed = remembered("alice");
    assert_eq!(
        RememberedName::open(sealed.as_bytes(), &ring, "Z1", SPAN, NOW),
        None,
        "of another zone"
    );
    let name = RememberedName {
        user_name: String::from("alice"),
        written: NOW,
    };
    let plaintext = minicbor::to_vec(&name).unwrap();
    for token_type in [TokenType::Session, TokenType::LoginState] {
        let other = ring.static_key().seal(token_type, "SM", &plaintext);
        assert_eq!(opened(other.unwrap().as_bytes(), &ring, NOW), None);
        let as_other = seal::open(sealed.as_bytes(), token_type, "SM", |_| {
            Some(ring.static_key())
        });
        assert!(as_other.is_err());
    }
    let by_agent_key = ring.current().seal(TokenType::UserName, "SM", &plaintext);
    assert_eq!(opened(by_agent_key.unwrap().as_bytes(), &ring, NOW), None);
}

#[test]
fn what_is_damaged_too_long_or_no_name_is_ignored() {
    let ring = ring(1..=2, 9);
    let sealed = remembered("alice");
    for end in 0..sealed.len() {
        assert_eq!(opened(&sealed.as_bytes()[..end], &ring, NOW), None);
    }
    let mut changed = sealed.into_bytes();
    for index in 0..changed.len() {
        let was = std::mem::replace(&mut changed[index], b'A');
        assert!(was == b'A' || opened(&changed, &ring, NOW).is_none());
        changed[index] = was;
    }
    assert_eq!(opened(&[b'A'; 5000], &ring, NOW), None);
    let longest = "x".repeat(MAX_USER_NAME);
    assert_eq!(
        opened(remembered(&longest).as_bytes(), &ring, NOW),
        Some(longest)
    );
    for no_name in ["", "a\nb", &"x".repeat(MAX_USER_NAME + 1)] {
        assert_eq!(opened(remembered(no_name).as_bytes(), &ring, NOW), None);
    }
    let no_cbor = ring.static_key().seal(TokenType::UserName, "SM", b"\xff");
    assert_eq!(opened(no_cbor.unwrap().as_bytes(), &ring, NOW), None);
}
