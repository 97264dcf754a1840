//! Whatever an import opens was open before. What the other agents open is written here a second time, from
//! what is known of them and not from the importer.

use proptest::prelude::*;

use super::*;

/// Paths and queries with everything that patterns are made of.
const PATH: &str = "(/(a|b|ab|A|c\\.gif|a\\.b|-|%61|x%20y)){0,4}/?(\\?(|a=1|x/y|a=1&b=2))?";

/// A classic agent: an address that begins with an ignored one is open, and so is an ignored extension in a path
/// that has no two dots with a slash between them.
fn classic_opens(urls: &[String], extensions: &[&str], address: &str) -> bool {
    let path = address.split('?').next().unwrap_or_default();
    let dots: Vec<&str> = path
        .split('/')
        .filter(|segment| segment.contains('.'))
        .collect();
    let extension = extensions.iter().any(|extension| path.ends_with(extension));
    urls.iter().any(|url| address.starts_with(url.as_str())) || extension && dots.len() == 1
}

/// An agent of AM: `-*-` is anything without a slash, `*` is anything, and neither has a question mark.
fn am_matches(pattern: &str, address: &str) -> bool {
    if let Some(rest) = pattern.strip_prefix("-*-") {
        let most = address.find(['/', '?']).unwrap_or(address.len());
        return (0..=most).any(|end| am_matches(rest, &address[end..]));
    }
    if let Some(rest) = pattern.strip_prefix('*') {
        // What follows a question mark in the pattern is about the query, which may hold anything.
        let most = address.find('?').unwrap_or(address.len());
        let ends = 0..=if address.starts_with('?') { 0 } else { most };
        return ends
            .into_iter()
            .any(|end| am_matches(rest, &address[end..]));
    }
    match (pattern.strip_prefix("?*"), address.strip_prefix('?')) {
        (Some(""), Some(_)) => return true,
        (Some(_), _) => return false,
        (None, _) => {}
    }
    match (pattern.chars().next(), address.chars().next()) {
        (None, None) => true,
        (Some(one), Some(other)) if one == other => {
            am_matches(&pattern[one.len_utf8()..], &address[other.len_utf8()..])
        }
        _ => false,
    }
}

/// What is forwarded is what counts: an encoded letter is a letter.
fn forwarded(host: &str, path: &str, method: &Method) -> Option<String> {
    let uri = path.parse().ok()?;
    let target = RequestTarget::new(host.to_owned(), None, &uri, method).ok()?;
    Some(target.path_and_query().as_str().to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_is_open_was_open_to_a_classic_agent(
        urls in prop::collection::vec("(/(a|b|ab|a\\.b)){0,3}/?\\*?", 0..4),
        extensions in prop::collection::vec("\\.(gif|b|a\\.b)", 0..3),
        rules in any::<bool>(),
        paths in prop::collection::vec(PATH, 1..12),
        post in any::<bool>(),
    ) {
        let urls: Vec<String> = urls.into_iter().filter(|url| !url.is_empty()).collect();
        let sources = aco(&format!("IgnoreUrl={}\nIgnoreExt={}\n", urls.join(","), extensions.join(",")));
        let sources = if rules {
            let rules = super::rules(
                "<nete:cond type='uri' criteria='beginswith'><nete:case value='/a/'><nete:local/></nete:case>\
                 <nete:case value='/b'><nete:forward>http://b.test$0</nete:forward></nete:case>\
                 <nete:default><nete:forward>http://a.test$0</nete:forward></nete:default></nete:cond>",
            );
            Sources { proxyrules: rules.proxyrules, ..sources }
        } else {
            sources
        };
        let config = filled_in(&import(sources));
        let method = if post { Method::POST } else { Method::GET };
        let extensions: Vec<&str> = extensions.iter().map(String::as_str).collect();
        for path in paths {
            let path = format!("/{}", path.trim_start_matches('/'));
            if asked(&config, &method, "any.test", &path).starts_with("open ") {
                let address = forwarded("any.test", &path, &method).unwrap();
                prop_assert!(classic_opens(&urls, &extensions, &address), "{path}");
            }
        }
    }

    #[test]
    fn what_is_open_was_open_to_an_agent_of_am(
        patterns in prop::collection::vec(
            (
                "(|\\*://\\*:\\*|\\*://one\\.test:\\*|https://one\\.test:443|http://\\*:\\*)",
                "(/(a|b|ab|-\\*-|\\*|a\\*)){0,3}(/|\\*|/\\*)?",
                "(|\\?\\*|\\?a=1|\\?\\*a)",
                "(|GET,|GET,POST,)",
            ),
            0..8,
        ),
        invert in prop_oneof![9 => Just(false), 1 => Just(true)],
        paths in prop::collection::vec(PATH, 1..12),
        post in any::<bool>(),
    ) {
        const NAME: &str = "com.sun.identity.agents.config.notenforced.url";
        // Each pattern also with its counterpart for a query, which alone opens nothing here.
        let patterns: Vec<(String, String)> = patterns
            .into_iter()
            .filter(|(_, path, _, _)| !path.is_empty())
            .flat_map(|(origin, path, query, methods)| {
                let one = (format!("{origin}{path}{query}"), methods.clone());
                let both = query == "?*";
                [Some(one), both.then(|| (format!("{origin}{path}"), methods))]
            })
            .flatten()
            .collect();
        let mut text = format!("{NAME}.invert = {invert}\n");
        for (index, (pattern, methods)) in patterns.iter().enumerate() {
            text.push_str(&format!("{NAME}[{methods}{index}] = {pattern}\n"));
        }
        let config = filled_in(&import(openam(&text)));
        let method = if post { Method::POST } else { Method::GET };
        let was_open = |scheme: &str, port: u16, host: &str, address: &str| {
            let listed = patterns.iter().any(|(pattern, methods)| {
                let whole = format!("{scheme}://{host}:{port}{address}");
                let method_fits = methods.is_empty() || methods.split(',').any(|name| name == method.as_str());
                let fits = if pattern.starts_with('/') {
                    am_matches(pattern, address)
                } else {
                    am_matches(pattern, &whole)
                };
                method_fits && fits
            });
            listed != invert
        };
        for path in paths {
            let path = format!("/{}", path.trim_start_matches('/'));
            for host in ["one.test", "two.test"] {
                if asked(&config, &method, host, &path).starts_with("open ") {
                    let address = forwarded(host, &path, &method).unwrap();
                    for (scheme, port) in [("http", 80), ("https", 443), ("https", 8443)] {
                        prop_assert!(was_open(scheme, port, host, &address), "{scheme} {host} {path}\n{text}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_second_writing_opens_what_it_should() {
    for (pattern, address, expected) in [
        ("/a/*", "/a/x/y", true),
        ("/a/*", "/a/", true),
        ("/a/*", "/a", false),
        ("/a/*", "/a/x?y", false),
        ("/a/*?*", "/a/x?y", true),
        ("/a/*?*", "/a/x", false),
        ("/a/-*-/c", "/a/b/c", true),
        ("/a/-*-/c", "/a/b/b/c", false),
        ("*://*:*/a", "https://x.test:443/a", true),
    ] {
        assert_eq!(
            am_matches(pattern, address),
            expected,
            "{pattern} {address}"
        );
    }
    let import = import(openam(AGENT));
    let config = filled_in(&import);
    let open = |path| asked(&config, &Method::GET, "app.example.com", path).starts_with("open ");
    assert!(open("/images/x?y") && open("/public") && !open("/images") && !open("/half/x"));
}
