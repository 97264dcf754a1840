//! Settings from environment variables.

use super::*;

fn with(variables: &[(&str, &str)]) -> Result<Config, Problems> {
    read(SMALL, &Environment::from_iter(variables.iter().copied()))
}

#[test]
fn a_variable_overrides_the_file() {
    let config = with(&[
        ("DOORWARD__SESSION__GRACE_PERIOD", "1m"),
        (
            "DOORWARD__REALMS__0__HOSTS",
            r#"["a.example", "b.example"]"#,
        ),
        ("DOORWARD__REALMS__0__PROTECTION_LEVEL", "7"),
        ("DOORWARD__AGENT__NAME", "\"quoted\""),
        ("OTHER__SESSION__ZONE", "X"),
    ])
    .unwrap();
    assert_eq!(config.session.grace_period.as_secs(), 60);
    assert_eq!(config.realms[0].hosts, ["a.example", "b.example"]);
    assert_eq!(config.realms[0].level.0, 7);
    assert_eq!(
        (config.agent_name.as_str(), config.session.zone.as_str()),
        ("quoted", "SM")
    );
}

#[test]
fn where_text_is_wanted_a_number_is_text() {
    let config = with(&[
        ("DOORWARD__LOGIN__PAGES__TITLE", "2024"),
        ("DOORWARD__AGENT__NAME", "true"),
    ])
    .unwrap();
    assert_eq!(
        (
            config.login.pages.title.as_str(),
            config.agent_name.as_str()
        ),
        ("2024", "true")
    );
}

#[test]
fn a_whole_configuration_can_come_from_the_environment() {
    let environment = Environment::from_iter([
        ("DOORWARD__LISTENERS__0__ADDRESS", "127.0.0.1:0"),
        ("DOORWARD__LISTENERS__0__REDIRECT_TO_HTTPS", "443"),
        (
            "DOORWARD__POLICY_SERVER",
            r#"{ kind = "embedded", config_file = "policy.toml" }"#,
        ),
        ("DOORWARD__UPSTREAMS__0__NAME", "app"),
        (
            "DOORWARD__UPSTREAMS__0__SERVERS__0",
            "http://127.0.0.1:3000",
        ),
        ("DOORWARD__REALMS__0__NAME", "all"),
        ("DOORWARD__REALMS__0__RESOURCE", "/"),
        ("DOORWARD__REALMS__0__UPSTREAM", "app"),
    ]);
    assert!(
        read("", &environment).is_ok(),
        "{:?}",
        read("", &environment)
    );
}

#[test]
fn elements_are_appended_in_the_order_of_their_numbers() {
    let name = |n: usize| (format!("DOORWARD__REALMS__{n}__NAME"), format!("r{n}"));
    let resource = |n: usize| (format!("DOORWARD__REALMS__{n}__RESOURCE"), format!("/r{n}"));
    let environment: Environment = (1..12).flat_map(|n| [name(n), resource(n)]).collect();
    let config = read(SMALL, &environment).unwrap();
    assert_eq!(config.realms[10].name, "r10");
}

#[test]
fn what_is_wrong_with_a_variable_names_the_variable() {
    for (name, value) in [
        ("DOORWARD__SESSION__GRACE_PERIOD", "soon"),
        ("DOORWARD__SESSION__GRACE_PERIODS", "1m"),
        ("DOORWARD__REALMS__0__UPSTREAM", "other"),
        ("DOORWARD__REALMS__5__UPSTREAM", "app"),
        ("DOORWARD__REALMS__X__UPSTREAM", "app"),
        ("DOORWARD__AGENT", "1"),
        ("DOORWARD__AGENT__NAME__X", "1"),
        ("DOORWARD____X", "1"),
        ("DOORWARD__", "1"),
    ] {
        // The agent's name in the file gives NAME__X something to lead through.
        let text = SMALL.replacen("[[listeners]]", "[agent]\nname = \"a\"\n[[listeners]]", 1);
        let problems = read(&text, &Environment::from_iter([(name, value)])).expect_err(name);
        assert!(
            problems.to_string().starts_with(&format!("{name}: ")),
            "{problems}"
        );
        assert_eq!(problems.count(), 1, "{problems}");
    }
}
