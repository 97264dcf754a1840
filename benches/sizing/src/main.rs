//! `cargo run --release -p store-sizing -- --engine postgres --sessions 1000,100000,1000000`
//!
//! Prints one row of a Markdown table for each size. Further options: `--callers 16`, `--writes 2000`,
//! `--reads 20000`.
#![allow(
    clippy::unwrap_used,
    reason = "a measurement that fails has nothing to say"
)]

use std::io::Write as _;
use std::time::Instant;

use store_sizing::{Engine, EngineKind, Figures, Load, Rate, fill, measure};

const HEAD: &str = "\
| sessions | memory | disk | login/s | p99 | validate/s | p99 | logout/s | p99 | uses/s | page of 100 | sessions of a user |
|---|---|---|---|---|---|---|---|---|---|---|---|";

#[tokio::main]
async fn main() {
    let mut engine = None;
    let mut sizes = vec![1000, 100_000, 1_000_000];
    let mut load = Load {
        callers: 16,
        writes: 2000,
        reads: 20_000,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().expect("every option has a value");
        let number = || value.parse().expect("a number");
        match &*name {
            "--engine" => {
                engine = Some(
                    EngineKind::named(&value)
                        .expect("an engine is one of sqlite, valkey, valkey-always, postgres"),
                );
            }
            "--sessions" => {
                sizes = value
                    .split(',')
                    .map(|size| size.parse().expect("numbers, separated by commas"))
                    .collect();
            }
            "--callers" => load.callers = number(),
            "--writes" => load.writes = number(),
            "--reads" => load.reads = number(),
            _ => panic!("{name} is no option"),
        }
    }
    sizes.sort_unstable();
    let mut engine = Engine::start(engine.expect("--engine")).await.unwrap();
    say(HEAD);
    let mut there = 0;
    for size in sizes {
        let start = Instant::now();
        engine.hurry(true).await;
        fill(&engine.store(), there, size).await;
        engine.hurry(false).await;
        there = size;
        eprintln!("{size} sessions after {:?}", start.elapsed());
        let (memory, disk) = (engine.memory(), engine.disk());
        let figures = measure(&engine.store(), size, load).await;
        say(&row(size, memory, disk, &figures));
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

fn row(size: u64, memory: u64, disk: u64, figures: &Figures) -> String {
    let rate = |rate: &Rate| {
        let p99 = rate.p99.as_secs_f64() * 1000.0;
        format!("{:.0} | {p99:.1} ms", rate.per_second)
    };
    let milliseconds = |rate: &Rate| format!("{:.1} ms", rate.median.as_secs_f64() * 1000.0);
    let megabytes = |bytes: u64| format!("{} MB", bytes / 1_000_000);
    format!(
        "| {size} | {} | {} | {} | {} | {} | {:.0} | {} | {} |",
        megabytes(memory),
        megabytes(disk),
        rate(&figures.login),
        rate(&figures.validate),
        rate(&figures.logout),
        figures.touch.per_second * 1000.0,
        milliseconds(&figures.page),
        milliseconds(&figures.of_user),
    )
}
