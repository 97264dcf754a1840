//! Moments as other systems write them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use policy_protocol::Timestamp;

/// Reads RFC 3339 in all its forms, to the second. Without an offset it is UTC; before 1970 it is 1970.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let moment = text.parse::<jiff::Timestamp>().or_else(|_| {
        let local = text.parse::<DateTime>();
        local.and_then(|local| local.to_zoned(TimeZone::UTC).map(|at| at.timestamp()))
    });
    let seconds = moment.ok()?.as_second();
    Some(Timestamp(u64::try_from(seconds).unwrap_or_default()))
}
