//! One record as one line of JSON.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::SystemTime;

use policy_protocol::UtcStamp;
use serde::Serialize;

use super::Record;

/// Bytes of a text that are recorded at most: what comes from outside does not fill the queue.
const MAX_TEXT: usize = 4096;

/// The line. Field names are those of an agent's audit records.
#[derive(Serialize)]
struct Line<'a> {
    time: &'a str,
    server: &'a str,
    event: &'a str,
    event_number: u8,
    #[serde(skip_serializing_if = "str::is_empty")]
    user: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    directory: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    agent: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    realm: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    host: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    resource: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    action: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    transaction_id: Cow<'a, str>,
    reason: &'a str,
    reason_code: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

/// The record with the machine's time, which the ticks of policies are too coarse for, and a newline.
pub(super) fn json(record: &Record<'_>, server: &str) -> Vec<u8> {
    let mut time = Vec::with_capacity(24);
    UtcStamp::default().push(&mut time, SystemTime::now());
    let line = Line {
        time: &String::from_utf8_lossy(&time),
        server,
        event: &format!("{:?}", record.event),
        event_number: record.event as u8,
        user: bounded(record.user),
        directory: bounded(record.directory),
        agent: bounded(record.agent),
        realm: bounded(record.realm),
        host: bounded(record.host),
        resource: bounded(record.resource),
        action: bounded(record.action),
        client: record.client,
        session: record.session.map(|id| format!("{id:?}")),
        transaction_id: bounded(record.transaction_id),
        reason: record.reason.name(),
        reason_code: record.reason.0,
        detail: record.detail,
    };
    // Texts and numbers always have a JSON form.
    let mut json = serde_json::to_vec(&line).unwrap_or_default();
    json.push(b'\n');
    json
}

fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT {
        return text.into();
    }
    let end = text.floor_char_boundary(MAX_TEXT);
    format!("{}…", &text[..end]).into()
}

#[cfg(test)]
mod tests {
    use policy_protocol::{Reason, SessionId};
    use serde_json::Value;

    use super::*;
    use crate::audit::AuditEvent;

    #[test]
    fn a_record_is_one_line_whatever_is_in_it() {
        let forged = "bob\"}\n{\"event\":\"AuthAccept\"}\n\u{2028}\0";
        let record = Record {
            user: forged,
            session: Some(SessionId::from_bytes([7; 20])),
            client: Some("192.0.2.1".parse().unwrap()),
            reason: Reason::IDLE_SESSION,
            ..Record::new(AuditEvent::ValidateReject, "gateway", "t1")
        };
        let bytes = json(&record, "ps-1");
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
        let line: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(line["user"], forged);
        assert_eq!(
            (&line["event"], &line["event_number"], &line["server"]),
            (&"ValidateReject".into(), &12.into(), &"ps-1".into())
        );
        assert_eq!(
            (&line["reason"], &line["reason_code"]),
            (&"idle_session".into(), &42.into())
        );
        assert_eq!(line["client"], "192.0.2.1");
        assert_eq!(line["session"], "BwcHBw…");
        assert!(line.get("realm").is_none());
        let time = line["time"].as_str().unwrap();
        assert_eq!((time.len(), &time[19..20], &time[23..]), (24, ".", "Z"));
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "é".repeat(MAX_TEXT);
        let cut = bounded(&long);
        assert!(cut.len() <= MAX_TEXT + '…'.len_utf8() && cut.ends_with("é…"));
    }
}
