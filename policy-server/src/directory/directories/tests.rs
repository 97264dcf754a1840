use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use policy_protocol::{Identity, UserDirectory};

use super::*;
use crate::directory::PasswordState;

/// A directory with one user, whose password is the directory's name; or one that is down.
struct Fake {
    description: UserDirectory,
    user: Arc<User>,
    down: bool,
    decoys: AtomicUsize,
}

impl Fake {
    fn new(oid: &str, user: &str) -> Arc<Self> {
        Self::make(oid, user, false)
    }

    fn make(oid: &str, user: &str, down: bool) -> Arc<Self> {
        let description = UserDirectory {
            oid: oid.to_owned(),
            ..UserDirectory::default()
        };
        let identity = Identity {
            user_name: user.to_owned(),
            universal_id: user.to_owned(),
            directory: description.clone(),
            ..Identity::default()
        };
        Arc::new(Self {
            description,
            user: Arc::new(User {
                identity,
                disabled: false,
            }),
            down,
            decoys: AtomicUsize::new(0),
        })
    }

    fn answer<T>(&self, value: T) -> BoxFuture<'_, Result<T, DirectoryError>>
    where
        T: Send + 'static,
    {
        let down = self.down;
        Box::pin(async move {
            if down {
                Err(DirectoryError::Failure)
            } else {
                Ok(value)
            }
        })
    }
}

impl Directory for Fake {
    fn description(&self) -> &UserDirectory {
        &self.description
    }

    fn authenticate<'a>(
        &'a self,
        name: &'a str,
        password: Secret<String>,
    ) -> BoxFuture<'a, Result<Authentication, DirectoryError>> {
        let user = Arc::clone(&self.user);
        self.answer(if user.identity.user_name != name {
            Authentication::UnknownUser
        } else if *password.expose() == self.description.oid {
            Authentication::Accepted(user, PasswordState::Good)
        } else {
            Authentication::WrongPassword(user)
        })
    }

    fn decoy(&self) -> BoxFuture<'_, Result<(), DirectoryError>> {
        self.decoys.fetch_add(1, Ordering::Relaxed);
        self.answer(())
    }

    fn change_password<'a>(
        &'a self,
        _: &'a User,
        _: Secret<String>,
        _: Secret<String>,
    ) -> BoxFuture<'a, Result<PasswordChange, DirectoryError>> {
        self.answer(PasswordChange::Changed)
    }

    fn find_certificate<'a>(
        &'a self,
        certificate: CertificateFacts<'a>,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        let found = certificate.subject == self.user.identity.user_name;
        self.answer(found.then(|| Arc::clone(&self.user)))
    }

    fn find<'a>(
        &'a self,
        universal_id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        let found = universal_id == self.user.identity.universal_id;
        self.answer(found.then(|| Arc::clone(&self.user)))
    }

    fn find_by_name<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, DirectoryError>> {
        let found = name == self.user.identity.user_name;
        self.answer(found.then(|| Arc::clone(&self.user)))
    }

    fn refresh(&self) -> BoxFuture<'_, Result<Changes, DirectoryError>> {
        self.answer(Changes {
            to_known_users: true,
            gone: vec![self.user.identity.universal_id.clone()],
        })
    }
}

fn list(fakes: &[&Arc<Fake>]) -> Directories {
    let directories = fakes
        .iter()
        .map(|fake| Arc::clone(fake) as Arc<dyn Directory>);
    Directories::new(directories.collect())
}

async fn ask(
    directories: &Directories,
    name: &str,
    password: &str,
) -> Result<Authentication, DirectoryError> {
    let password = Secret::new(password.to_owned());
    directories.authenticate(name, password).await
}

#[tokio::test]
async fn a_name_is_the_first_directorys_even_if_its_password_is_right_in_another() {
    let (one, two) = (Fake::new("one", "alice"), Fake::new("two", "alice"));
    let both = list(&[&one, &two]);
    let wrong = Authentication::WrongPassword(Arc::clone(&one.user));
    assert_eq!(ask(&both, "alice", "two").await, Ok(wrong));
    let right = Authentication::Accepted(Arc::clone(&one.user), PasswordState::Good);
    assert_eq!(ask(&both, "alice", "one").await, Ok(right));
    // A session is looked up where it was made.
    let found = both.by_oid("two").unwrap().find("alice").await;
    assert_eq!(found.unwrap().unwrap().identity.directory.oid, "two");
    assert!(both.by_oid("three").is_none());
}

#[tokio::test]
async fn every_wrong_login_costs_something_in_every_directory() {
    let (one, two) = (Fake::new("one", "alice"), Fake::new("two", "bob"));
    let both = list(&[&one, &two]);
    assert!(matches!(
        ask(&both, "alice", "x").await,
        Ok(Authentication::WrongPassword(_))
    ));
    assert_eq!(two.decoys.load(Ordering::Relaxed), 1);
    assert!(matches!(
        ask(&both, "bob", "x").await,
        Ok(Authentication::WrongPassword(_))
    ));
    assert_eq!(
        ask(&both, "carol", "x").await,
        Ok(Authentication::UnknownUser)
    );
    assert_eq!(two.decoys.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_directory_that_is_down_is_never_a_no_nor_the_next_ones_yes() {
    let (down, up) = (Fake::make("down", "alice", true), Fake::new("up", "bob"));
    let failure = DirectoryError::Failure;
    let down_first = list(&[&down, &up]);
    assert_eq!(ask(&down_first, "bob", "up").await, Err(failure));
    assert_eq!(ask(&down_first, "carol", "x").await, Err(failure));
    let certificate = CertificateFacts {
        fingerprint: "",
        subject: "bob",
        issuer: "",
        common_names: &[],
        emails: &[],
    };
    assert_eq!(down_first.find_certificate(certificate).await, Err(failure));
    assert_eq!(down_first.find_any("bob", None).await, Err(failure));
    let up_alone = down_first.by_oid("up").unwrap();
    assert!(up_alone.find("bob").await.unwrap().is_some());
    // Those before it still log in; that their password is wrong looks like everybody else's answer.
    let down_last = list(&[&up, &down]);
    assert!(matches!(
        ask(&down_last, "bob", "up").await,
        Ok(Authentication::Accepted(..))
    ));
    // Bob's password was looked at: that counts as an attempt, whoever else gives no answer.
    let refused = Err(DirectoryError::FailureAfterRefusal);
    assert_eq!(ask(&down_last, "bob", "x").await, refused);
    assert_eq!(ask(&down_last, "carol", "x").await, Err(failure));
}

#[tokio::test]
async fn changes_of_one_directory_are_told_although_another_failed() {
    let (down, up) = (Fake::make("down", "alice", true), Fake::new("up", "bob"));
    let (changes, result) = list(&[&down, &up]).refresh().await;
    assert_eq!(result, Err(DirectoryError::Failure));
    assert_eq!(changes.gone, ["bob"]);
    assert!(changes.to_known_users);
}
