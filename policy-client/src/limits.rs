//! The numbers of the link, each with its reason.

use std::time::Duration;

/// The longest answer that is read, in bytes. A full session listing is the longest there is.
pub(crate) const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// The longest answer of another system that is read, in bytes. A session with all that is told of its user has
/// a few KiB; a decision about many resources some dozens.
pub(crate) const MAX_FOREIGN_ANSWER: usize = 1024 * 1024;
/// The longest refusal that is read, in bytes. Ours have a hundred.
pub(crate) const MAX_PROBLEM: usize = 4 * 1024;

/// A server that did not answer, or answered that it failed, this often in a row is out. One may be chance,
/// and each costs somebody a wait. One that could not even be connected to is out at once: that is certain,
/// and a probe takes it back within a moment.
pub(crate) const FAILURES: u32 = 3;

/// The longest pause before the first probe of a server that is out: agents that all lost the same server
/// must not all ask at once, and users should not notice.
pub(crate) const FIRST_PROBE: Duration = Duration::from_millis(250);
/// The longest pause between two probes; half of it on average. A thousand agents then ask a server a
/// thousand times a second, for an answer that costs it next to nothing.
pub(crate) const SLOWEST_PROBE: Duration = Duration::from_secs(2);
/// How long a probe waits. A server that needs longer to say that it is well is not.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a login waits for the end of sessions that nobody will hold, after its own deadline. The longest deadline
/// that can be set is 30 s, and an answer is good for 40 s.
pub(crate) const CLEAN_UP: Duration = Duration::from_secs(2);

/// With every server out, each is tried with a real call no more often than this.
pub(crate) const TRIAL_PAUSE: Duration = Duration::from_millis(100);
/// With every server out, a call waits this long for one to come back or for its turn to try: long enough
/// for a server that restarts to be found again, too short to fill an agent with requests that wait.
pub(crate) const LAST_RESORT: Duration = Duration::from_millis(250);

/// What each call adds to the budget of retries: when much fails, a fifth is asked twice. More would make
/// an overload worse.
pub(crate) const RETRY_SHARE: f64 = 0.2;
/// Retries each second that an agent with few calls has all the same.
pub(crate) const RETRY_FLOOR: f64 = 10.0;
/// Retries at once: what was under way at a server when it died.
pub(crate) const RETRY_BURST: f64 = 100.0;

/// A connection that takes longer leads nowhere. One lost SYN is sent again after a second.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Idle connections are closed before common firewalls forget them.
pub(crate) const POOL_IDLE: Duration = Duration::from_secs(60);
/// A connection on which nothing arrives for so long is asked for life, and given up after as long again:
/// after a network was cut, calls must not wait for TCP to find out. Where events arrive, nothing is asked.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(2);
