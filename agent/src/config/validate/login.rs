//! Checks `[login]`.

use std::time::Duration;

use url::Url;

use super::files::Files;
use super::{names, positive, usize_between, whole_seconds};
use crate::config::file::login as file;
use crate::config::report::Spot;
use crate::config::{LoginSettings, PageSettings};

/// The most that is kept of one request while its user logs in: more is an upload, not a form.
const MAX_PRESERVE_BYTES: u64 = 1 << 20;
/// The longest that a browser is told to remember a name: browsers keep no cookie for longer.
const MAX_REMEMBER: Duration = Duration::from_hours(400 * 24);

/// Login and logout.
pub(super) fn login(
    file: &file::Login,
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<LoginSettings> {
    let path = resource(&file.path, &spot.key("path"));
    if file.path == "/" {
        spot.key("path")
            .problem_with_hint("would hide every application", "such as \"/doorward\"");
    }
    let logout_paths: Vec<Option<String>> = file
        .logout_paths
        .iter()
        .enumerate()
        .map(|(index, path)| resource(path, &spot.key("logout_paths").index(index)))
        .collect();
    let targets: Vec<Option<String>> = file
        .allowed_targets
        .iter()
        .enumerate()
        .map(|(index, target)| allowed_target(target, &spot.key("allowed_targets").index(index)))
        .collect();
    let logout_target = file
        .logout_target
        .as_ref()
        .map(|target| logout_target(target, &targets, &spot.key("logout_target")));
    let preserve_bytes = usize_between(
        file.preserve_size,
        0..=MAX_PRESERVE_BYTES,
        &spot.key("preserve_size"),
    );
    let remember_user_name = file
        .remember_user_name
        .map(|span| remember_user_name(span.0, &spot.key("remember_user_name")));
    let pages = pages(&file.pages, files, &spot.key("pages"));
    Some(LoginSettings {
        path: path?,
        logout_paths: logout_paths.into_iter().collect::<Option<_>>()?,
        logout_target: match logout_target {
            Some(target) => Some(target?),
            None => None,
        },
        allowed_targets: targets.into_iter().collect::<Option<_>>()?,
        preserve_bytes: preserve_bytes?,
        remember_user_name: match remember_user_name {
            Some(span) => Some(span?),
            None => None,
        },
        pages: pages?,
    })
}

fn remember_user_name(span: Duration, spot: &Spot<'_>) -> Option<Duration> {
    if span > MAX_REMEMBER {
        spot.problem_with_hint(
            "must be at most 400d: browsers keep no cookie for longer",
            "leave it out for no box on the login page",
        );
        return None;
    }
    positive(whole_seconds(span, spot)?, spot)
}

fn resource(path: &str, spot: &Spot<'_>) -> Option<String> {
    names::resource(path)
        .map_err(|what| spot.problem(what))
        .ok()
}

/// An origin, as a browser writes it.
fn allowed_target(text: &str, spot: &Spot<'_>) -> Option<String> {
    let url = names::origin(text)
        .map_err(|what| spot.problem(what))
        .ok()?;
    if url.scheme() == "http" && !names::is_loopback(&url) {
        spot.warn("users are led to an address without TLS");
    }
    Some(url.origin().ascii_serialization())
}

/// A path of the same host, or an address of an allowed origin.
fn logout_target(text: &str, allowed: &[Option<String>], spot: &Spot<'_>) -> Option<String> {
    let ours = Url::parse("https://doorward.invalid").ok()?;
    // What a browser makes of it is what counts: `//host` and `/\host` are not paths (R10).
    let url = ours
        .join(text)
        .ok()
        .filter(|_| text.bytes().all(|byte| byte.is_ascii_graphic()));
    let known = |url: &Url| allowed.contains(&Some(url.origin().ascii_serialization()));
    match url {
        Some(url) if text.starts_with('/') && url.origin() == ours.origin() => {
            Some(text.to_owned())
        }
        Some(url) if text.starts_with("http") && url.username().is_empty() && known(&url) => {
            Some(url.into())
        }
        Some(_) => {
            let what = "neither a path nor an address whose origin is in `allowed_targets`";
            spot.problem_with_hint(what, "add the origin to `login.allowed_targets`");
            None
        }
        None => {
            spot.problem("neither a path nor an address");
            None
        }
    }
}

fn pages(file: &file::Pages, files: &Files<'_>, spot: &Spot<'_>) -> Option<PageSettings> {
    let logo = file
        .logo_file
        .as_ref()
        .map(|path| files.readable(path, &spot.key("logo_file")));
    let templates = file
        .template_dir
        .as_ref()
        .map(|path| files.folder(path, &spot.key("template_dir")));
    Some(PageSettings {
        title: file.title.clone(),
        logo_file: match logo {
            Some(path) => Some(path?),
            None => None,
        },
        template_dir: match templates {
            Some(path) => Some(path?),
            None => None,
        },
    })
}
