//! `doorward sessions list`.

use std::io::{self, IsTerminal as _, Write as _};

use agent::config::units::TimeSpan;
use clap::Args;
use policy_client::PolicyError;
use policy_client::admin::AdminClient;
use policy_protocol::message::SessionSummary;
use policy_protocol::sessions::SessionQuery;
use policy_protocol::{Clock as _, SystemClock, Timestamp};

/// Which sessions to list, and how. All conditions must hold.
#[derive(Args)]
pub(crate) struct List {
    /// Of this user only: a universal id or login name.
    #[arg(long)]
    user: Option<String>,
    /// Of logins at this agent only.
    #[arg(long)]
    agent: Option<String>,
    /// Of logins to this realm only.
    #[arg(long)]
    realm: Option<String>,
    /// Begun longer ago than this, such as 8h.
    #[arg(long, value_name = "AGE")]
    older_than: Option<TimeSpan>,
    /// Begun less long ago than this.
    #[arg(long, value_name = "AGE")]
    newer_than: Option<TimeSpan>,
    /// One JSON object on each line instead of a table.
    #[arg(long)]
    json: bool,
}

/// Why a list stopped.
pub(super) enum ListError {
    /// The policy server gave no answer.
    Policy(PolicyError),
    /// Nobody reads any more.
    Output(io::Error),
}

/// Fetches page after page and prints each as it comes.
pub(super) async fn list(client: &AdminClient, wanted: &List) -> Result<(), ListError> {
    let now = SystemClock.now();
    let ago = |age: TimeSpan| Timestamp(now.0.saturating_sub(age.0.as_secs()));
    let mut query = SessionQuery {
        user: wanted.user.clone(),
        agent: wanted.agent.clone(),
        realm: wanted.realm.clone(),
        started_until: wanted.older_than.map(ago),
        started_from: wanted.newer_than.map(ago),
        ..SessionQuery::default()
    };
    let mut output = io::stdout().lock();
    if !wanted.json {
        output
            .write_all(HEADING.as_bytes())
            .map_err(ListError::Output)?;
    }
    let mut count = 0;
    loop {
        let page = client.sessions(&query).await.map_err(ListError::Policy)?;
        count += page.sessions.len();
        for session in &page.sessions {
            if wanted.json {
                serde_json::to_writer(&mut output, session)
                    .map_err(io::Error::from)
                    .and_then(|()| output.write_all(b"\n"))
            } else {
                output.write_all(line(session, now).as_bytes())
            }
            .map_err(ListError::Output)?;
        }
        output.flush().map_err(ListError::Output)?;
        let Some(next) = page.next else { return Ok(()) };
        query.after = Some(next);
        if io::stderr().is_terminal() && !io::stdout().is_terminal() {
            eprintln!("{count} sessions so far");
        }
    }
}

const HEADING: &str = "\
SESSION                      USER                 LEVEL REALM            AGENT                IDLE     LEFT
";

/// A line of the table for people.
fn line(session: &SessionSummary, now: Timestamp) -> String {
    format!(
        "{:<28} {:<20} {:>5} {:<16} {:<16} {:>7}s {:>7}s\n",
        session.id.to_string(),
        session.identity.user_name.escape_default().to_string(),
        session.protection_level.0,
        session.realm.escape_default().to_string(),
        session.agent.escape_default().to_string(),
        now.since(session.last_access).as_secs(),
        session.expires.since(now).as_secs(),
    )
}
