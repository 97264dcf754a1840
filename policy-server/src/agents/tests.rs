use super::*;

const NOW: Timestamp = Timestamp(100);

fn hash(byte: u8) -> Hash {
    Hash([byte; SHA256_OUTPUT_LEN])
}

fn registration(secrets: &[u8], certificates: &[u8]) -> Registration {
    let credentials = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| Credential::new(hash(*byte)))
            .collect()
    };
    Registration {
        secrets: credentials(secrets),
        certificates: credentials(certificates),
        created: None,
    }
}

#[test]
fn each_kind_of_credential_that_is_registered_is_needed() {
    let (one, other) = (hash(1), hash(2));
    for (has, shown, accepted) in [
        (registration(&[1], &[]), (Some(&one), None), true),
        (registration(&[1], &[]), (Some(&one), Some(&other)), true),
        (registration(&[1], &[]), (Some(&other), None), false),
        (registration(&[1], &[]), (None, Some(&one)), false),
        (registration(&[], &[1]), (None, Some(&one)), true),
        (registration(&[], &[1]), (Some(&one), None), false),
        (registration(&[1], &[2]), (Some(&one), Some(&other)), true),
        (registration(&[1], &[2]), (Some(&one), None), false),
        (registration(&[1], &[2]), (None, Some(&other)), false),
        (registration(&[1], &[2]), (Some(&one), Some(&one)), false),
        (registration(&[], &[]), (Some(&one), Some(&one)), false),
    ] {
        assert_eq!(
            has.accepts(shown.0, shown.1, NOW),
            accepted,
            "{has:?} {shown:?}"
        );
    }
}

#[test]
fn a_credential_that_was_replaced_holds_until_it_expires() {
    let mut has = registration(&[1, 2], &[]);
    has.secrets[1].expires = Some(NOW);
    assert!(has.accepts(Some(&hash(2)), None, Timestamp(NOW.0 - 1)));
    assert!(!has.accepts(Some(&hash(2)), None, NOW));
    has.secrets.remove(0);
    assert!(
        !has.accepts(None, None, NOW),
        "none left is not none needed"
    );
}

#[test]
fn a_certificate_of_two_agents_is_nobodys() {
    let of = |agents: &[(&str, Registration)]| {
        let agents = agents.iter().map(|(name, it)| ((*name).into(), it.clone()));
        let registry = Registry::new(agents.collect());
        registry
            .by_certificate
            .get(&[1; SHA256_OUTPUT_LEN])
            .cloned()
            .flatten()
    };
    let (only, both) = (registration(&[], &[1]), registration(&[2], &[1]));
    assert_eq!(of(&[("a", only.clone())]).as_deref(), Some("a"));
    assert_eq!(
        of(&[("a", only.clone()), ("b", both)]).as_deref(),
        Some("a")
    );
    assert_eq!(of(&[("a", only.clone()), ("b", only)]), None);
}

#[test]
fn fingerprints_are_read_as_tools_print_them() {
    let hex = hash(0xab).to_hex();
    let colons: Vec<_> = (0..SHA256_OUTPUT_LEN).map(|_| "AB").collect();
    for text in [hex.as_str(), &hex.to_uppercase(), &colons.join(":")] {
        assert!(Hash::from_hex(text).is_some_and(|read| read.matches(&hash(0xab))));
    }
    for text in [
        "",
        "ab",
        &hex[1..],
        &format!("{hex}0"),
        &hex.replace('a', "é"),
    ] {
        assert!(Hash::from_hex(text).is_none(), "{text}");
    }
}
