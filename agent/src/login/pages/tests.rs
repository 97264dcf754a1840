use std::fs;

use policy_protocol::Reason;

use super::*;

fn built_in() -> Pages {
    Pages::load(&PageSettings::default(), "/doorward").unwrap()
}

fn login(page: &LoginPage<'_>) -> String {
    built_in().login(page)
}

fn replaced_by(files: &[(&str, &str)]) -> Result<Pages, PageError> {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    let template_dir = Some(directory.path().to_owned());
    Pages::load(
        &PageSettings {
            template_dir,
            ..PageSettings::default()
        },
        "/doorward",
    )
}

const EVIL: &str = "\"'><script>alert(1)</script>{{ 7*7 }}</textarea><!--";

#[test]
fn the_login_form_has_what_browsers_and_screen_readers_look_for() {
    let html = login(&LoginPage {
        action: "/doorward/login",
        state: "sealed",
        host: "app.example.com",
        message: Some(Message::WrongCredentials),
        ..LoginPage::default()
    });
    for part in [
        "<html lang=\"en\">",
        "<main",
        "<h1>Log in</h1>",
        "app.example.com",
        "<label for=\"user\">",
        "autocomplete=\"username\"",
        "<label for=\"password\">",
        "autocomplete=\"current-password\"",
        "id=\"message\" role=\"alert\"",
        "aria-describedby=\"message\"",
        "name=\"STATE\" value=\"sealed\"",
    ] {
        assert!(html.contains(part), "no {part} in\n{html}");
    }
}

#[test]
fn the_cursor_waits_where_the_user_types_next() {
    let field = |html: &str, id: &str| {
        let start = html.find(&format!("<input id=\"{id}\"")).unwrap();
        html[start..]
            .split_inclusive('>')
            .next()
            .unwrap()
            .to_owned()
    };
    let first = login(&LoginPage::default());
    assert!(field(&first, "user").contains("autofocus"));
    assert!(!field(&first, "password").contains("autofocus"));
    let again = login(&LoginPage {
        user_name: "alice",
        ..LoginPage::default()
    });
    assert!(!field(&again, "user").contains("autofocus"));
    assert!(field(&again, "password").contains("autofocus"));
}

#[test]
fn a_name_is_remembered_only_for_who_ticks_the_box() {
    let page = |remember| {
        login(&LoginPage {
            user_name: "alice",
            remember,
            ..LoginPage::default()
        })
    };
    assert!(!page(None).contains("checkbox"), "{}", page(None));
    let unticked = page(Some(false));
    for part in [
        "<label for=\"remember\">Remember my name on this device</label>",
        "id=\"remember\" name=\"REMEMBER\" type=\"checkbox\"",
    ] {
        assert!(unticked.contains(part), "no {part} in\n{unticked}");
    }
    assert!(!unticked.contains("checked"), "{unticked}");
    assert!(
        page(Some(true)).contains(" checked>"),
        "{}",
        page(Some(true))
    );
}

#[test]
fn no_value_becomes_markup_on_any_page() {
    let pages = built_in();
    let html = [
        pages.login(&LoginPage {
            action: EVIL,
            state: EVIL,
            host: EVIL,
            user_name: EVIL,
            remember: Some(true),
            asks_code: true,
            challenge: Some(EVIL),
            ..LoginPage::default()
        }),
        pages.new_password(&PasswordPage {
            action: EVIL,
            state: EVIL,
            host: EVIL,
            asks_code: true,
            challenge: Some(EVIL),
            ..PasswordPage::default()
        }),
        pages.logged_out(EVIL),
        pages.error(Outcome::Forbidden, 403, EVIL),
        pages.request_not_kept(EVIL),
        pages.already_sent(EVIL),
    ];
    for html in html {
        for part in ["<script", "\"'>", "<!--", "49"] {
            assert!(!html.contains(part), "{part} in\n{html}");
        }
        assert!(html.contains("&lt;script&gt;"), "{html}");
    }
}

#[test]
fn nothing_on_a_page_needs_more_than_its_content_security_policy_allows() {
    let pages = built_in();
    let html = pages.login(&LoginPage {
        message: Some(Message::StepUp),
        ..LoginPage::default()
    });
    for part in ["<script", "<style", " style=", " onload", "http:", "https:"] {
        assert!(!html.contains(part), "{part} in\n{html}");
    }
    let policy = content_security_policy(&[String::from("https://b.example.com")]).unwrap();
    let policy = policy.to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(
        policy.ends_with("form-action 'self' https://b.example.com"),
        "{policy}"
    );
    let injected = content_security_policy(&[String::from("x; script-src *")]).unwrap();
    assert!(!injected.to_str().unwrap().contains("; script-src"));
}

#[test]
fn a_code_is_asked_for_where_it_counts() {
    let without = login(&LoginPage::default());
    assert!(!without.contains("CODE"), "{without}");
    let page = PasswordPage {
        asks_code: true,
        ..PasswordPage::default()
    };
    let with = login(&LoginPage {
        asks_code: true,
        ..LoginPage::default()
    });
    for html in [with, built_in().new_password(&page)] {
        for part in [
            "<label for=\"code\">",
            "name=\"CODE\"",
            "autocomplete=\"one-time-code\"",
            "inputmode=\"numeric\"",
        ] {
            assert!(html.contains(part), "no {part} in\n{html}");
        }
        assert!(!html.contains("challenge"), "{html}");
    }
}

