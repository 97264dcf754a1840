//! The numbers of this back end, each with its reason.

use std::time::Duration;

/// A decision is kept for no longer than this, whatever its `ttl` says: policies change, and who does not listen
/// to notifications does not hear of it. As long as AM's own clients keep what they have read (`maxCachingTime`).
pub(super) const MAX_DECISION_TIME: Duration = Duration::from_secs(3 * 60);
/// Steps of a login: a name and a password, each on a page of its own, and the first answer.
pub(super) const MAX_LOGIN_STEPS: usize = 3;
/// The longest name or password that is sent, in bytes: both travel in headers, and servers commonly take 8 KiB
/// of them.
pub(super) const MAX_CREDENTIAL: usize = 1024;
/// UTF-8 bytes in one encoded word: with base64 and its frame 72 characters of the 75 that RFC 2047 allows.
pub(super) const MAX_ENCODED_WORD: usize = 45;
/// Sessions that are remembered, in each of two generations. With what is told of a user some dozens of MiB at
/// most; a session that is forgotten counts as new.
pub(super) const REMEMBERED_SESSIONS: usize = 10_000;
/// A user of whom more is told, in bytes, is asked for again each time.
pub(super) const MAX_REMEMBERED_PROFILE: usize = 4 * 1024;
/// The pause after the agent's own login failed, or its session was not accepted, doubled up to [`MAX_LOGIN_PAUSE`]: a wrong password must neither
/// lock the account nor keep AM busy.
pub(super) const MIN_LOGIN_PAUSE: Duration = Duration::from_secs(1);
/// See [`MIN_LOGIN_PAUSE`].
pub(super) const MAX_LOGIN_PAUSE: Duration = Duration::from_secs(60);
/// The longest message of a WebSocket that is read, in bytes. One names a session or a policy.
#[cfg(feature = "am-notifications")]
pub(super) const MAX_MESSAGE: usize = 64 * 1024;
