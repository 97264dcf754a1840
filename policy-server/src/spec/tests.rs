use super::*;
use crate::rolling_keys::RollingKeys;

fn keys() -> TicketKeys {
    TicketKeys::new(&RollingKeys::random(None).unwrap(), String::new())
}

fn spec() -> Spec {
    Spec {
        version: Spec::CURRENT_VERSION,
        start_time: Timestamp(1),
        last_time: Timestamp(2),
        max_timeout: 3,
        idle_timeout: 4,
        level: ProtectionLevel(5),
        id: SessionId::from_bytes([6; 20]),
        ip: Some([7; 16]),
        dn: String::from("uid=alice"),
        directory_oid: String::from("file"),
        directory_name: String::from("users"),
        universal_id: String::from("alice"),
        session_type: SessionType::Form,
        anonymous: false,
        impersonator_name: None,
        login_name: String::from("alice"),
        persistent: true,
        drift: 8,
        impersonator_directory_name: None,
        auth_context: String::from("app"),
    }
}

fn ticket(session_spec: SessionSpec) -> SessionTicket {
    SessionTicket {
        session_id: SessionId::from_bytes([6; 20]),
        session_spec,
    }
}

#[test]
fn a_spec_has_twenty_fields_and_opens_as_it_was_sealed() {
    let keys = keys();
    assert_eq!(
        Spec::open(&ticket(spec().seal(&keys).unwrap()), &keys),
        Ok(spec())
    );
    let plain = minicbor::to_vec(spec()).unwrap();
    assert_eq!(minicbor::Decoder::new(&plain).array().unwrap(), Some(20));
}

#[test]
fn a_spec_of_another_version_key_or_token_type_is_refused() {
    let keys = keys();
    let other = Spec {
        version: 2,
        ..spec()
    }
    .seal(&keys)
    .unwrap();
    assert_eq!(
        Spec::open(&ticket(other), &keys),
        Err(Reason::INVALID_SESSION)
    );
    let sealed = spec().seal(&keys).unwrap();
    assert_eq!(
        Spec::open(&ticket(sealed), &self::keys()),
        Err(Reason::INVALID_SESSION)
    );
    let plain = minicbor::to_vec(spec()).unwrap();
    for (token_type, zone) in [(TokenType::Session, ""), (TokenType::SessionSpec, "SM")] {
        let sealed = SessionSpec::new(keys.current().seal(token_type, zone, &plain).unwrap());
        assert_eq!(
            Spec::open(&ticket(sealed), &keys),
            Err(Reason::INVALID_SESSION)
        );
    }
}

#[test]
fn the_longest_names_of_a_users_file_fit_and_longer_ones_are_refused() {
    let keys = keys();
    let longest = Spec {
        dn: "d".repeat(512),
        universal_id: "u".repeat(128),
        login_name: "l".repeat(128),
        directory_name: "n".repeat(64),
        auth_context: "r".repeat(128),
        max_timeout: u64::MAX,
        idle_timeout: u64::MAX,
        ..spec()
    };
    assert!(longest.seal(&keys).unwrap().as_str().len() <= SessionSpec::MAX_LENGTH);
    let longer = Spec {
        auth_context: "r".repeat(2000),
        ..longest
    };
    assert_eq!(longer.seal(&keys).unwrap_err(), SpecError::TooLong);
}

#[test]
fn an_address_has_one_form() {
    let mapped = address_bytes("::ffff:192.0.2.1".parse().unwrap());
    assert_eq!(mapped, address_bytes("192.0.2.1".parse().unwrap()));
    let spec = Spec {
        ip: Some(mapped),
        ..spec()
    };
    assert_eq!(spec.address(), Some("192.0.2.1".parse().unwrap()));
}
