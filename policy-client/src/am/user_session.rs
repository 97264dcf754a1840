//! A user's session as the agent sees it, put together from what AM says of the session and of the user.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use policy_protocol::message::SessionTicket;
use policy_protocol::{
    Identity, RealmContext, Reason, Secret, Session, SessionId, Timestamp, UserDirectory,
};

use super::AmClient;
use super::limits::MAX_REMEMBERED_PROFILE;
use super::memory::Remembered;
use super::profile::{self, Profile};
use super::rest::Ask;
use super::session_info::SessionInfo;
use super::sessions::Purpose;
use crate::PolicyError;
use crate::retry::Repeat;

impl AmClient {
    /// The session that a login has just begun.
    pub(super) async fn new_session(
        &self,
        id: SessionId,
        token: &Secret<String>,
        realm: &RealmContext,
    ) -> Result<Session, PolicyError> {
        let ticket = SessionTicket {
            session_id: id,
            session_spec: self.rest.link.spec(token.expose())?,
        };
        // One that is over as soon as it begins is nothing to go on with, and no wrong password.
        let session = self.session(&ticket, realm, Purpose::Look).await?;
        let session = session.map_err(|_| PolicyError::Failure)?;
        if session.protection_level < realm.protection_level {
            tracing::warn!(
                realm = realm.name,
                wants = realm.protection_level.0,
                has = session.protection_level.0,
                "the AuthLevel of AM's logins does not do for this realm"
            );
        }
        Ok(session)
    }

    /// The session of a ticket, or why it is none.
    pub(super) async fn session(
        &self,
        ticket: &SessionTicket,
        realm: &RealmContext,
        purpose: Purpose,
    ) -> Result<Result<Session, Reason>, PolicyError> {
        let token = ticket.session_spec.as_str();
        let Some(mut info) = self.sessions.find(&self.rest, token, purpose).await? else {
            return Ok(Err(Reason::REVOKED_SESSION));
        };
        let own_realm = self.settings.realm.trim_end_matches('/');
        if !info
            .realm
            .trim_end_matches('/')
            .eq_ignore_ascii_case(own_realm)
        {
            tracing::warn!(
                realm = info.realm,
                "a session of another realm is not accepted"
            );
            return Ok(Err(Reason::INVALID_SESSION));
        }
        if info.level.is_none() {
            info.level = self.sessions.level(&self.rest, token, &info.realm).await?;
        }
        let now = self.rest.link.now();
        let remembered = self.memory.get(ticket.session_id);
        let started = match &remembered {
            Some(remembered) => remembered.started,
            None => info.latest_access.map_or(now, |latest| latest.min(now)),
        };
        let profile = match remembered.and_then(|remembered| remembered.profile) {
            Some(profile) if purpose == Purpose::Look => profile,
            _ => self.profile(&info.user, token).await?,
        };
        let small = profile.size() <= MAX_REMEMBERED_PROFILE;
        let remembered = Remembered {
            started,
            profile: small.then(|| Arc::clone(&profile)),
        };
        self.memory.insert(ticket.session_id, remembered);
        Ok(Ok(
            self.describe(ticket, realm, info, &profile, started, now)
        ))
    }

    /// What AM knows of a user, asked by the user's own session.
    async fn profile(&self, user: &str, token: &str) -> Result<Arc<Profile>, PolicyError> {
        // No segments of a path: the users themselves would be asked for.
        if matches!(user, "." | "..") {
            return Ok(Arc::default());
        }
        let ask = Ask {
            repeat: Repeat::Freely,
            path: &["users", user],
            query: None,
            version: profile::VERSION,
            token: Some(token),
            headers: HeaderMap::new(),
            body: None,
        };
        profile::read(self.rest.send(ask).await?, user).map(Arc::new)
    }

    fn describe(
        &self,
        ticket: &SessionTicket,
        realm: &RealmContext,
        info: SessionInfo,
        profile: &Profile,
        started: Timestamp,
        now: Timestamp,
    ) -> Session {
        let (auth_scheme, level) = self.rest.link.how_begun(ticket.session_id);
        let last_access = info.latest_access.unwrap_or(now);
        let universal_id = info.universal_id.or_else(|| profile.universal_id.clone());
        Session {
            id: ticket.session_id,
            spec: ticket.session_spec.clone(),
            identity: Identity {
                user_dn: profile.dn.clone(),
                // One realm only: there the name is enough.
                universal_id: universal_id.unwrap_or_else(|| info.user.clone()),
                user_name: info.user,
                directory: UserDirectory {
                    oid: info.realm.clone(),
                    name: info.realm,
                    server: self.host.clone(),
                    namespace: String::from("AM:"),
                },
                groups: profile.groups.clone(),
                attributes: profile.attributes.clone(),
            },
            auth_scheme,
            protection_level: info.level.unwrap_or(level),
            started,
            last_access,
            // Zero would be never.
            idle_timeout: info.idle_end.map_or(Duration::ZERO, |end| {
                end.since(last_access).max(Duration::from_secs(1))
            }),
            max_timeout: info.end.map_or(realm.max_timeout, |end| end.since(started)),
            persistent: true,
        }
    }
}
