use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tempfile::TempDir;

use super::output::Output;
use super::writer::{MAX_WAITING, NotWritten, Writer};

/// A generous end to all waiting: only a test that has failed reaches it.
const DEADLINE: Duration = Duration::from_secs(30);

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn writer(path: &Path) -> Writer {
    Writer::start(Output::file(path.to_owned(), false).unwrap()).unwrap()
}

fn line(text: &str) -> Vec<u8> {
    format!("{text}\n").into_bytes()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Points a link at something else, at once.
fn point(link: &Path, target: &Path) {
    let new = link.with_extension("new");
    symlink(target, &new).unwrap();
    fs::rename(new, link).unwrap();
}

#[tokio::test]
async fn a_line_is_in_the_file_when_its_call_goes_on_and_lines_keep_their_order() {
    let folder = folder();
    let path = folder.path().join("audit");
    let writer = writer(&path);
    join_all((0..50).map(|caller| {
        let (writer, path) = (&writer, &path);
        async move {
            for number in 0..20 {
                let text = format!("caller {caller} number {number};");
                writer.write(line(&text)).await.unwrap();
                assert!(read(path).contains(&text), "{text}");
            }
        }
    }))
    .await;
    let text = read(&path);
    assert_eq!(text.lines().count(), 1000);
    for caller in 0..50 {
        let prefix = format!("caller {caller} ");
        let of_caller = text.lines().filter(|line| line.starts_with(&prefix));
        let numbers: Vec<_> = of_caller
            .map(|line| line.rsplit(' ').next().unwrap().trim_end_matches(';'))
            .collect();
        let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(numbers, expected);
    }
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn what_a_full_disk_does_not_take_is_refused_and_written_later() {
    let folder = folder();
    let path = folder.path().join("audit");
    symlink("/dev/full", &path).unwrap();
    let writer = writer(&path);
    let start = Instant::now();
    assert_eq!(writer.write(line("one")).await, Err(NotWritten));
    assert_eq!(writer.write(line("two")).await, Err(NotWritten));
    assert!(start.elapsed() < Duration::from_secs(2), "told at once");
    let file = folder.path().join("file");
    point(&path, &file);
    until("kept lines are written", || read(&file) == "one\ntwo\n").await;
    writer.write(line("three")).await.unwrap();
    assert_eq!(read(&file), "one\ntwo\nthree\n");
}

#[tokio::test]
async fn a_reader_that_stops_loses_nothing_and_is_waited_for_only_so_long() {
    let folder = folder();
    let path = folder.path().join("audit");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let writer = writer(&path);
    // A pipe takes 64 KiB. The write after that stands still, and the queue fills.
    let text = |number: usize| format!("{number:08} {}", "x".repeat(256 * 1024));
    let mut refused = 0;
    let lines = MAX_WAITING / (256 * 1024) + 20;
    let outcomes = join_all((0..lines).map(|number| writer.write(line(&text(number))))).await;
    for outcome in outcomes {
        assert_eq!(outcome, Err(NotWritten), "nobody reads");
    }
    // Room comes back with whoever reads; what was let into the queue is all there, in order.
    let mut reader = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let mut found = Vec::new();
    let mut pending = Vec::new();
    let mut buffer = vec![0; 1024 * 1024];
    let last = format!("{:08} last", lines);
    let finish = tokio::spawn(async move {
        // The queue may still be full at first.
        while writer.write(line(&last)).await == Err(NotWritten) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let reading = tokio::task::spawn_blocking(move || {
        loop {
            let count = reader.read(&mut buffer).unwrap();
            pending.extend_from_slice(&buffer[..count]);
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                let text = String::from_utf8(line).unwrap();
                let number: usize = text[..8].parse().unwrap();
                if number == lines {
                    return found;
                }
                assert_eq!(text.len(), 8 + 1 + 256 * 1024 + 1);
                found.push(number);
            }
        }
    });
    let found = tokio::time::timeout(DEADLINE, reading)
        .await
        .unwrap()
        .unwrap();
    finish.await.unwrap();
    refused += lines - found.len();
    assert!(refused > 0, "the queue has a bound");
    assert_eq!(found, (0..found.len()).collect::<Vec<_>>());
    assert!(
        found.len() * 256 * 1024 > MAX_WAITING / 2,
        "{}",
        found.len()
    );
}

#[tokio::test]
async fn a_file_that_is_moved_or_removed_is_made_anew_without_loss() {
    let folder = folder();
    let path = folder.path().join("audit");
    let writer = writer(&path);
    let mut kept = String::new();
    for round in 0..20 {
        let moved = folder.path().join("moved");
        join_all((0..5).map(|caller| {
            let (writer, path, moved) = (&writer, &path, &moved);
            async move {
                for number in 0..10 {
                    if caller == 0 && number == 5 {
                        fs::rename(path, moved).unwrap();
                    }
                    let text = format!("{round}.{caller}.{number}");
                    writer.write(line(&text)).await.unwrap();
                }
            }
        }))
        .await;
        kept += &read(&moved);
    }
    kept += &read(&path);
    let mut lines: Vec<_> = kept.lines().collect();
    assert_eq!(lines.len(), 20 * 5 * 10);
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 20 * 5 * 10, "once each");

    writer.write(line("before")).await.unwrap();
    fs::remove_file(&path).unwrap();
    writer.write(line("after")).await.unwrap();
    assert_eq!(read(&path), "after\n");
}

#[tokio::test]
async fn what_waits_is_written_when_the_policy_server_stops() {
    let folder = folder();
    let path = folder.path().join("audit");
    let writer = writer(&path);
    // Handed over, and hardly waited for.
    _ = writer.write(line("last")).now_or_never();
    drop(writer);
    until("the line is written", || read(&path) == "last\n").await;
}

#[test]
fn a_line_that_a_crash_cut_off_does_not_spoil_the_next() {
    let folder = folder();
    let path = folder.path().join("audit");
    fs::write(&path, "whole\ncut of").unwrap();
    let mut output = Output::file(path.clone(), true).unwrap();
    output.write(b"next\n", &mut 0).unwrap();
    assert_eq!(read(&path), "whole\ncut of\nnext\n");
}

#[test]
fn a_line_that_was_begun_elsewhere_is_written_as_a_whole() {
    let folder = folder();
    let path = folder.path().join("audit");
    let mut output = Output::file(path.clone(), false).unwrap();
    File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(b"one\ntw")
        .unwrap();
    // The disk was full after six bytes. In the same file the rest follows,
    let mut written = 6;
    output.write(b"one\ntwo\nthree\n", &mut written).unwrap();
    assert_eq!((read(&path).as_str(), written), ("one\ntwo\nthree\n", 14));
    // and in another one the line begins again.
    fs::rename(&path, folder.path().join("moved")).unwrap();
    output.write(b"one\ntwo\nthree\n", &mut 6).unwrap();
    assert_eq!(read(&path), "two\nthree\n");
}
