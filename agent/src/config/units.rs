//! Values that an operator writes as text: durations, sizes, networks, addresses, methods.
//!
//! Each has one parser; its messages say what is expected and never repeat what was written.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use http::Method;
use ipnet::IpNet;

/// A length of time, such as `30s`, `1h30m` or `250ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(pub Duration);

/// A number of bytes: plain, or such as `64KiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A network in CIDR notation; a single address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(pub IpNet);

/// An IP address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub SocketAddr);

/// An HTTP method. Methods are case-sensitive, and every common one is in capitals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodName(pub Method);

/// The longest time span: ten years. Far above any use, and no addition to a clock can overflow.
const MAX_TIME_SPAN: Duration = Duration::from_hours(10 * 365 * 24);

/// The greatest size: one pebibyte. Far above any use, and no addition can overflow.
const MAX_SIZE: u64 = 1 << 50;

/// Longest unit first, as they are written out.
const TIME_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];
const SIZE_UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl FromStr for TimeSpan {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str =
            "not a duration: write a number and a unit, such as 250ms, 30s, 5m, 1h or 7d";
        let mut rest = text;
        let mut millis = 0_u64;
        if rest.is_empty() {
            return Err(EXPECTED);
        }
        while !rest.is_empty() {
            let (number, after) = leading_number(rest).ok_or(EXPECTED)?;
            let length = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, after) = after.split_at(length);
            let (_, factor) = TIME_UNITS
                .into_iter()
                .find(|(name, _)| *name == unit)
                .ok_or(EXPECTED)?;
            let part = number.checked_mul(factor).ok_or(EXPECTED)?;
            millis = millis.checked_add(part).ok_or(EXPECTED)?;
            rest = after;
        }
        let span = Duration::from_millis(millis);
        if span > MAX_TIME_SPAN {
            Err("longer than ten years")
        } else {
            Ok(Self(span))
        }
    }
}

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "not a size: write a number of bytes, or a number and a unit, such as 64KiB, 1MiB or 2GiB";
        let (number, unit) = leading_number(text).ok_or(EXPECTED)?;
        let unit = unit.trim_start();
        let factor = match SIZE_UNITS.into_iter().find(|(name, _)| *name == unit) {
            Some((_, factor)) => factor,
            None if unit.is_empty() => 1,
            None => return Err(EXPECTED),
        };
        match number.checked_mul(factor) {
            Some(bytes) if bytes <= MAX_SIZE => Ok(Self(bytes)),
            _ => Err("larger than a pebibyte"),
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(|network| Self(network.trunc())).map_err(
            |_| "not a network: write an address and a prefix length, such as 10.0.0.0/8 or fd00::/8",
        )
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(
            |_| "not an address: write an IP address and a port, such as 0.0.0.0:8443 or [::]:8443",
        )
    }
}

impl FromStr for MethodName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "not a method: write it in capitals, such as GET";
        if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Err(EXPECTED);
        }
        Method::from_bytes(text.as_bytes())
            .map(Self)
            .map_err(|_| EXPECTED)
    }
}

/// The digits at the start of `text` as a number, and what follows them.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    number.parse().ok().map(|number| (number, rest))
}

/// In the largest unit that leaves no remainder: the shortest text that reads back as the same value.
fn in_units(value: u64, units: &[(&str, u64)], zero: &str) -> String {
    let fitting = units
        .iter()
        .find(|(_, factor)| value != 0 && value.is_multiple_of(*factor));
    fitting.map_or_else(
        || zero.to_owned(),
        |(unit, factor)| format!("{}{unit}", value / factor),
    )
}

impl std::fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        f.write_str(&in_units(millis, &TIME_UNITS, "0s"))
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&in_units(self.0, &SIZE_UNITS, "0"))
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for MethodName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Checks `text` against the format that a schema names. Formats that are not ours accept anything.
///
/// # Errors
/// What was expected.
pub(super) fn check_format(format: &str, text: &str) -> Result<(), &'static str> {
    match format {
        "time-span" => text.parse::<TimeSpan>().map(drop),
        "size" => text.parse::<Size>().map(drop),
        "network" => text.parse::<Network>().map(drop),
        "address" => text.parse::<Address>().map(drop),
        "method" => text.parse::<MethodName>().map(drop),
        _ => Ok(()),
    }
}

macro_rules! written_as_text {
    ($($unit:ident: $format:literal, $types:tt;)*) => {$(
        impl serde::Serialize for $unit {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $unit {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $unit {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($unit).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": $types, "format": $format })
            }
        }
    )*};
}

written_as_text! {
    TimeSpan: "time-span", "string";
    Size: "size", ["string", "integer"];
    Network: "network", "string";
    Address: "address", "string";
    MethodName: "method", "string";
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_add_up_their_parts() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(
                text.parse(),
                Ok(TimeSpan(Duration::from_millis(millis))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_duration_without_a_unit_or_beyond_ten_years_is_refused() {
        for text in [
            "",
            "30",
            "s",
            "30 s",
            "-1s",
            "1.5h",
            "5min",
            "1y",
            "4000d",
            "99999999999999999999d",
            "1h30",
        ] {
            assert!(text.parse::<TimeSpan>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_plain_or_binary() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("64KiB", 65_536),
            ("64 KiB", 65_536),
            ("2GiB", 1 << 31),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "KiB", "64kb", "64K", "1TiB", "99999999999GiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_single_address_is_a_network_of_one_and_host_bits_are_dropped() {
        assert_eq!(
            "10.1.2.3".parse::<Network>().unwrap().to_string(),
            "10.1.2.3/32"
        );
        assert_eq!(
            "10.1.2.3/8".parse::<Network>().unwrap().to_string(),
            "10.0.0.0/8"
        );
        assert!("10.0.0.0/33".parse::<Network>().is_err());
    }

    #[test]
    fn methods_are_tokens_in_capitals() {
        assert!("PROPFIND".parse::<MethodName>().is_ok());
        for text in ["", "get", "GE T", "GET,POST"] {
            assert!(text.parse::<MethodName>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in any::<String>(), almost in "[0-9]{0,22}[a-zA-Z ./:]{0,4}[0-9]{0,3}") {
            for text in [text, almost] {
                for format in ["time-span", "size", "network", "address", "method"] {
                    let _ = check_format(format, &text);
                }
            }
        }

        #[test]
        fn what_is_written_out_reads_back(millis in 0..=315_360_000_000_u64, bytes in 0..=MAX_SIZE) {
            let span = TimeSpan(Duration::from_millis(millis));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
            prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }
    }
}