#[test]
fn a_page_of_an_operator_shows_what_a_proof_must_answer() {
    let field = "{% if challenge %}<output>{{ challenge }}</output>{% endif %}<input name=CODE>";
    let pages = replaced_by(&[("code_field.html", field)]).unwrap();
    let login = pages.login(&LoginPage {
        asks_code: true,
        challenge: Some("42"),
        ..LoginPage::default()
    });
    let password = pages.new_password(&PasswordPage {
        asks_code: true,
        challenge: Some("42"),
        ..PasswordPage::default()
    });
    for html in [login, password] {
        assert!(html.contains("<output>42</output>"), "{html}");
    }
}

#[test]
fn a_new_password_is_asked_for_twice() {
    let html = built_in().new_password(&PasswordPage {
        action: "/doorward/login",
        state: "sealed",
        host: "app.example.com",
        message: Some(Message::PasswordMustChange),
        ..PasswordPage::default()
    });
    for part in [
        "<h1>Choose a new password</h1>",
        "name=\"PASSWORD\" type=\"password\" required autocomplete=\"current-password\"",
        "name=\"NEWPASSWORD\" type=\"password\" required autocomplete=\"new-password\"",
        "name=\"CONFIRMATION\" type=\"password\" required autocomplete=\"new-password\"",
        "name=\"STATE\" value=\"sealed\"",
        "role=\"status\"",
    ] {
        assert!(html.contains(part), "no {part} in\n{html}");
    }
    assert!(!html.contains("CODE"), "{html}");
}

#[test]
fn an_unknown_user_and_a_wrong_password_read_the_same() {
    let page = |reason| {
        let message = Some(Message::for_failed_login(reason, false));
        login(&LoginPage {
            message,
            user_name: "alice",
            ..LoginPage::default()
        })
    };
    let wrong_password = page(Reason::NONE);
    assert_eq!(page(Reason::UNKNOWN_USER), wrong_password);
    assert_eq!(page(Reason::USER_DISABLED), wrong_password);
    assert_ne!(page(Reason::EXCESSIVE_FAILED_LOGINS), wrong_password);
}

#[test]
fn a_visitor_without_a_session_is_told_nothing_and_one_with_a_dead_session_why() {
    assert_eq!(Message::for_challenge(Reason::NONE), None);
    assert_eq!(
        Message::for_challenge(Reason::IDLE_SESSION),
        Some(Message::SessionIdle)
    );
    assert_eq!(
        Message::for_challenge(Reason::REVOKED_SESSION),
        Some(Message::SessionEnded)
    );
    assert_eq!(
        Message::for_challenge(Reason(9999)),
        Some(Message::SessionEnded)
    );
}

#[test]
fn every_refusal_has_its_own_words() {
    let pages = built_in();
    let not_refusals = [
        Outcome::Forwarded,
        Outcome::Challenged,
        Outcome::Served,
        Outcome::Redirected,
        Outcome::Abandoned,
        Outcome::Internal,
    ];
    for outcome in Outcome::ALL {
        let own = pages.error(outcome, 500, "7f3c") != pages.error(Outcome::Internal, 500, "7f3c");
        assert_eq!(own, !not_refusals.contains(&outcome), "{}", outcome.name());
    }
    let html = pages.error(Outcome::PolicyUnavailable, 503, "7f3c");
    assert!(html.contains("503") && html.contains("7f3c"), "{html}");
}

#[test]
fn an_operator_replaces_single_texts_templates_and_the_style() {
    let pages = replaced_by(&[
        ("texts.toml", "lang = \"de\"\nlogin_title = \"Anmelden\""),
        (
            "logged_out.html",
            "bye from {{ site.title }}: {{ continue_to }}",
        ),
        ("style.css", "body { color: red }"),
    ])
    .unwrap();
    let html = pages.login(&LoginPage::default());
    assert!(
        html.contains("<html lang=\"de\">") && html.contains("<h1>Anmelden</h1>"),
        "{html}"
    );
    assert!(html.contains("Password"), "{html}");
    assert_eq!(pages.logged_out("<x>"), "bye from Doorward: &lt;x&gt;");
    assert_eq!(pages.stylesheet(), "body { color: red }");
    let link = |html: &str| {
        html.split('"')
            .find(|part| part.contains("style.css"))
            .unwrap()
            .to_owned()
    };
    assert_ne!(link(&html), link(&login(&LoginPage::default())));
}

#[test]
fn a_mistake_in_a_replaced_file_is_found_when_it_is_loaded() {
    for (name, content, complaint) in [
        ("login.html", "{% if %}", "login.html"),
        ("login.html", "{{ no_such_value }}", "undefined"),
        (
            "error.html",
            "{% if status == 403 %}{{ texts.no_such_text }}{% endif %}",
            "undefined",
        ),
        ("texts.toml", "login_titel = \"x\"", "login_titel"),
        ("texts.toml", "login_title = 1", "texts.toml"),
        ("logn.html", "", "login.html"),
    ] {
        let error = replaced_by(&[(name, content)])
            .expect_err(content)
            .to_string();
        assert!(error.contains(complaint), "{name}: {error}");
    }
}

#[test]
fn the_logo_is_served_with_the_type_of_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let load = |name: &str| {
        let file = directory.path().join(name);
        fs::write(&file, b"picture").unwrap();
        let settings = PageSettings {
            logo_file: Some(file),
            ..PageSettings::default()
        };
        Pages::load(&settings, "/doorward")
    };
    let pages = load("door.PNG").unwrap();
    assert_eq!(
        pages.logo(),
        (
            &Bytes::from("picture"),
            &HeaderValue::from_static("image/png")
        )
    );
    assert!(
        load("door.html")
            .unwrap_err()
            .to_string()
            .contains("no picture")
    );
    assert_eq!(built_in().logo().1, "image/svg+xml");
}
