use super::*;
use crate::am::reply::tests::reply;

fn read_text(status: u16, body: &str) -> Result<Found, PolicyError> {
    read(reply(status, body)?)
}

fn live(body: &str) -> SessionInfo {
    match read_text(200, body) {
        Ok(Found::Live(info)) => *info,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_as_recorded_from_version_4() {
    let info = live(
        r#"{"username":"amadmin","universalId":"id=amadmin,ou=user,ou=am-config","realm":"/",
            "latestAccessTime":"2025-07-31T15:05:45Z","maxIdleExpirationTime":"2025-07-31T15:35:45Z",
            "maxSessionExpirationTime":"2025-07-31T17:05:44Z","properties":{"AMCtxId":"86d527f2-280"}}"#,
    );
    assert_eq!(info.user, "amadmin");
    assert_eq!(
        info.universal_id.as_deref(),
        Some("id=amadmin,ou=user,ou=am-config")
    );
    assert_eq!(info.realm, "/");
    assert_eq!(info.latest_access, Some(Timestamp(1_753_974_345)));
    assert_eq!(info.idle_end, Some(Timestamp(1_753_974_345 + 1800)));
    assert_eq!(info.end, Some(Timestamp(1_753_974_345 + 7199)));
    assert_eq!(info.level, None);
}

#[test]
fn a_session_as_versions_1_and_2_tell_of_it() {
    let first = live(r#"{"valid":true,"uid":"demo","realm":"/customers"}"#);
    assert_eq!(
        (first.user.as_str(), first.realm.as_str()),
        ("demo", "/customers")
    );
    assert_eq!((first.universal_id, first.end), (None, None));
    let second = live(
        r#"{"latestAccessTime":"2019-02-25T11:08:36Z","maxIdleExpirationTime":"never","realm":"/",
            "maxSessionExpirationTime":"2019-02-25T12:45:10.250Z","sessionHandle":"shandle:x","universalId":"id=demo",
            "username":"demo"}"#,
    );
    assert_eq!(second.idle_end, None);
    assert_eq!(second.end, Some(Timestamp(1_551_098_710)));
    let refreshed = live(
        r#"{"uid":"demo","realm":"/","idletime":21,"maxidletime":30,"maxsessiontime":120,"maxtime":6973}"#,
    );
    assert_eq!(refreshed.user, "demo");
}

#[test]
fn no_session_and_cannot_tell_are_never_confused() {
    let denied = r#"{"code":401,"reason":"Unauthorized","message":"Access Denied"}"#;
    let version = r#"{"code":404,"reason":"Not Found","message":"Accept-API-Version: Requested version \"4.0\" does not match any routes."}"#;
    assert_eq!(read_text(200, r#"{"valid":false}"#), Ok(Found::Dead));
    assert_eq!(
        read_text(200, r#"{"valid":false,"uid":"demo","realm":"/"}"#),
        Ok(Found::Dead)
    );
    assert_eq!(read_text(401, denied), Ok(Found::Unauthenticated));
    assert_eq!(read_text(404, version), Ok(Found::UnknownVersion));
    // OpenAM 16.0.5, of versions 3 to 5; and of an action that version 2 does not have.
    let resource = r#"{"code":404,"reason":"Not Found","message":"Resource &#39;&#39; not found"}"#;
    assert_eq!(read_text(404, resource), Ok(Found::UnknownVersion));
    let action = r#"{"code":501,"reason":"Not Implemented","message":"Action validate not implemented for this resource"}"#;
    assert_eq!(read_text(501, action), Ok(Found::UnknownVersion));
    let error = |status: u16, reason: &str| format!(r#"{{"code":{status},"reason":"{reason}"}}"#);
    for (status, body, expected) in [
        (200, String::new(), PolicyError::Protocol),
        (
            200,
            String::from("<html>login</html>"),
            PolicyError::Protocol,
        ),
        (200, String::from("null"), PolicyError::Protocol),
        (200, String::from("[]"), PolicyError::Protocol),
        (200, String::from("{}"), PolicyError::Protocol),
        (
            200,
            String::from(r#"{"valid":true}"#),
            PolicyError::Protocol,
        ),
        (
            200,
            String::from(r#"{"valid":"false"}"#),
            PolicyError::Protocol,
        ),
        (
            200,
            String::from(r#"{"valid":true,"uid":"demo"}"#),
            PolicyError::Protocol,
        ),
        (
            200,
            String::from(r#"{"username":"","realm":"/"}"#),
            PolicyError::Protocol,
        ),
        (
            200,
            String::from(r#"{"username":"demo","rea"#),
            PolicyError::Protocol,
        ),
        (302, String::new(), PolicyError::Failure),
        (400, error(400, "Bad Request"), PolicyError::Failure),
        (401, String::from("Unauthorized"), PolicyError::Protocol),
        (403, error(403, "Forbidden"), PolicyError::Failure),
        (429, error(429, "Too Many Requests"), PolicyError::Failure),
        (
            500,
            error(500, "Internal Server Error"),
            PolicyError::Failure,
        ),
        (503, error(503, "Service Unavailable"), PolicyError::Failure),
    ] {
        assert_eq!(read_text(status, &body), Err(expected), "{status} {body}");
    }
}

#[test]
fn the_level_is_the_one_reached_in_the_sessions_own_realm() {
    let of = |value: &str| {
        let body = format!(
            r#"{{"username":"demo","realm":"/customers","properties":{{"AuthLevel":{value}}}}}"#
        );
        live(&body).level.map(|level| level.0)
    };
    assert_eq!(of(r#""10""#), Some(10));
    assert_eq!(of("10"), Some(10));
    assert_eq!(of(r#""/:50|/Customers:7""#), Some(7));
    assert_eq!(of(r#""/:50""#), None);
    assert_eq!(of(r#""-1""#), Some(0));
    assert_eq!(of(r#""70000""#), Some(1000));
    assert_eq!(of(r#""""#), None);
    assert_eq!(of("null"), None);
}

#[test]
fn a_level_that_may_not_be_read_is_none_and_a_failure_is_a_failure() {
    let of = |status, body| read_level(reply(status, body)?, "/");
    assert_eq!(
        of(200, r#"{"AuthLevel":"3","other":"x"}"#),
        Ok(Some(ProtectionLevel(3)))
    );
    assert_eq!(of(200, r#"{"AuthLevel":""}"#), Ok(None));
    assert_eq!(of(403, r#"{"code":403,"reason":"Forbidden"}"#), Ok(None));
    assert_eq!(
        of(400, r#"{"code":400,"reason":"Bad Request"}"#),
        Err(PolicyError::Failure)
    );
    assert_eq!(of(200, "x"), Err(PolicyError::Protocol));
}

#[test]
fn a_session_is_over_only_if_the_server_says_so() {
    let of = |status, body| read_logout(reply(status, body)?);
    assert_eq!(of(200, r#"{"result":"Successfully logged out"}"#), Ok(true));
    assert_eq!(of(200, r#"{"result":"Token has expired"}"#), Ok(true));
    assert_eq!(
        of(
            401,
            r#"{"code":401,"reason":"Unauthorized","message":"Access Denied"}"#
        ),
        Ok(true)
    );
    assert_eq!(of(404, r#"{"code":404,"reason":"Not Found"}"#), Ok(false));
    for (status, body, expected) in [
        (200, "<html></html>", PolicyError::Protocol),
        (200, "{}", PolicyError::Protocol),
        (401, "<html></html>", PolicyError::Protocol),
        (
            403,
            r#"{"code":403,"reason":"Forbidden"}"#,
            PolicyError::Failure,
        ),
        (503, "", PolicyError::Failure),
    ] {
        assert_eq!(of(status, body), Err(expected), "{status} {body}");
    }
}
