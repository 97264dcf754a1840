use super::*;

fn at(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().unwrap();
    Timestamp(u64::try_from(instant.as_second()).unwrap())
}

fn schedule(zone_name: &str, windows: &[(&[&str], &str, &str)]) -> Schedule {
    let windows = windows.iter().map(|(days, from, to)| {
        let days = Days::parse(days.iter().copied()).unwrap();
        Window::new(days, parse_time(from).unwrap(), parse_time(to).unwrap()).unwrap()
    });
    Schedule::new(zone(zone_name).unwrap(), windows.collect())
}

const ALL: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[test]
fn times_are_hours_and_minutes_of_a_day() {
    for (text, minutes) in [
        ("00:00", 0),
        ("08:05", 485),
        ("23:59", 1439),
        ("24:00", 1440),
    ] {
        assert_eq!(parse_time(text), Some(minutes), "{text}");
    }
    for text in [
        "", "8:00", "08:0", "08:60", "24:01", "25:00", "-1:00", "+8:00", "08:00:00", "08.00", "8",
    ] {
        assert_eq!(parse_time(text), None, "{text}");
    }
    assert_eq!(Days::parse(ALL.iter().copied()), Ok(Days::ALL));
    assert_eq!(Days::parse(["mon", "Tue"].into_iter()), Err("Tue"));
    assert_eq!(Window::new(Days::ALL, 60, 60), None);
    for name in [
        "",
        "Berlin",
        "CEST",
        "Mars/Olympus",
        "Etc/Unknown",
        "UTC+1",
        "../UTC",
    ] {
        assert_eq!(zone(name), None, "{name}");
    }
}

#[test]
fn a_window_is_open_from_its_first_minute_to_before_its_last_on_its_days() {
    let office = schedule("Europe/Berlin", &[(&["mon", "fri"], "08:00", "18:00")]);
    for (text, open) in [
        ("2026-01-12T07:59:59+01:00", false), // a Monday
        ("2026-01-12T08:00:00+01:00", true),
        ("2026-01-12T17:59:59+01:00", true),
        ("2026-01-12T18:00:00+01:00", false),
        ("2026-01-13T12:00:00+01:00", false),
        ("2026-01-16T12:00:00+01:00", true),
        ("2026-07-13T08:00:00+02:00", true), // in summer
        ("2026-07-13T07:59:00+02:00", false),
    ] {
        assert_eq!(office.is_open(at(text)), open, "{text}");
    }
    // The day is that of the time zone.
    let monday = schedule("Pacific/Auckland", &[(&["mon"], "00:00", "24:00")]);
    assert!(monday.is_open(at("2026-01-11T11:00:00Z")));
    assert!(!monday.is_open(at("2026-01-12T11:00:00Z")));
}

#[test]
fn an_hour_that_is_left_out_is_left_out_and_one_that_comes_twice_is_open_twice() {
    let night = schedule("Europe/Berlin", &[(ALL, "02:00", "03:00")]);
    // At 02:00 it became 03:00.
    for text in ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"] {
        assert!(!night.is_open(at(text)), "{text}");
    }
    // At 03:00 it became 02:00.
    for (text, open) in [
        ("2026-10-24T23:59:59Z", false),
        ("2026-10-25T00:00:00Z", true),
        ("2026-10-25T01:30:00Z", true),
        ("2026-10-25T01:59:59Z", true),
        ("2026-10-25T02:00:00Z", false),
    ] {
        assert_eq!(night.is_open(at(text)), open, "{text}");
    }
}

#[test]
fn an_answer_holds_until_the_second_before_it_changes() {
    let hour = Duration::from_secs(3600);
    let office = schedule("Europe/Berlin", &[(ALL, "08:00", "18:00")]);
    let seconds = |schedule: &Schedule, text: &str| schedule.holds(at(text), hour).as_secs();
    assert_eq!(seconds(&office, "2026-01-12T12:00:00+01:00"), 3600);
    assert_eq!(seconds(&office, "2026-01-12T16:59:59+01:00"), 3600);
    assert_eq!(seconds(&office, "2026-01-12T17:00:00+01:00"), 3599);
    assert_eq!(seconds(&office, "2026-01-12T17:59:30+01:00"), 29);
    assert_eq!(seconds(&office, "2026-01-12T17:59:59+01:00"), 0);
    assert_eq!(seconds(&office, "2026-01-12T07:59:00+01:00"), 59);
    assert_eq!(
        office.holds(at("2026-01-12T17:59:59Z"), Duration::ZERO),
        Duration::ZERO
    );
    // The clocks jump over the beginning, into the window.
    let early = schedule("Europe/Berlin", &[(ALL, "02:30", "04:00")]);
    assert_eq!(seconds(&early, "2026-03-29T00:50:00Z"), 599);
    // They jump back out of it.
    let late = schedule("Europe/Berlin", &[(ALL, "02:30", "04:00")]);
    assert_eq!(seconds(&late, "2026-10-25T00:40:00Z"), 1199);
    assert!(late.is_open(at("2026-10-25T00:59:59Z")) && !late.is_open(at("2026-10-25T01:00:00Z")));
    // Two windows that touch are one; three quarters of an hour off Greenwich do not matter.
    let both = schedule(
        "Asia/Kathmandu",
        &[(ALL, "08:00", "12:00"), (ALL, "12:00", "18:00")],
    );
    assert_eq!(seconds(&both, "2026-01-12T11:50:00+05:45"), 3600);
    assert_eq!(seconds(&both, "2026-01-12T17:50:00+05:45"), 599);
}
