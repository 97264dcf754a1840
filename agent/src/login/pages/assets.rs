//! The files behind the pages: built in, or replaced by the operator's.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use http::HeaderValue;

use super::{PageError, STYLESHEET};
use crate::config::PageSettings;

/// The largest file that is taken, in bytes. They are held in memory, and sent to people who wait.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

const TEMPLATES: [(&str, &str); 8] = [
    ("base.html", include_str!("assets/base.html")),
    ("login.html", include_str!("assets/login.html")),
    ("code_field.html", include_str!("assets/code_field.html")),
    (
        "new_password.html",
        include_str!("assets/new_password.html"),
    ),
    ("logged_out.html", include_str!("assets/logged_out.html")),
    ("error.html", include_str!("assets/error.html")),
    (
        "request_not_kept.html",
        include_str!("assets/request_not_kept.html"),
    ),
    (
        "already_sent.html",
        include_str!("assets/already_sent.html"),
    ),
];
const TEXTS: (&str, &str) = ("texts.toml", include_str!("assets/texts.toml"));
const STYLE: &str = include_str!("assets/style.css");
const LOGO: &[u8] = include_bytes!("assets/logo.svg");

/// Pictures that browsers show, by file extension.
const PICTURES: [(&str, &str); 5] = [
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
];

/// Everything that the pages are made of.
pub(super) struct Assets {
    pub(super) templates: Vec<(&'static str, String)>,
    pub(super) texts: BTreeMap<String, String>,
    pub(super) stylesheet: Bytes,
    pub(super) logo: (Bytes, HeaderValue),
}

/// Reads the files that replace built-in ones.
pub(super) fn load(settings: &PageSettings) -> Result<Assets, PageError> {
    let directory = settings.template_dir.as_deref();
    if let Some(directory) = directory {
        refuse_unknown_files(directory)?;
    }
    let mut templates = Vec::with_capacity(TEMPLATES.len());
    for (name, built_in) in TEMPLATES {
        templates.push((
            name,
            replaced(directory, name)?.unwrap_or_else(|| built_in.to_owned()),
        ));
    }
    let stylesheet =
        replaced(directory, STYLESHEET)?.map_or(Bytes::from_static(STYLE.as_bytes()), Bytes::from);
    let logo = match &settings.logo_file {
        Some(file) => (Bytes::from(read(file)?), picture_type(file)?),
        None => (
            Bytes::from_static(LOGO),
            HeaderValue::from_static("image/svg+xml"),
        ),
    };
    Ok(Assets {
        templates,
        texts: texts(directory)?,
        stylesheet,
        logo,
    })
}

/// Changes whenever one of `contents` does, so that browsers may keep what they have fetched.
pub(super) fn version(contents: &[&[u8]]) -> String {
    let mut hasher = DefaultHasher::new();
    for content in contents {
        hasher.write(content);
    }
    format!("{:016x}", hasher.finish())
}

/// The built-in texts with the operator's over them. A key that no page uses is a mistake.
fn texts(directory: Option<&Path>) -> Result<BTreeMap<String, String>, PageError> {
    let mut texts: BTreeMap<String, String> =
        toml::from_str(TEXTS.1).expect("the built-in texts are checked by tests");
    let Some(source) = replaced(directory, TEXTS.0)? else {
        return Ok(texts);
    };
    let wrong = |problem| PageError::Content {
        file: directory.unwrap_or_else(|| Path::new("")).join(TEXTS.0),
        problem,
    };
    let own: BTreeMap<String, String> =
        toml::from_str(&source).map_err(|error| wrong(error.to_string()))?;
    for (key, text) in own {
        match texts.get_mut(&key) {
            Some(place) => *place = text,
            None => return Err(wrong(format!("no page has a text {key:?}"))),
        }
    }
    Ok(texts)
}

/// A misspelt name would otherwise leave the built-in page in place without a word.
fn refuse_unknown_files(directory: &Path) -> Result<(), PageError> {
    let known: Vec<&str> = TEMPLATES
        .iter()
        .map(|template| template.0)
        .chain([TEXTS.0, STYLESHEET])
        .collect();
    let failed = |error| PageError::File {
        file: directory.to_owned(),
        error,
    };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        // Hidden files are editors' and mounted volumes' own.
        if !name.starts_with('.') && !known.contains(&&*name) {
            return Err(PageError::Content {
                file: directory.join(&*name),
                problem: format!("replaces nothing; known names are {}", known.join(", ")),
            });
        }
    }
    Ok(())
}

fn replaced(directory: Option<&Path>, name: &str) -> Result<Option<String>, PageError> {
    let Some(file) = directory.map(|directory| directory.join(name)) else {
        return Ok(None);
    };
    if !file.exists() {
        return Ok(None);
    }
    let bytes = read(&file)?;
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| PageError::Content {
            file,
            problem: String::from("is not UTF-8"),
        })
}

fn read(file: &Path) -> Result<Vec<u8>, PageError> {
    let failed = |error| PageError::File {
        file: file.to_owned(),
        error,
    };
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).map_err(failed)?;
    opened
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let problem = format!("is larger than {MAX_FILE_BYTES} bytes");
        return Err(PageError::Content {
            file: file.to_owned(),
            problem,
        });
    }
    Ok(bytes)
}

fn picture_type(file: &Path) -> Result<HeaderValue, PageError> {
    let extension = file
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    PICTURES
        .iter()
        .find(|picture| picture.0 == extension)
        .map_or_else(
            || {
                let known: Vec<&str> = PICTURES.iter().map(|picture| picture.0).collect();
                let problem = format!("is no picture that pages can show: {}", known.join(", "));
                Err(PageError::Content {
                    file: file.to_owned(),
                    problem,
                })
            },
            |picture| Ok(HeaderValue::from_static(picture.1)),
        )
}
