//! The fuzz targets' corpora, replayed by an ordinary test.

use std::path::Path;

/// Every input of a target, by name.
fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect();
    inputs.sort();
    assert!(inputs.len() > 5, "{target} has hardly a corpus");
    inputs
}

#[test]
fn cookies() {
    for (_, input) in inputs("cookie") {
        fuzz_properties::cookie(&input);
    }
}

#[test]
fn targets() {
    for (_, input) in inputs("target") {
        fuzz_properties::target(&input);
    }
}

#[test]
fn headers() {
    for (_, input) in inputs("headers") {
        fuzz_properties::headers(&input);
    }
}

#[test]
fn framing() {
    for (_, input) in inputs("framing") {
        fuzz_properties::framing(&input);
    }
}

#[test]
fn configurations() {
    for (_, input) in inputs("configuration") {
        fuzz_properties::configuration(&input);
    }
}

#[path = "../fuzz/src/properties.rs"]
mod fuzz_properties;
