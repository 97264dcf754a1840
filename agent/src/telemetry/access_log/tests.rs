use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::mpsc;
use std::time::UNIX_EPOCH;

use super::*;

fn record() -> AccessRecord<'static> {
    AccessRecord {
        transaction_id: "7f3c",
        client: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)),
        method: "GET",
        host: "app.example.com",
        path: "/reports",
        version: Version::HTTP_11,
        status: 200,
        user: Some("alice"),
        realm: None,
        outcome: Outcome::Forwarded,
        duration: Duration::from_micros(1_843),
    }
}

fn formatted(json: bool, record: &AccessRecord<'_>) -> String {
    let format = if json { format::json } else { format::text };
    let mut out = Vec::new();
    format(
        &mut out,
        &mut UtcStamp::default(),
        UNIX_EPOCH + Duration::from_millis(1_500),
        record,
    );
    String::from_utf8(out).unwrap()
}

/// Collects what is written, and can be made to stand still.
struct Pipe(mpsc::SyncSender<Vec<u8>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .send(bytes.to_vec())
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_text_line_is_as_documented() {
    assert_eq!(
        formatted(false, &record()),
        "1970-01-01T00:00:01.500Z 203.0.113.9 \"alice\" - \
         \"GET app.example.com/reports HTTP/1.1\" 200 forwarded 1843 7f3c\n"
    );
}

#[test]
fn a_json_line_is_json_and_leaves_out_what_is_not_known() {
    let line = formatted(
        true,
        &AccessRecord {
            client: Ipv6Addr::LOCALHOST.into(),
            ..record()
        },
    );
    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "time": "1970-01-01T00:00:01.500Z", "client": "::1", "user": "alice", "method": "GET",
            "host": "app.example.com", "path": "/reports", "version": "HTTP/1.1", "status": 200,
            "outcome": "forwarded", "duration_us": 1843, "transaction_id": "7f3c",
        })
    );
}

#[test]
fn nothing_from_outside_can_forge_a_line_or_a_field() {
    let forged = "x\" 200 forwarded\n2026-01-01T00:00:00Z 127.0.0.1 \"admin";
    for json in [false, true] {
        for field in 0..5 {
            let mut record = record();
            match field {
                0 => record.user = Some(forged),
                1 => record.host = forged,
                2 => record.path = forged,
                3 => record.method = forged,
                _ => record.transaction_id = forged,
            }
            let line = formatted(json, &record);
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert!(line.contains("x\\\" 200"), "{line}");
        }
    }
}

#[test]
fn the_last_lines_are_written_when_the_log_ends() {
    let (sender, written) = mpsc::sync_channel(100);
    let log = AccessLog::start_to(false, 2, Box::new(Pipe(sender))).unwrap();
    log.record(0, &record());
    log.record(1, &record());
    drop(log);
    let text: Vec<u8> = written.iter().flatten().collect();
    assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), 2);
}

#[test]
fn lines_are_written_without_being_asked_for() {
    let (sender, written) = mpsc::sync_channel(100);
    let log = AccessLog::start_to(false, 1, Box::new(Pipe(sender))).unwrap();
    log.record(0, &record());
    let text = written.recv().unwrap();
    assert!(text.ends_with(b"7f3c\n"));
}

#[test]
fn a_reader_that_stands_still_costs_lines_and_not_memory() {
    let (sender, written) = mpsc::sync_channel(0);
    let log = AccessLog::start_to(false, 1, Box::new(Pipe(sender))).unwrap();
    let path = "/x".repeat(32 * 1024);
    // The first writes block on the pipe; far more than the bound follows.
    for _ in 0..200 {
        log.record(
            0,
            &AccessRecord {
                path: &path,
                ..record()
            },
        );
    }
    assert!(log.dropped() > 100, "{}", log.dropped());
    let held = lock(&log.shared.workers[0].0).text.len();
    assert!(held < MAX_BYTES + 2 * path.len(), "{held}");
    let reader = std::thread::spawn(move || written.iter().count());
    drop(log);
    assert!(reader.join().unwrap() > 0);
}

#[test]
fn an_access_log_that_is_switched_off_does_not_exist() {
    let settings = LogSettings {
        filter: String::new(),
        json: false,
        access_log: false,
    };
    assert!(AccessLog::start(&settings, 1).unwrap().is_none());
}
