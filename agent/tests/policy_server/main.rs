//! `doorward policy-server` as a process, and the commands that administer it.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

mod agents;
mod full_disk;
mod keys;
mod kill;
mod sessions;
mod users;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn the_openapi_document_is_printed() {
    let printed = Command::new(env!("CARGO_BIN_EXE_doorward"))
        .args(["schema", "--openapi"])
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/reference/openapi.json");
    let committed: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(document == committed, "the committed document is another");
}
