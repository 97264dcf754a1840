//! Writes a new password into the users file, and leaves the rest of the file as its authors wrote it.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use policy_protocol::Secret;
use toml_edit::{DocumentMut, Item, TableLike, Value};

use super::FileDirectory;
use crate::directory::file_format::read;
use crate::directory::password::{PasswordCost, StoredHash, hash_password_at};
use crate::directory::{DirectoryError, MAX_INPUT_LENGTH, NewPassword, PasswordChange};

/// The fewest characters of a password that a user chooses (NIST SP 800-63B, section 3.1.1.2, for a
/// password that a second factor goes along with; an operator who wants more keeps passwords in LDAP).
const MIN_LENGTH: usize = 8;

impl FileDirectory {
    /// Replaces the password of the user with this universal id.
    pub(super) async fn write_password(
        &self,
        universal_id: &str,
        old: Secret<String>,
        new: Secret<String>,
    ) -> Result<PasswordChange, DirectoryError> {
        if !self.writable {
            return Ok(PasswordChange::ReadOnly);
        }
        // One at a time: each starts from the file that the one before has written.
        let _writing = self.writing.lock().await;
        let users = self.users();
        let entry = users.by_universal_id.get(universal_id);
        let Some((entry, hash)) = entry.and_then(|entry| Some((entry, entry.password.as_ref()?)))
        else {
            return Ok(PasswordChange::WrongPassword);
        };
        if old.expose().len() > MAX_INPUT_LENGTH
            || !self.checker.check(Arc::clone(hash), old.clone()).await?
        {
            return Ok(PasswordChange::WrongPassword);
        }
        let length = new.expose().chars().count();
        if length < MIN_LENGTH || new.expose().len() > MAX_INPUT_LENGTH {
            return Ok(PasswordChange::Refused(NewPassword::Length));
        }
        if new.expose() == old.expose() {
            return Ok(PasswordChange::Refused(NewPassword::UsedBefore));
        }
        let cost = hash.cost().max(PasswordCost::STANDARD);
        let (path, description) = (self.path.clone(), self.description.clone());
        let (name, old_hash) = (entry.user.identity.user_name.clone(), hash.text());
        let written = tokio::task::spawn_blocking(move || {
            let hash = hash_password_at(new.expose(), cost).map_err(|error| error.to_string())?;
            let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
            let text = with_password(&text, &name, &old_hash, &hash)?;
            // What this file would not be read from again must not replace it.
            read(&text, &path.display().to_string(), &description)
                .map_err(|problems| problems.to_string())?;
            replace(&path, &text).map_err(|error| error.to_string())
        });
        let written = written.await.map_err(|_| DirectoryError::Failure)?;
        written.map_err(|problem| {
            tracing::error!(file = %self.path.display(), problem, "a new password was not written");
            DirectoryError::Failure
        })?;
        self.reload().map_err(|_| DirectoryError::Failure)?;
        Ok(PasswordChange::Changed)
    }
}

/// The text with another password for a user, and without the order to change it.
fn with_password(text: &str, name: &str, old: &str, new: &str) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|_| "it is not TOML any more")?;
    let user = user(&mut document, name).ok_or("the user is not in it any more")?;
    let password = user.get_mut("password").and_then(Item::as_value_mut);
    let password = password.ok_or("the user has no password any more")?;
    let stored = password
        .as_str()
        .and_then(|hash| StoredHash::parse(hash).ok());
    if stored.is_none_or(|stored| stored.text() != old) {
        return Err(String::from("the password has been changed meanwhile"));
    }
    // A comment behind the value belongs to the line, not to the value.
    let decor = password.decor().clone();
    *password = Value::from(new);
    *password.decor_mut() = decor;
    user.remove("must_change");
    Ok(document.to_string())
}

fn user<'a>(document: &'a mut DocumentMut, name: &str) -> Option<&'a mut dyn TableLike> {
    fn is(user: &dyn TableLike, name: &str) -> bool {
        let here = user.get("name").and_then(Item::as_str);
        here.is_some_and(|here| here.trim() == name)
    }
    match document.get_mut("users")? {
        Item::ArrayOfTables(users) => users
            .iter_mut()
            .find(|user| is(*user, name))
            .map(|user| user as &mut dyn TableLike),
        Item::Value(Value::Array(users)) => users
            .iter_mut()
            .filter_map(Value::as_inline_table_mut)
            .find(|user| is(*user, name))
            .map(|user| user as &mut dyn TableLike),
        _ => None,
    }
}

/// Replaces a file by another that is complete, on disk, and as closed as the old one.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // What a link points to is replaced, not the link.
    let path = path.canonicalize()?;
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = folder.join(name);
    // Left over from a crash, if at all.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::File::create_new(&new)?;
    // Before there is anything in it.
    file.set_permissions(std::fs::metadata(&path)?.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
