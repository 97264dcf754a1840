//! When a policy is in force: days and hours in a time zone.

use std::time::Duration;

use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use policy_protocol::Timestamp;

/// Minutes in a day.
const DAY: u16 = 24 * 60;
/// Windows begin and end at whole minutes, and so do the changes of offsets of all time zones in use.
const MINUTE: u64 = 60;

/// When a policy is in force: within any of the windows, by the clocks on the wall of a time zone. In an
/// hour that comes twice it is in force twice; one that is left out is left out here, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    zone: TimeZone,
    windows: Vec<Window>,
}

/// Some hours of some days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    days: Days,
    from: u16,
    to: u16,
}

/// Days of the week, one bit each, Monday first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Days(u8);

impl Days {
    /// Every day.
    pub(super) const ALL: Self = Self(0b111_1111);
    const NAMES: [&'static str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// The days of these names; `Err` with the first that is none.
    pub(super) fn parse<'n>(names: impl Iterator<Item = &'n str>) -> Result<Self, &'n str> {
        let mut days = 0;
        for name in names {
            let known = Self::NAMES.iter().position(|known| *known == name);
            days |= 1 << known.ok_or(name)?;
        }
        Ok(Self(days))
    }

    fn contain(self, day: Weekday) -> bool {
        self.0 & (1 << day.to_monday_zero_offset()) != 0
    }
}

impl Window {
    /// From one minute of the day to before another, both as in [`parse_time`]; `None` if there is no time
    /// between them.
    pub(super) fn new(days: Days, from: u16, to: u16) -> Option<Self> {
        (from < to).then_some(Self { days, from, to })
    }
}

/// The minute of the day that `08:00` means; `24:00` is the end of the day.
pub(super) fn parse_time(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str| {
        let two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        two.then(|| digits.parse::<u16>().ok())?
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let time = hours * 60 + minutes;
    (minutes < 60 && time <= DAY).then_some(time)
}

/// The time zone of an IANA name. The zones are our own, so every machine finds the same.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    let zone = TimeZoneDatabase::bundled().get(name).ok()?;
    (!zone.is_unknown()).then_some(zone)
}

impl Schedule {
    /// In force within any of `windows`.
    pub(super) const fn new(zone: TimeZone, windows: Vec<Window>) -> Self {
        Self { zone, windows }
    }

    /// Whether the policy is in force.
    pub(super) fn is_open(&self, at: Timestamp) -> bool {
        let seconds = i64::try_from(at.0).unwrap_or(i64::MAX);
        let instant = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
        let wall = self.zone.to_datetime(instant);
        let minute = u16::try_from(wall.hour()).unwrap_or_default() * 60
            + u16::try_from(wall.minute()).unwrap_or_default();
        self.windows.iter().any(|window| {
            window.days.contain(wall.weekday()) && (window.from..window.to).contains(&minute)
        })
    }

    /// How long an answer of [`Self::is_open`] holds: at most `most`, and no longer than it is true, which
    /// is a second less than until the next change, as `at` may be almost over.
    ///
    /// Looks at every minute until then: it knows nothing of days or summer time, and so does nothing
    /// wrong about them.
    pub(super) fn holds(&self, at: Timestamp, most: Duration) -> Duration {
        let now = self.is_open(at);
        let end = at.plus(most).plus(Duration::from_secs(1));
        let mut minute = at.0 - at.0 % MINUTE + MINUTE;
        while minute <= end.0 {
            if self.is_open(Timestamp(minute)) != now {
                return Timestamp(minute - 1).since(at);
            }
            minute += MINUTE;
        }
        most
    }
}

#[cfg(test)]
mod tests;
