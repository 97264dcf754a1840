use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::directory::file::tests::open_file;
use crate::directory::{Authentication, Changes, Directory as _, PasswordState};

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// A directory with alice, whose password is `old password`, and bob; `{}` is where her hash stands.
fn directory(text: &str) -> (tempfile::TempDir, FileDirectory) {
    let hash = hash_password_at("old password", PasswordCost::LIGHT).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.toml");
    std::fs::write(&path, text.replace("{}", &hash)).unwrap();
    let directory = open_file(&path).unwrap();
    (dir, directory)
}

async fn change(directory: &FileDirectory, old: &str, new: &str) -> PasswordChange {
    let user = directory.find("alice").await.unwrap().unwrap();
    let changed = directory.change_password(&user, secret(old), secret(new));
    changed.await.unwrap()
}

async fn state(directory: &FileDirectory, password: &str) -> Option<PasswordState> {
    match directory
        .authenticate("alice", secret(password))
        .await
        .unwrap()
    {
        Authentication::Accepted(_, state) => Some(state),
        _ => None,
    }
}

#[tokio::test]
async fn a_change_is_in_force_at_once_and_leaves_the_rest_of_the_file() {
    let text = "# Who works here\n[[users]]\nname = \"bob\"\n\n# Her name is Alice.\n[[users]]\n\
                name = \" alice \" # as in the passport\npassword = \"{}\" # hers\nmust_change = true\n\
                groups = [\n  \"staff\", # all\n]\n";
    let (dir, directory) = directory(text);
    let path = dir.path().join("users.toml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(
        state(&directory, "old password").await,
        Some(PasswordState::MustChange)
    );
    let changed = change(&directory, "old password", "new password").await;
    assert_eq!(changed, PasswordChange::Changed);
    assert_eq!(state(&directory, "old password").await, None);
    assert_eq!(
        state(&directory, "new password").await,
        Some(PasswordState::Good)
    );
    let written = std::fs::read_to_string(&path).unwrap();
    let start = written.find("$argon2id$").unwrap();
    let end = start + written[start..].find('"').unwrap();
    let expected = text.replace("must_change = true\n", "");
    assert_eq!(written.replace(&written[start..end], "{}"), expected);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    // The password is not part of what sessions know.
    assert_eq!(directory.refresh().await.unwrap(), Changes::default());
    let again = change(&directory, "new password", "another password").await;
    assert_eq!(again, PasswordChange::Changed);
}

#[tokio::test]
async fn a_new_password_is_refused_without_the_old_one_or_if_it_is_a_bad_one() {
    let (dir, directory) = directory("[[users]]\nname = \"alice\"\npassword = \"{}\"\n");
    let path = dir.path().join("users.toml");
    let before = std::fs::read_to_string(&path).unwrap();
    let long = "x".repeat(MAX_INPUT_LENGTH + 1);
    let length = PasswordChange::Refused(NewPassword::Length);
    for (old, new, expected) in [
        ("wrong", "new password", PasswordChange::WrongPassword),
        ("", "new password", PasswordChange::WrongPassword),
        (&long, "new password", PasswordChange::WrongPassword),
        ("old password", "", length),
        ("old password", "ÄÖÜäöüß", length),
        ("old password", &long, length),
        (
            "old password",
            "old password",
            PasswordChange::Refused(NewPassword::UsedBefore),
        ),
    ] {
        assert_eq!(change(&directory, old, new).await, expected, "{new}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
}

#[tokio::test]
async fn a_file_that_was_changed_meanwhile_is_not_overwritten() {
    let (dir, directory) = directory("users = [{ name = \"alice\", password = \"{}\" }]\n");
    let path = dir.path().join("users.toml");
    let user = directory.find("alice").await.unwrap().unwrap();
    for text in ["users = []", "[[users]]\nname = \"alice\"", "= ="] {
        std::fs::write(&path, text).unwrap();
        let changed =
            directory.change_password(&user, secret("old password"), secret("new password"));
        assert_eq!(changed.await, Err(DirectoryError::Failure), "{text}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[tokio::test]
async fn inline_users_are_rewritten_too_and_many_at_a_time_one_after_the_other() {
    let (dir, directory) =
        directory("users = [{ name = \"alice\", password = \"{}\" }, { name = \"b\" }] # all\n");
    let (one, other) = tokio::join!(
        change(&directory, "old password", "new password"),
        change(&directory, "old password", "new passw0rd"),
    );
    let mut both = [one, other];
    both.sort_by_key(|change| *change != PasswordChange::Changed);
    assert_eq!(
        both,
        [PasswordChange::Changed, PasswordChange::WrongPassword]
    );
    let text = std::fs::read_to_string(dir.path().join("users.toml")).unwrap();
    assert!(text.ends_with("{ name = \"b\" }] # all\n"), "{text}");
}
