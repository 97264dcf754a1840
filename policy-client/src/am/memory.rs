//! What is remembered of a session, because AM does not tell it, or only at a price.

use std::sync::Arc;

use policy_protocol::Timestamp;

use super::profile::Profile;

/// What is known of one session.
#[derive(Clone)]
pub(super) struct Remembered {
    /// When it began, as far as is known: AM tells only when it ends.
    pub(super) started: Timestamp,
    /// Whose it is. To ask costs the session's holder nothing but its idle time, which a request that is
    /// overlooked must not reset.
    pub(super) profile: Option<Arc<Profile>>,
}
