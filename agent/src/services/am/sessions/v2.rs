//! Version 2: whole answers, and `{"valid":false}` for sessions that are over.

use policy_protocol::SessionId;
use policy_protocol::session_service::{SessionOperation, SessionServiceAnswer};

use super::{invalid, realm_name, v1};
use crate::services::am::ask::Ask;
use crate::services::am::caller::{self, Live};
use crate::services::am::error::Refusal;
use crate::services::am::json::{Json, object};
use crate::services::am::properties;
use crate::services::core::Unavailable;

/// What session handles begin with. They name a session and let nobody into it.
const HANDLE: &str = "shandle:";
/// Handles in one call: as many as a list has sessions.
const MAX_HANDLES: usize = crate::services::am::listing::MAX_SESSIONS;

/// The handle of a session.
pub(in crate::services::am) fn handle(id: SessionId) -> String {
    format!("{HANDLE}{id}")
}

pub(super) async fn refresh(ask: &Ask<'_>, target: Option<Live>) -> Result<Json, Refusal> {
    let Some(mut live) = target else {
        return Ok(invalid());
    };
    if !live.use_now(ask).await? {
        return Ok(invalid());
    }
    let now = ask.core.visit.now;
    Ok(object! {
        "uid": live.user_name(),
        "realm": realm_name(ask, &live),
        "idletime": v1::idle(&live, now),
        "maxidletime": v1::max_idle(&live),
        "maxsessiontime": v1::max_session(&live),
        "maxtime": v1::time_left(&live, now),
    })
}

pub(super) fn properties(ask: &Ask<'_>, target: Option<&Live>) -> Result<Json, Refusal> {
    let live = target.ok_or_else(v1::no_session)?;
    let readable = properties::readable(ask.service, live);
    Ok(readable
        .iter()
        .map(|(name, value)| (name, value.as_str()))
        .collect())
}

pub(super) async fn update_properties(
    ask: &Ask<'_>,
    target: Option<&Live>,
) -> Result<Json, Refusal> {
    let live = target.ok_or_else(v1::no_session)?;
    let changes = properties::changes(ask)?;
    let changed = properties::change(ask, live, changes).await?;
    let properties = changed.ok_or_else(v1::no_session)?;
    Ok(properties
        .iter()
        .map(|(name, value)| (name, value.as_str()))
        .collect())
}

/// Ends sessions by their handles. Those that are over count as ended; what is no handle does not.
pub(super) async fn logout_by_handle(ask: &Ask<'_>) -> Result<Json, Refusal> {
    let caller = administrator(ask).await?;
    let handles = ask.body.texts("sessionHandles").ok_or_else(|| {
        Refusal::bad_request(
            "The \"sessionHandles\" field is not defined in the request or it's not a JSON array",
        )
    })?;
    if handles.len() > MAX_HANDLES {
        return Err(Refusal::bad_request("Too many session handles"));
    }
    let id = |handle: &str| handle.strip_prefix(HANDLE)?.parse::<SessionId>().ok();
    let ids = handles.iter().filter_map(|handle| id(handle));
    done(ask.core.end_by_ids(&caller.shown, ids).await?)?;
    let result = handles
        .iter()
        .map(|handle| ((*handle).to_owned().into(), id(handle).is_some().into()))
        .collect();
    Ok(object! { "result": Json::Object(result) })
}

/// The caller, who means to change something.
pub(super) async fn meant_caller(ask: &Ask<'_>) -> Result<Live, Refusal> {
    let token = caller::token(ask.headers(), ask.service).ok_or_else(Refusal::access_denied)?;
    token.must_be_meant(ask)?;
    caller::caller(ask).await
}

/// The administrator who asks.
async fn administrator(ask: &Ask<'_>) -> Result<Live, Refusal> {
    let caller = meant_caller(ask).await?;
    if caller.administrator {
        Ok(caller)
    } else {
        Err(Refusal::not_administrator())
    }
}

/// Does what not everybody may; the policy server looks at that, too.
pub(super) async fn administer(
    ask: &Ask<'_>,
    caller: &Live,
    operation: SessionOperation,
) -> Result<(), Refusal> {
    done(ask.core.ask(&caller.shown, operation).await?)
}

fn done(answer: SessionServiceAnswer) -> Result<(), Refusal> {
    match caller::permitted(answer)? {
        SessionServiceAnswer::Done => Ok(()),
        _ => Err(Unavailable.into()),
    }
}
