//! Lists of sessions, for administrators.

mod filter;

use policy_protocol::message::SessionSummary;
use policy_protocol::session_service::{SessionOperation, SessionServiceAnswer};
use policy_protocol::sessions::{SessionList, SessionQuery};

use self::filter::Filter;
use super::ask::Ask;
use super::caller::{self, Live};
use super::error::Refusal;
use super::json::{Json, object};
use super::sessions::v2::handle;
use crate::services::core::Unavailable;

/// Sessions in one list, as servers of this API have it.
pub(super) const MAX_SESSIONS: usize = 120;
/// Pages that the policy server is asked for at most: it looks at some thousands of sessions for each, and few may be of
/// the realm.
const MAX_PAGES: usize = 20;
/// This server among those that clients ask for by their id.
const SERVER: &str = "01";

/// `GET sessions` with `_queryFilter` or `_queryId`.
pub(super) async fn answer(ask: &Ask<'_>) -> Result<Json, Refusal> {
    let (filter, id) = (ask.query.one("_queryFilter")?, ask.query.one("_queryId")?);
    let fields = ask.fields()?;
    let caller = caller::caller(ask).await?;
    let rows = match (filter, id) {
        (Some(text), None) => {
            let filter = Filter::read(text).ok_or_else(|| bad_filter(text))?;
            let sessions = sessions(ask, &caller, &filter).await?;
            let rows = sessions.iter().map(|session| row(ask, session));
            rows.map(|row| row.only(&fields)).collect()
        }
        (None, Some("list")) if caller.administrator => vec![Json::from(SERVER)],
        (None, Some("list")) => return Err(Refusal::not_administrator()),
        (None, Some("all" | SERVER)) => {
            let filter = Filter {
                realm: ask.realm_name.clone(),
                user: None,
            };
            let sessions = sessions(ask, &caller, &filter).await?;
            let now = ask.core.visit.now;
            let rows = sessions.iter().map(|session| {
                object! {
                    "userid": session.identity.user_name.as_str(),
                    "timeleft": session.expires.since(now).as_secs() / 60,
                }
            });
            rows.map(|row| row.only(&fields)).collect()
        }
        (None, Some(_)) => Vec::new(),
        (None, None) => return Err(Refusal::no_operation()),
        (Some(_), Some(_)) => {
            return Err(Refusal::bad_request("More than one kind of query"));
        }
    };
    let count = rows.len() as u64;
    Ok(object! {
        "result": rows,
        "resultCount": count,
        "pagedResultsCookie": Json::NULL,
        "totalPagedResultsPolicy": "NONE",
        "totalPagedResults": -1_i64,
        "remainingPagedResults": -1_i64,
    })
}

fn bad_filter(text: &str) -> Refusal {
    let text = super::error::repeated(text);
    Refusal::bad_request(format!(
        "The value '{text}' for parameter '_queryFilter' could not be parsed as a valid query filter"
    ))
}

/// The newest sessions that fit.
async fn sessions(
    ask: &Ask<'_>,
    caller: &Live,
    filter: &Filter,
) -> Result<Vec<SessionSummary>, Refusal> {
    if !caller.administrator {
        return Err(Refusal::not_administrator());
    }
    let Some((realm, except_realms)) = ask.service.sessions_of(&filter.realm) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    let mut after = None;
    for _ in 0..MAX_PAGES {
        let query = SessionQuery {
            user: filter.user.clone(),
            realm: realm.clone(),
            limit: Some(MAX_SESSIONS),
            after: after.take(),
            ..SessionQuery::default()
        };
        let operation = SessionOperation::List {
            query,
            except_realms: except_realms.clone(),
        };
        let list = page(ask, caller, operation).await?;
        found.extend(list.sessions);
        after = list.next;
        if found.len() >= MAX_SESSIONS || after.is_none() {
            found.truncate(MAX_SESSIONS);
            return Ok(found);
        }
    }
    // That none was found does not mean that there is none.
    Err(Unavailable.into())
}

async fn page(
    ask: &Ask<'_>,
    caller: &Live,
    operation: SessionOperation,
) -> Result<SessionList, Refusal> {
    match caller::administer(ask, caller, operation).await? {
        SessionServiceAnswer::Sessions { list } => Ok(list),
        _ => Err(Unavailable.into()),
    }
}

fn row(ask: &Ask<'_>, session: &SessionSummary) -> Json {
    let idle_end = if session.idle_timeout.is_zero() {
        session.expires
    } else {
        session.last_access.plus(session.idle_timeout)
    };
    object! {
        "username": session.identity.user_name.as_str(),
        "universalId": session.identity.universal_id.as_str(),
        "realm": ask.service.realm_name(&session.realm),
        "sessionHandle": handle(session.id),
        "latestAccessTime": session.last_access.to_string(),
        "maxIdleExpirationTime": idle_end.to_string(),
        "maxSessionExpirationTime": session.expires.to_string(),
    }
}
