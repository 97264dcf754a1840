//! The bounds, each with where it comes from.

use std::time::Duration;

/// For whatever else the machine does: a dozen processes of unoptimised code share its cores.
pub const SCHEDULER: Duration = Duration::from_millis(500);

/// An acknowledged end of a session is known to every agent after this time while nothing is broken: what the
/// book promises (100 ms), and the scheduler.
pub const CALM: Duration = Duration::from_millis(100).saturating_add(SCHEDULER);

/// An agent whose link says nothing notices it after three heartbeats, of a second each.
const SILENCE: Duration = Duration::from_secs(3);
/// What was validated just before that is good for so long without events.
const DISTRUSTED: Duration = Duration::from_secs(1);
/// How long the proxies keep each piece when they slow a link down.
pub const SLOW: Duration = Duration::from_millis(250);
/// What that adds to a message at most: it may have to wait for the piece before it.
const SLOWEST: Duration = SLOW.saturating_mul(2);

/// The same while one thing is broken. A policy server that lost the store is blind for 2 s before it ends its
/// streams: less than the silence, and it never comes on top of it, because one thing breaks at a time.
pub const DISTURBED: Duration = SILENCE
    .saturating_add(DISTRUSTED)
    .saturating_add(SLOWEST)
    .saturating_add(SCHEDULER);

/// One policy server of three that says nothing is passed over after three calls, which wait for it together, each
/// a third of `policy_server.timeout` (5 s). A login that went to it meanwhile fails: it may not be sent to two.
pub const PASSED_OVER: Duration = Duration::from_millis(1667).saturating_add(SCHEDULER);
/// A policy server that cannot reach the store says that it is ready until it has heard nothing of it for so long.
pub const BLIND: Duration = Duration::from_secs(3);

/// After the end of a fault everything works again within this time. An agent waits up to 2 s before it connects
/// anew, and so does a probe of a policy server; a call that is under way may last 5 s; processes have to start.
pub const RECOVERY: Duration = Duration::from_secs(12);
