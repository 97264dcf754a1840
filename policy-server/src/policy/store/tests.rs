use super::*;

const POLICIES: &str = "[[domains]]\nname = 'a'\n";

struct World {
    dir: tempfile::TempDir,
    path: PathBuf,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policies.toml");
        let world = Self { dir, path };
        world.write(POLICIES);
        world
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.path, text).unwrap();
    }

    fn open(&self) -> PolicyStore {
        PolicyStore::open(Some(&self.path), Vec::new(), self.dir.path()).unwrap()
    }

    fn open_without(&self) -> PolicyStore {
        PolicyStore::open(None, Vec::new(), self.dir.path()).unwrap()
    }
}

#[test]
fn a_file_is_read_again_when_it_changes_and_agents_are_told_until_they_know() {
    let world = World::new();
    let store = world.open();
    store.told();
    assert_eq!(store.refresh(), Ok(false));
    let before = store.current();
    // Read, but the same.
    world.write(&format!("# a comment\n{POLICIES}"));
    assert_eq!(store.refresh(), Ok(false));
    world.write("[[domains]]\nname = 'another'\n");
    assert_eq!(store.refresh(), Ok(true));
    assert_ne!(*store.current(), *before);
    assert_eq!(store.refresh(), Ok(true), "until they are told");
    store.told();
    assert_eq!(store.refresh(), Ok(false));
}

#[test]
fn a_bad_file_is_reported_once_and_changes_nothing() {
    let world = World::new();
    let store = world.open();
    store.told();
    let before = store.current();
    world.write("[[domains]]\nnam = 'a'\n");
    assert!(store.refresh().unwrap_err().to_string().contains(":2:1: "));
    assert_eq!(store.refresh(), Ok(false));
    std::fs::remove_file(&world.path).unwrap();
    assert!(store.refresh().is_err());
    assert_eq!(store.refresh(), Ok(false));
    assert_eq!(*store.current(), *before);
    // The same as before is no news.
    world.write(POLICIES);
    assert_eq!(store.refresh(), Ok(false));
}

#[test]
fn a_restart_is_news_only_if_the_policies_are() {
    let world = World::new();
    let store = world.open();
    assert_eq!(store.refresh(), Ok(true), "nothing is known of before");
    store.told();
    assert_eq!(world.open().refresh(), Ok(false));
    world.write("");
    // Whoever ends before agents are told has not told them.
    for _ in 0..2 {
        assert_eq!(world.open().refresh(), Ok(true));
    }
    world.open().told();
    assert_eq!(world.open().refresh(), Ok(false));
    assert_eq!(world.open_without().refresh(), Ok(true), "a file less");
    world.open_without().told();
    assert_eq!(world.open_without().refresh(), Ok(false));
}

#[test]
fn without_a_file_nothing_is_allowed_and_a_bad_one_does_not_start() {
    let world = World::new();
    let none = world.open_without();
    assert_eq!(*none.current(), PolicySet::default());
    assert_eq!(none.refresh(), Ok(false));
    std::fs::remove_file(&world.path).unwrap();
    let opened = PolicyStore::open(Some(&world.path), Vec::new(), world.dir.path());
    assert!(opened.is_err());
}
