//! The two formats of a line. Numbers are written digit by digit: `std::fmt` costs several times as much.

use std::io::Write as _;
use std::net::IpAddr;
use std::time::SystemTime;

use http::Version;

use super::AccessRecord;
use crate::telemetry::escape::push_quoted;
use policy_protocol::UtcStamp;

/// Appends one line of text.
pub(super) fn text(out: &mut Vec<u8>, stamp: &mut UtcStamp, now: SystemTime, r: &AccessRecord<'_>) {
    stamp.push(out, now);
    out.push(b' ');
    push_address(out, r.client);
    for name in [r.user, r.realm] {
        match name {
            Some(name) => {
                out.extend_from_slice(b" \"");
                push_quoted(out, name);
                out.push(b'"');
            }
            None => out.extend_from_slice(b" -"),
        }
    }
    out.extend_from_slice(b" \"");
    push_quoted(out, r.method);
    out.push(b' ');
    push_quoted(out, r.host);
    push_quoted(out, r.path);
    out.push(b' ');
    out.extend_from_slice(version(r.version));
    out.extend_from_slice(b"\" ");
    push_number(out, r.status.into());
    out.push(b' ');
    out.extend_from_slice(r.outcome.name().as_bytes());
    out.push(b' ');
    push_number(out, microseconds(r));
    out.push(b' ');
    push_quoted(out, r.transaction_id);
    out.push(b'\n');
}

/// Appends one line of JSON.
pub(super) fn json(out: &mut Vec<u8>, stamp: &mut UtcStamp, now: SystemTime, r: &AccessRecord<'_>) {
    out.extend_from_slice(b"{\"time\":\"");
    stamp.push(out, now);
    out.extend_from_slice(b"\",\"client\":\"");
    push_address(out, r.client);
    out.push(b'"');
    let texts = [
        ("user", r.user),
        ("realm", r.realm),
        ("method", Some(r.method)),
        ("host", Some(r.host)),
        ("path", Some(r.path)),
        ("outcome", Some(r.outcome.name())),
        ("transaction_id", Some(r.transaction_id)),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":\"");
            push_quoted(out, value);
            out.push(b'"');
        }
    }
    out.extend_from_slice(b",\"version\":\"");
    out.extend_from_slice(version(r.version));
    out.extend_from_slice(b"\",\"status\":");
    push_number(out, r.status.into());
    out.extend_from_slice(b",\"duration_us\":");
    push_number(out, microseconds(r));
    out.extend_from_slice(b"}\n");
}

fn microseconds(record: &AccessRecord<'_>) -> u64 {
    u64::try_from(record.duration.as_micros()).unwrap_or(u64::MAX)
}

const fn version(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_09 => b"HTTP/0.9",
        Version::HTTP_10 => b"HTTP/1.0",
        Version::HTTP_11 => b"HTTP/1.1",
        Version::HTTP_2 => b"HTTP/2",
        _ => b"HTTP/3",
    }
}

fn push_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                push_number(out, octet.into());
            }
        }
        // Its shortest form is not worth a second implementation. Writing to a Vec cannot fail.
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}
