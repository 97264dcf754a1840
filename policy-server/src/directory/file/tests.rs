use super::*;
use crate::config::directories::DirectoryKind;
use crate::directory::PasswordState;
use crate::directory::password::{PasswordCost, hash_password_at};

fn open(text: &str) -> Result<FileDirectory, Problems> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.toml");
    std::fs::write(&path, text).unwrap();
    open_file(&path)
}

pub(crate) fn open_file(path: &Path) -> Result<FileDirectory, Problems> {
    let settings = FileSettings {
        path: path.to_owned(),
        writable: true,
    };
    let config = DirectoryConfig {
        oid: String::from("file"),
        name: String::from("users"),
        kind: DirectoryKind::File(settings.clone()),
    };
    FileDirectory::open(&config, &settings)
}

#[test]
fn every_mistake_is_reported_with_its_line() {
    let text = r#"[[users]]
name = "alice"
password = "hunter2"
certificates = ["00"]
[[users]]
name = " ALICE "
universal_id = "alice"
[[users]]
name = ""
dn = "a\u0000b"
attributes = { mail = "a\nb" }
"#;
    let problems = open(text).err().unwrap();
    let lines: Vec<_> = problems
        .iter()
        .map(|problem| problem.place.unwrap().0)
        .collect();
    assert_eq!(lines, [3, 4, 6, 6, 9, 10, 11], "{problems}");
    assert!(!problems.to_string().contains("hunter2"), "{problems}");
}

#[test]
fn a_missing_file_and_an_unknown_key_are_problems() {
    assert!(open_file(Path::new("/nowhere/users.toml")).is_err());
    let problems = open("[[users]]\nname = \"a\"\npasword = \"x\"")
        .err()
        .unwrap();
    assert!(problems.to_string().contains(":3:1: "), "{problems}");
}

#[tokio::test]
async fn the_decoy_costs_as_much_as_the_dearest_password() {
    let light = hash_password_at("x", PasswordCost::LIGHT).unwrap();
    let dear = PasswordCost {
        memory: 128,
        passes: 3,
    };
    let hash = hash_password_at("x", dear).unwrap();
    let text = format!(
        "[[users]]\nname = \"a\"\npassword = \"{light}\"\n[[users]]\nname = \"b\"\npassword = \"{hash}\""
    );
    assert_eq!(open(&text).unwrap().users().decoy.cost(), dear);
    assert_eq!(
        open("").unwrap().users().decoy.cost(),
        PasswordCost::STANDARD
    );
}

#[tokio::test]
async fn a_name_that_does_not_exist_waits_in_the_same_queue() {
    let light = hash_password_at("x", PasswordCost::LIGHT).unwrap();
    let text = format!("[[users]]\nname = \"a\"\npassword = \"{light}\"\n[[users]]\nname = \"b\"");
    let directory = open(&text).unwrap();
    let admission = &directory.checker.admission;
    let all = u32::try_from(admission.available_permits()).unwrap();
    let _all = admission.acquire_many(all).await.unwrap();
    for name in ["a", "b", "nobody", &"x".repeat(MAX_INPUT_LENGTH + 1)] {
        let answer = directory
            .authenticate(name, Secret::new(String::from("x")))
            .await;
        assert_eq!(answer, Err(DirectoryError::Busy), "{name}");
    }
}

#[tokio::test]
async fn an_edit_is_seen_once_and_names_who_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.toml");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write("[[users]]\nname = \"a\"\n[[users]]\nname = \"b\"\n[[users]]\nname = \"c\"");
    let directory = open_file(&path).unwrap();
    let nothing = Changes::default();
    assert_eq!(directory.refresh().await.unwrap(), nothing);
    write("[[users]]\nname = \"a\"\n[[users]]\nname = \"b\"\ndisabled = true");
    let changes = directory.refresh().await.unwrap();
    assert_eq!(changes.gone, ["b", "c"]);
    assert!(changes.to_known_users);
    assert_eq!(directory.refresh().await.unwrap(), nothing);
    write("nonsense");
    assert_eq!(directory.refresh().await, Err(DirectoryError::Failure));
    assert_eq!(directory.refresh().await.unwrap(), nothing, "reported once");
    assert!(directory.find("a").await.unwrap().is_some());
    assert!(directory.find("c").await.unwrap().is_none());
}

#[tokio::test]
async fn an_edit_of_groups_changes_a_known_user_and_a_new_user_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.toml");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write("[[users]]\nname = \"a\"");
    let directory = open_file(&path).unwrap();
    for (text, to_known_users) in [
        ("[[users]]\nname = \"a\"\n[[users]]\nname = \"b\"", false),
        (
            "[[users]]\nname = \"a\"\ngroups = [\"g\"]\n[[users]]\nname = \"b\"",
            true,
        ),
    ] {
        write(text);
        let changes = directory.refresh().await.unwrap();
        let expected = Changes {
            to_known_users,
            gone: Vec::new(),
        };
        assert_eq!(changes, expected, "{text}");
    }
}

#[tokio::test]
async fn a_password_may_have_to_be_changed_and_a_user_without_one_is_still_a_user() {
    let hash = hash_password_at("x", PasswordCost::LIGHT).unwrap();
    let text = format!(
        "[[users]]\nname = \"a\"\npassword = \"{hash}\"\nmust_change = true\n[[users]]\nname = \"b\""
    );
    let directory = open(&text).unwrap();
    let ask = async |name, password: &str| {
        let password = Secret::new(password.to_owned());
        directory.authenticate(name, password).await.unwrap()
    };
    assert!(matches!(
        ask(" Ａ ", "x").await,
        Authentication::Accepted(_, PasswordState::MustChange)
    ));
    assert!(matches!(
        ask("a", "y").await,
        Authentication::WrongPassword(_)
    ));
    assert!(matches!(
        ask("b", "").await,
        Authentication::WrongPassword(_)
    ));
    assert_eq!(ask("c", "x").await, Authentication::UnknownUser);
}

#[tokio::test]
async fn a_subject_counts_only_from_the_issuers_that_are_listed() {
    let text = "[[users]]\nname = \"a\"\ncertificate_subjects = [\"CN=a\"]\n\
                certificate_issuers = [\"CN=ca\", \"CN=other\"]\n\
                [[users]]\nname = \"b\"\ncertificate_subjects = [\"CN=b\"]";
    let directory = open(text).unwrap();
    for (subject, issuer, found) in [
        ("CN=a", "CN=ca", true),
        ("CN=a", "CN=other", true),
        ("CN=a", "CN=mallory", false),
        ("CN=b", "CN=mallory", true),
    ] {
        let certificate = CertificateFacts {
            fingerprint: "",
            subject,
            issuer,
            common_names: &[],
            emails: &[],
        };
        let answer = directory.find_certificate(certificate).await.unwrap();
        assert_eq!(answer.is_some(), found, "{subject} {issuer}");
    }
}
