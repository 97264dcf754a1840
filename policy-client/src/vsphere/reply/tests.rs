use policy_protocol::Timestamp;

use super::*;

const FORMS: [WireForm; 3] = [WireForm::Api, WireForm::Rest, WireForm::JsonRpc];

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        body: Secret::new(body.as_bytes().to_vec()),
    }
}

/// What `output` looks like in a form.
fn wrapped(form: WireForm, output: &str) -> String {
    match form {
        WireForm::Api => output.to_owned(),
        WireForm::Rest => format!(r#"{{"value":{output}}}"#),
        WireForm::JsonRpc => {
            format!(r#"{{"jsonrpc":"2.0","id":"0","result":{{"output":{output}}}}}"#)
        }
    }
}

fn session_info(form: WireForm, created: &str, accessed: &str) -> Answer {
    let fields = format!(
        r#"{{"user":"Administrator@VSPHERE.LOCAL","created_time":"{created}","last_accessed_time":"{accessed}"}}"#
    );
    let output = match form {
        WireForm::JsonRpc => {
            format!(r#"{{"STRUCTURE":{{"com.vmware.cis.session.info":{fields}}}}}"#)
        }
        WireForm::Api | WireForm::Rest => fields,
    };
    answer(200, &wrapped(form, &output))
}

#[test]
fn a_new_session_is_read_in_each_form() {
    for (form, status, output) in [
        (WireForm::Api, 201, r#""0123456789abcdef""#),
        (WireForm::Api, 200, r#""0123456789abcdef""#),
        (WireForm::Rest, 200, r#""0123456789abcdef""#),
        (WireForm::JsonRpc, 200, r#"{"SECRET":"0123456789abcdef"}"#),
    ] {
        let reply = created(form, &answer(status, &wrapped(form, output))).unwrap();
        let Reply::Done(token) = reply else {
            panic!("{form:?}")
        };
        assert_eq!(token.expose(), "0123456789abcdef");
    }
}

#[test]
fn a_session_is_described_in_each_form_with_times_of_any_precision() {
    let expected = Reply::Done(Info {
        user: String::from("Administrator@VSPHERE.LOCAL"),
        created: Timestamp(1_795_255_200),
        last_accessed: Timestamp(1_795_255_500),
    });
    for form in FORMS {
        for (created, accessed) in [
            ("2026-11-21T10:00:00.000Z", "2026-11-21T10:05:00.000Z"),
            ("2026-11-21T10:00:00Z", "2026-11-21T10:05:00Z"),
            (
                "2026-11-21T10:00:00.123456789Z",
                "2026-11-21T11:05:00+01:00",
            ),
        ] {
            let told = session_info(form, created, accessed);
            assert_eq!(info(form, &told).unwrap(), expected, "{form:?} {created}");
        }
    }
}

#[test]
fn a_refusal_needs_no_body_but_no_page_is_one() {
    let api = r#"{"error_type":"UNAUTHENTICATED","messages":[]}"#;
    let rest = r#"{"type":"com.vmware.vapi.std.errors.unauthenticated","value":{"messages":[]}}"#;
    let untyped = r#"{"messages":[{"args":[],"id":"vapi.method.authentication.required"}]}"#;
    for form in [WireForm::Api, WireForm::Rest] {
        for body in ["", "Unauthorized\n", api, rest, untyped] {
            let refusal = answer(401, body);
            assert!(matches!(
                created(form, &refusal),
                Ok(Reply::Unauthenticated)
            ));
            assert_eq!(info(form, &refusal), Ok(Reply::Unauthenticated));
            assert_eq!(deleted(form, &refusal), Ok(Reply::Unauthenticated));
        }
        for body in [
            "<html></html>",
            " <html>",
            "{}",
            "{",
            "[]",
            r#"{"error":"login required"}"#,
            r#"{"type":"about:blank","title":"Unauthorized","status":401}"#,
            r#"{"type":"login_required","reason":3}"#,
            r#"{"type":"com.vmware.vapi.std.errors.unauthorized","value":{"messages":[]}}"#,
            r#"{"error_type":"UNAUTHORIZED","messages":[{"id":"com.vmware.vapi.x"}]}"#,
            r#"{"error_type":401}"#,
            r#"{"messages":[]}"#,
            r#"{"messages":["login required",{"id":"gateway.login"},{"text":"vapi."}]}"#,
            r#"["com.vmware."]"#,
            "Sign in\nat the portal",
        ] {
            let page = answer(401, body);
            assert!(created(form, &page).is_err(), "{body}");
            assert!(info(form, &page).is_err(), "{body}");
            assert!(deleted(form, &page).is_err(), "{body}");
        }
    }
    let rpc = r#"{"jsonrpc":"2.0","id":"0","result":{"error":{"ERROR":{"com.vmware.vapi.std.errors.unauthenticated":{"messages":[],"data":{"OPTIONAL":null}}}}}}"#;
    let refusal = answer(200, rpc);
    assert_eq!(
        info(WireForm::JsonRpc, &refusal),
        Ok(Reply::Unauthenticated)
    );
    assert_eq!(
        deleted(WireForm::JsonRpc, &refusal),
        Ok(Reply::Unauthenticated)
    );
}

#[test]
fn what_is_neither_yes_nor_no_is_an_error() {
    for form in FORMS {
        for (status, body) in [
            (200, ""),
            (200, "<html>Sign in</html>"),
            (200, "{"),
            (200, "null"),
            (200, "[]"),
            (200, r#"{"value":{}}"#),
            (204, ""),
            (400, r#"{"error_type":"INVALID_ARGUMENT","messages":[]}"#),
            (403, r#"{"error_type":"UNAUTHORIZED","messages":[]}"#),
            (404, "404 page not found\n"),
            (405, ""),
            (429, ""),
        ] {
            let told = answer(status, body);
            assert!(info(form, &told).is_err(), "{form:?} {status} {body}");
            assert!(created(form, &told).is_err(), "{form:?} {status} {body}");
        }
        assert!(deleted(form, &answer(404, "")).is_err());
        let undated = session_info(form, "yesterday", "2026-11-21T10:05:00Z");
        assert_eq!(info(form, &undated), Err(PolicyError::Protocol));
    }
    // No HTTP status says anything of a session in this form.
    assert!(info(WireForm::JsonRpc, &answer(401, "")).is_err());
    let rpc = |error: &str| {
        answer(
            200,
            &format!(r#"{{"result":{{"error":{{"ERROR":{{"{error}":{{}}}}}}}}}}"#),
        )
    };
    let unavailable = rpc("com.vmware.vapi.std.errors.service_unavailable");
    assert_eq!(
        info(WireForm::JsonRpc, &unavailable),
        Err(PolicyError::Unavailable)
    );
    assert_eq!(
        info(
            WireForm::JsonRpc,
            &rpc("com.vmware.vapi.std.errors.internal_server_error")
        ),
        Err(PolicyError::Failure)
    );
}

#[test]
fn deletion_is_a_success_without_content() {
    for (form, status, body) in [
        (WireForm::Api, 204, ""),
        (WireForm::Rest, 200, ""),
        (WireForm::Rest, 204, ""),
        (
            WireForm::JsonRpc,
            200,
            r#"{"jsonrpc":"2.0","id":"1","result":{"output":null}}"#,
        ),
    ] {
        assert_eq!(deleted(form, &answer(status, body)), Ok(Reply::Done(())));
    }
    for form in [WireForm::Api, WireForm::Rest] {
        for body in ["null", "{}", r#"{"value":null}"#, "\n"] {
            let told = answer(200, body);
            assert_eq!(deleted(form, &told), Ok(Reply::Done(())), "{body}");
        }
        for body in ["<html>Sign in</html>", r#"{"error":"login"}"#, "OK", "[]"] {
            assert!(deleted(form, &answer(200, body)).is_err(), "{body}");
        }
    }
}
