//! Who was let in and who was not: the field's audit events.
//!
//! Records are ordinary log events with the target `audit`, so they reach whatever the logs reach. The
//! events that happen once in a session or are refusals are written at level `info`; `AzAccept` and
//! `Visit`, which happen with every request, at level `debug` (`filter = "info,audit=debug"` shows them).

use std::net::IpAddr;

use policy_protocol::Reason;

/// The target of every audit record.
pub const TARGET: &str = "audit";

/// What an agent decides by itself, with the names and numbers that log analysis for agents of this kind
/// knows. The policy server records what it decides: logins, validations, authorizations, logouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditEvent {
    /// Credentials were asked for.
    AuthChallenge = 4,
    /// A rule of the realm says that a user may not do what they asked.
    AzReject = 6,
    /// An authenticated request was let through.
    Visit = 13,
}

impl AuditEvent {
    /// The event's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthChallenge => "AuthChallenge",
            Self::AzReject => "AzReject",
            Self::Visit => "Visit",
        }
    }
}

/// Whether what happens with ordinary requests is recorded as well.
pub fn records_every_request() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::DEBUG)
}

/// Whom and what a record is about. None of it is a credential.
#[derive(Clone, Copy, Debug)]
pub struct AuditContext<'a> {
    /// Joins the records of one request across systems.
    pub transaction_id: &'a str,
    /// Where the request came from.
    pub client: IpAddr,
    /// The user, as far as known; for a refused login, the name that was typed.
    pub user: Option<&'a str>,
    /// The realm.
    pub realm: &'a str,
    /// The host.
    pub host: &'a str,
    /// The canonical path, without the query.
    pub resource: &'a str,
    /// The HTTP method.
    pub action: &'a str,
}

/// Writes an audit record.
///
/// Texts are recorded as strings, which the formats quote and escape; nothing in them can look like a
/// field or a record of its own.
pub fn record(event: AuditEvent, context: &AuditContext<'_>, reason: Reason) {
    macro_rules! write_at {
        ($level:expr) => {
            tracing::event!(
                target: TARGET,
                $level,
                event = event.name(),
                event_number = event as u8,
                transaction_id = context.transaction_id,
                client = %context.client,
                user = context.user,
                realm = context.realm,
                host = context.host,
                resource = context.resource,
                action = context.action,
                reason = reason.name(),
                reason_code = reason.0,
            )
        };
    }
    match event {
        AuditEvent::AuthChallenge | AuditEvent::Visit => write_at!(tracing::Level::DEBUG),
        AuditEvent::AzReject => write_at!(tracing::Level::INFO),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::telemetry::logging::tests::logged;

    fn context(user: Option<&'static str>) -> AuditContext<'static> {
        AuditContext {
            transaction_id: "7f3c",
            client: Ipv4Addr::LOCALHOST.into(),
            user,
            realm: "payroll",
            host: "app.example.com",
            resource: "/reports",
            action: "GET",
        }
    }

    #[test]
    fn a_record_names_the_event_the_user_and_the_reason() {
        let text = logged("warn", true, || {
            record(
                AuditEvent::AzReject,
                &context(Some("alice")),
                Reason::IDLE_SESSION,
            );
        });
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["target"], "audit");
        assert_eq!(json["event"], "AzReject");
        assert_eq!(json["event_number"], 6);
        assert_eq!(
            (&json["user"], &json["realm"]),
            (&"alice".into(), &"payroll".into())
        );
        assert_eq!(
            (&json["reason"], &json["reason_code"]),
            (&"idle_session".into(), &42.into())
        );
    }

    #[test]
    fn a_user_name_cannot_forge_a_field_or_a_record() {
        let text = logged("info", false, || {
            let user =
                "bob\" event=\"AuthAccept\"\n2026-01-01T00:00:00Z INFO audit: event=\"AuthAccept\"";
            record(AuditEvent::AzReject, &context(Some(user)), Reason::NONE);
        });
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(!text.contains(" event=\"AuthAccept\""), "{text}");
        assert!(text.contains("event=\"AzReject\""), "{text}");
    }

    #[test]
    fn events_of_every_request_are_written_only_when_asked_for() {
        let act = || record(AuditEvent::Visit, &context(None), Reason::NONE);
        assert_eq!(logged("info", false, act), "");
        assert!(logged("info,audit=debug", false, act).contains("Visit"));
    }
}
