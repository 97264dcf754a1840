//! Moments as text.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Timestamp;

/// `2026-11-21T20:27:03`: RFC 3339 without fraction and zone.
const LENGTH: usize = 19;

/// Writes the current time, and works the date out only when the second has changed.
#[derive(Debug, Default)]
pub struct UtcStamp {
    second: u64,
    text: [u8; LENGTH],
}

impl UtcStamp {
    /// Appends `now` in RFC 3339 with milliseconds, UTC. A time before 1970 reads as 1970.
    pub fn push(&mut self, out: &mut Vec<u8>, now: SystemTime) {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.text[0] == 0 || self.second != since.as_secs() {
            self.second = since.as_secs();
            self.text = date_and_time(self.second);
        }
        out.extend_from_slice(&self.text);
        let milliseconds = since.subsec_millis();
        out.push(b'.');
        out.extend([100, 10, 1].map(|unit| digit(u64::from(milliseconds / unit))));
        out.push(b'Z');
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&date_and_time(self.0)))?;
        f.write_str("Z")
    }
}

/// Days are counted in years that begin in March, so that the leap day comes last (the proleptic
/// Gregorian calendar has a cycle of 146 097 days in 400 years).
fn date_and_time(seconds: u64) -> [u8; LENGTH] {
    let (days, clock) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year_of_cycle = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = cycle * 400 + year_of_cycle + u64::from(month <= 2);

    let mut text = *b"0000-00-00T00:00:00";
    let pairs = [
        (0, year / 100),
        (2, year),
        (5, month),
        (8, day_of_month),
        (11, clock / 3_600),
        (14, clock / 60 % 60),
        (17, clock % 60),
    ];
    for (at, value) in pairs {
        text[at] = digit(value / 10);
        text[at + 1] = digit(value);
    }
    text
}

/// The last decimal digit.
const fn digit(value: u64) -> u8 {
    b'0' + (value % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn text(milliseconds: u64) -> String {
        let mut out = Vec::new();
        UtcStamp::default().push(&mut out, UNIX_EPOCH + Duration::from_millis(milliseconds));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn moments_are_written_as_rfc_3339() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(text(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(text(1_000_000_000_007), "2001-09-09T01:46:40.007Z");
        assert_eq!(text(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn a_later_second_replaces_the_kept_text() {
        let mut stamp = UtcStamp::default();
        let mut out = Vec::new();
        for second in [1, 1, 2] {
            stamp.push(&mut out, UNIX_EPOCH + Duration::from_secs(second));
        }
        assert!(out.ends_with(b"1970-01-01T00:00:02.000Z"));
        assert_eq!(out.windows(3).filter(|w| w == b":01").count(), 2);
    }
}
