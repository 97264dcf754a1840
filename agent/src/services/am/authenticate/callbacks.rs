//! The form that clients fill in when they bring no credentials.

use serde_json::Value;

use crate::services::am::json::{Json, Sent, object};

/// Asks for a name and a password.
pub(super) fn form(auth_id: String) -> Json {
    let callback = |kind: &'static str, prompt: &'static str, input: &'static str| {
        object! {
            "type": kind,
            "output": vec![object! { "name": "prompt", "value": prompt }],
            "input": vec![object! { "name": input, "value": "" }],
        }
    };
    object! {
        "authId": auth_id,
        "template": "",
        "stage": "DataStore1",
        "header": "Sign in",
        "infoText": vec![Json::from(""), Json::from("")],
        "callbacks": vec![
            callback("NameCallback", "User Name:", "IDToken1"),
            callback("PasswordCallback", "Password:", "IDToken2"),
        ],
    }
}

/// Name and password from a form that has come back. Whatever else is in it does not matter.
pub(super) fn read(body: &Sent) -> Option<(&str, &str)> {
    let callbacks = body.member("callbacks")?.as_array()?;
    Some((
        input(callbacks, "NameCallback")?,
        input(callbacks, "PasswordCallback")?,
    ))
}

fn input<'b>(callbacks: &'b [Value], kind: &str) -> Option<&'b str> {
    let of_kind = |callback: &&Value| callback.get("type").and_then(Value::as_str) == Some(kind);
    callbacks
        .iter()
        .find(of_kind)?
        .get("input")?
        .get(0)?
        .get("value")?
        .as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_has_the_members_that_clients_know_in_their_order() {
        let text = serde_json::to_string(&form("a.b.c".into())).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"authId":"a.b.c","template":"","stage":"DataStore1","header":"Sign in","infoText":["",""],"#,
                r#""callbacks":[{"type":"NameCallback","output":[{"name":"prompt","value":"User Name:"}],"#,
                r#""input":[{"name":"IDToken1","value":""}]},"#,
                r#"{"type":"PasswordCallback","output":[{"name":"prompt","value":"Password:"}],"#,
                r#""input":[{"name":"IDToken2","value":""}]}]}"#
            )
        );
    }

    #[test]
    fn what_was_filled_in_is_found_whatever_else_there_is() {
        let sent = |text: &str| Sent::read(text.as_bytes()).unwrap();
        let filled = sent(
            r#"{"status":200,"ok":true,"callbacks":[{"type":"TextOutputCallback","output":[]},
            {"type":"PasswordCallback","_id":1,"input":[{"name":"IDToken2","value":"pw"}]},
            {"type":"NameCallback","input":[{"name":"IDToken1","value":"demo"}]}]}"#,
        );
        assert_eq!(read(&filled), Some(("demo", "pw")));
        for text in [
            "{}",
            r#"{"callbacks":{}}"#,
            r#"{"callbacks":[]}"#,
            r#"{"callbacks":[1,{"type":"NameCallback"},{"type":"PasswordCallback","input":[]}]}"#,
            r#"{"callbacks":[{"type":"NameCallback","input":[{"value":"demo"}]}]}"#,
            r#"{"callbacks":[{"type":"NameCallback","input":[{"value":1}]},
                {"type":"PasswordCallback","input":[{"value":"pw"}]}]}"#,
        ] {
            assert_eq!(read(&sent(text)), None, "{text}");
        }
    }
}
