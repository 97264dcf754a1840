use super::*;

const POLICIES: &str = "[[domains]]\nname = 'a'\n";

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_file_is_read_again_when_it_changes_and_only_then_agents_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("policies.toml");
    write(&path, POLICIES);
    let store = PolicyStore::open(Some(&path), Vec::new()).unwrap();
    assert_eq!(store.refresh(), Ok(false));
    let before = store.current();
    // Read, but the same.
    write(&path, &format!("# a comment\n{POLICIES}"));
    assert_eq!(store.refresh(), Ok(false));
    write(&path, "[[domains]]\nname = 'another'\n");
    assert_eq!(store.refresh(), Ok(true));
    assert_ne!(*store.current(), *before);
    assert_eq!(store.refresh(), Ok(false));
}

#[test]
fn a_bad_file_is_reported_once_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("policies.toml");
    write(&path, POLICIES);
    let store = PolicyStore::open(Some(&path), Vec::new()).unwrap();
    let before = store.current();
    write(&path, "[[domains]]\nnam = 'a'\n");
    assert!(store.refresh().unwrap_err().to_string().contains(":2:1: "));
    assert_eq!(store.refresh(), Ok(false));
    std::fs::remove_file(&path).unwrap();
    assert!(store.refresh().is_err());
    assert_eq!(store.refresh(), Ok(false));
    assert_eq!(*store.current(), *before);
    // The same as before is no news.
    write(&path, POLICIES);
    assert_eq!(store.refresh(), Ok(false));
}

#[test]
fn without_a_file_nothing_is_allowed_and_a_bad_one_does_not_start() {
    let none = PolicyStore::open(None, Vec::new()).unwrap();
    assert_eq!(*none.current(), PolicySet::default());
    assert_eq!(none.refresh(), Ok(false));
    let dir = tempfile::tempdir().unwrap();
    assert!(PolicyStore::open(Some(&dir.path().join("none")), Vec::new()).is_err());
}
