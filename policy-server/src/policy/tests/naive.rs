//! The decision against another way to find it, and against a further denial.

use proptest::prelude::*;

use super::*;

const PATHS: [&str; 8] = ["", "/a", "/A", "/a/b", "/A/b", "/a/B", "/a/b/c", "/ab"];

/// A rule of a realm, bound to one policy.
#[derive(Clone, Debug)]
struct Line {
    realm: usize,
    rest: usize,
    posts_only: bool,
    deny: bool,
    group: Option<usize>,
    not_group: Option<usize>,
    local: bool,
    morning: bool,
}

const GROUPS: [&str; 2] = ["staff", "interns"];
/// Noon in Berlin ends a morning there.
const MORNING: (&str, u64) = ("12:00", 1_768_388_400);

fn line(realms: usize) -> impl Strategy<Value = Line> {
    let group = || proptest::option::of(0..GROUPS.len());
    (
        0..realms,
        0..PATHS.len(),
        any::<bool>(),
        any::<bool>(),
        group(),
        group(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(realm, rest, posts_only, deny, group, not_group, local, morning)| Line {
                realm,
                rest,
                posts_only,
                deny,
                group,
                not_group,
                local,
                morning,
            },
        )
}

fn world() -> impl Strategy<Value = (Vec<usize>, Vec<Line>)> {
    proptest::collection::vec(0..PATHS.len(), 1..4).prop_flat_map(|realms| {
        let lines = proptest::collection::vec(line(realms.len()), 0..7);
        (Just(realms), lines)
    })
}

fn text(realms: &[usize], lines: &[Line]) -> String {
    let mut text = String::from("[[domains]]\nname = 'd'\n");
    for (index, realm) in realms.iter().enumerate() {
        let resource = format!("{}/", PATHS[*realm]);
        text += &format!("[[domains.realms]]\nname = 'r{index}'\nresource = '{resource}'\n");
    }
    for (index, line) in lines.iter().enumerate() {
        let resource = format!("{}/", PATHS[line.rest]);
        let effect = if line.deny { "deny" } else { "allow" };
        text += &format!(
            "[[domains.rules]]\nname = '{index}'\nrealm = 'r{}'\nresource = '{resource}'\neffect = '{effect}'\n",
            line.realm
        );
        if line.posts_only {
            text += "actions = ['POST']\n";
        }
    }
    for (index, line) in lines.iter().enumerate() {
        text += &format!("[[domains.policies]]\nname = '{index}'\nrules = ['{index}']\n");
        if let Some(group) = line.group {
            text += &format!("groups = ['{}']\n", GROUPS[group]);
        }
        if let Some(group) = line.not_group {
            text += &format!("exclude_groups = ['{}']\n", GROUPS[group]);
        }
        if line.local {
            text += "networks = ['192.0.2.0/24']\n";
        }
        if line.morning {
            let to = MORNING.0;
            text += &format!("times = [{{ to = '{to}' }}]\ntime_zone = 'Europe/Berlin'\n");
        }
    }
    text
}

#[derive(Clone, Debug)]
struct Visit {
    path: usize,
    posts: bool,
    groups: [bool; 2],
    local: bool,
    morning: bool,
}

fn visit() -> impl Strategy<Value = Visit> {
    (
        0..PATHS.len(),
        any::<bool>(),
        any::<[bool; 2]>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(path, posts, groups, local, morning)| Visit {
            path,
            posts,
            groups,
            local,
            morning,
        })
}

/// The segments of a path, and whether one begins another.
fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

fn begins(prefix: &[&str], path: &[&str], exactly: bool) -> bool {
    prefix.len() <= path.len()
        && prefix.iter().zip(path).all(|(one, other)| {
            if exactly {
                one == other
            } else {
                one.eq_ignore_ascii_case(other)
            }
        })
}

fn naively(realms: &[usize], lines: &[Line], visit: &Visit) -> bool {
    let path = segments(PATHS[visit.path]);
    let realm_of = |line: &Line| segments(PATHS[realms[line.realm]]);
    let prefix_of = |line: &Line| [realm_of(line), segments(PATHS[line.rest])].concat();
    let covering_realms = realms.iter().map(|realm| segments(PATHS[*realm]));
    let deepest_realm = covering_realms
        .filter(|realm| begins(realm, &path, false))
        .map(|realm| realm.len())
        .max();
    let deepest_rule = lines
        .iter()
        .map(prefix_of)
        .filter(|prefix| begins(prefix, &path, false))
        .map(|prefix| prefix.len())
        .max();
    let deepest = deepest_realm.max(deepest_rule);
    let speaks = |line: &&Line| {
        (!line.posts_only || visit.posts)
            && line.group.is_none_or(|group| visit.groups[group])
            && line.not_group.is_none_or(|group| !visit.groups[group])
            && (!line.local || visit.local)
            && (!line.morning || visit.morning)
    };
    let denied = lines
        .iter()
        .filter(speaks)
        .any(|line| line.deny && begins(&prefix_of(line), &path, false));
    let allowed = lines.iter().filter(speaks).any(|line| {
        !line.deny
            && begins(&prefix_of(line), &path, true)
            && Some(prefix_of(line).len()) == deepest
            && Some(realm_of(line).len()) == deepest_realm
    });
    allowed && !denied
}

fn really(set: &PolicySet, visit: &Visit) -> bool {
    let groups = GROUPS.iter().zip(visit.groups);
    let groups = groups.filter(|(_, has)| *has);
    let identity = Identity {
        groups: groups.map(|(group, _)| String::from(*group)).collect(),
        ..alice()
    };
    let path = match PATHS[visit.path] {
        "" => "/",
        path => path,
    };
    let resource = request(if visit.posts { "POST" } else { "GET" }, path);
    let question = Question {
        identity: &identity,
        resource: &resource,
        from: if visit.local {
            IpAddr::from([192, 0, 2, 7])
        } else {
            IpAddr::from([198, 51, 100, 7])
        },
        at: Timestamp(MORNING.1 - u64::from(visit.morning)),
    };
    matches!(set.decide(&question), Decision::Allow { .. })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_decision_is_the_one_that_is_found_naively(
        (realms, lines) in world(),
        visit in visit(),
    ) {
        let set = read(&text(&realms, &lines));
        prop_assert_eq!(really(&set, &visit), naively(&realms, &lines, &visit));
    }

    #[test]
    fn a_further_denial_allows_nothing_more(
        (realms, mut lines) in world(),
        more in line(1),
        visit in visit(),
    ) {
        let before = really(&read(&text(&realms, &lines)), &visit);
        lines.push(Line { deny: true, ..more });
        let after = really(&read(&text(&realms, &lines)), &visit);
        prop_assert!(before || !after);
    }
}
