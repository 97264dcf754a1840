//! Where servers and what they serve are.

use reqwest::Url;

use crate::settings::ClientError;

pub(super) fn base(url: &str) -> Result<Url, ClientError> {
    let refused = |problem: String| ClientError::Url {
        url: url.to_owned(),
        problem,
    };
    let base = Url::parse(url).map_err(|error| refused(error.to_string()))?;
    if base.scheme() != "https" || base.host().is_none() {
        return Err(refused(String::from("must be an https address")));
    }
    if !base.username().is_empty() || base.password().is_some() || base.query().is_some() {
        return Err(refused(String::from(
            "must hold neither user, password nor query",
        )));
    }
    Ok(base)
}

/// `base` + `policy/v1` + `path`, every segment escaped.
pub(super) fn address(base: &Url, path: &[&str], query: &[(&str, &str)]) -> Url {
    let mut url = below(base, &["policy", "v1"], path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

pub(super) fn below(base: &Url, prefix: &[&str], path: &[&str]) -> Url {
    let mut url = base.clone();
    url.path_segments_mut()
        .expect("an https address has segments")
        .pop_if_empty()
        .extend(prefix)
        .extend(path);
    url
}
