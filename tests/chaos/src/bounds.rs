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
/// What the proxies add to a message at most when they slow a link down.
pub const SLOWEST: Duration = Duration::from_millis(250);

/// The same while one thing is broken. A policy server that lost the store is blind for 2 s before it ends its
/// streams: less than the silence, and it never comes on top of it, because one thing breaks at a time.
pub const DISTURBED: Duration = SILENCE
    .saturating_add(DISTRUSTED)
    .saturating_add(SLOWEST)
    .saturating_add(SCHEDULER);

/// After the end of a fault everything works again within this time. An agent waits up to 2 s before it connects
/// anew, and so does a probe of a policy server; a call that is under way may last 5 s; processes have to start.
pub const RECOVERY: Duration = Duration::from_secs(12);
