//! From elements to rules.

use super::super::source::{Malformed, Place, Source};
use super::super::xml::Element;

/// What happens to a request.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) place: Place,
    pub(super) action: Action,
}

/// What happens to a request.
#[derive(Debug)]
pub(super) enum Action {
    /// The first case that matches decides, else the default.
    Condition(Condition),
    /// The first regular expression that matches decides, else the default.
    Patterns(Vec<Pattern>, Option<Box<Rule>>),
    /// It goes to an application at this address.
    Forward(String),
    /// The client is sent elsewhere.
    Redirect,
    /// The gateway answers itself.
    Local,
    /// An element of another name.
    Unknown(String),
}

/// A condition with several cases.
#[derive(Debug)]
pub(super) struct Condition {
    /// What is compared: `uri`, `host`, `header`, ...
    pub(super) what: String,
    /// How: `beginswith`, `equals`, ...
    pub(super) how: String,
    pub(super) cases: Vec<Case>,
    pub(super) default: Option<Box<Rule>>,
}

/// One case.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) value: String,
    pub(super) place: Place,
    /// Nothing, where the case has nothing in it.
    pub(super) rule: Option<Rule>,
}

/// A regular expression.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) place: Place,
    pub(super) text: String,
    /// Whether a match goes to an application, rather than to be sent elsewhere.
    pub(super) forwards: bool,
}

impl Rule {
    /// How many rules and cases there are.
    pub(super) fn count(&self) -> usize {
        let of = |rule: &Option<Box<Self>>| rule.as_ref().map_or(0, |rule| rule.count());
        match &self.action {
            Action::Condition(condition) => {
                let cases = condition.cases.iter();
                let cases: usize = cases
                    .map(|case| 1 + case.rule.as_ref().map_or(0, Self::count))
                    .sum();
                cases + of(&condition.default)
            }
            Action::Patterns(patterns, default) => patterns.len() + of(default),
            _ => 1,
        }
    }

    /// Whether every request that comes here goes on to some application.
    pub(super) fn only_forwards(&self) -> bool {
        let default =
            |rule: &Option<Box<Self>>| rule.as_ref().is_some_and(|rule| rule.only_forwards());
        match &self.action {
            Action::Forward(_) => true,
            Action::Condition(condition) => {
                condition.cases.iter().all(Case::only_forwards) && default(&condition.default)
            }
            Action::Patterns(patterns, rest) => {
                patterns.iter().all(|pattern| pattern.forwards) && default(rest)
            }
            Action::Redirect | Action::Local | Action::Unknown(_) => false,
        }
    }
}

impl Case {
    /// Whether every request of this case goes on to some application.
    pub(super) fn only_forwards(&self) -> bool {
        self.rule.as_ref().is_some_and(Rule::only_forwards)
    }
}

/// All rules.
pub(super) struct Rules {
    /// Where every request begins.
    pub(super) first: Rule,
    /// Attributes that nothing is known of.
    pub(super) unused: Vec<(Place, String)>,
}

/// The rules of a file.
///
/// # Errors
/// Every place that is not as such a file is written.
pub(super) fn rules(root: &Element, source: &Source) -> Result<Rules, Vec<Malformed>> {
    let mut reader = Reader {
        source,
        malformed: Vec::new(),
        unused: Vec::new(),
    };
    reader.uses(root, &[]);
    if root.name != "proxyrules" {
        reader.complain(root, "the root element is not `proxyrules`");
    }
    let rule = reader.only_rule(root);
    match rule {
        Some(rule) if reader.malformed.is_empty() => Ok(Rules {
            first: rule,
            unused: reader.unused,
        }),
        _ => {
            if reader.malformed.is_empty() {
                reader.complain(root, "has no rule");
            }
            Err(reader.malformed)
        }
    }
}

struct Reader<'s> {
    source: &'s Source,
    malformed: Vec<Malformed>,
    unused: Vec<(Place, String)>,
}

impl Reader<'_> {
    /// Notes the attributes that are not `known`.
    fn uses(&mut self, element: &Element, known: &[&str]) {
        for (name, _) in &element.attributes {
            if !known.contains(&name.as_str()) && !name.starts_with("xmlns") {
                let what = format!("attribute {name} of {}", element.name);
                self.unused.push((self.source.at(element.line), what));
            }
        }
    }

    fn complain(&mut self, element: &Element, what: &str) {
        let malformed = self.source.malformed(element.line, what);
        self.malformed.push(malformed);
    }

    /// The one rule in an element.
    fn only_rule(&mut self, parent: &Element) -> Option<Rule> {
        self.no_text(parent);
        if parent.children.len() > 1 {
            self.complain(&parent.children[1], "a second rule where one is expected");
        }
        parent.children.first().map(|child| self.rule(child))
    }

    fn no_text(&mut self, element: &Element) {
        if !element.text.is_empty() {
            self.complain(element, "has text where rules are expected");
        }
    }

    fn rule(&mut self, element: &Element) -> Rule {
        let action = match element.name.as_str() {
            "cond" => Action::Condition(self.condition(element)),
            "xprcond" => self.patterns(element),
            "forward" => {
                self.uses(element, &[]);
                Action::Forward(self.address(element))
            }
            "redirect" => {
                self.uses(element, &[]);
                Action::Redirect
            }
            "local" => {
                self.uses(element, &[]);
                Action::Local
            }
            name => Action::Unknown(name.to_owned()),
        };
        Rule {
            place: self.source.at(element.line),
            action,
        }
    }

    fn address(&mut self, element: &Element) -> String {
        if element.text.is_empty() || !element.children.is_empty() {
            self.complain(element, "has no address, or more than one");
        }
        element.text.clone()
    }

    fn condition(&mut self, element: &Element) -> Condition {
        self.no_text(element);
        self.uses(element, &["type", "criteria", "headername"]);
        let lower = |name| element.attribute(name).map(str::to_ascii_lowercase);
        let Some(what) = lower("type") else {
            self.complain(element, "a condition has a `type`");
            return Condition {
                what: String::new(),
                how: String::new(),
                cases: Vec::new(),
                default: None,
            };
        };
        let mut condition = Condition {
            what,
            how: lower("criteria").unwrap_or_else(|| "equals".to_owned()),
            cases: Vec::new(),
            default: None,
        };
        for child in &element.children {
            match child.name.as_str() {
                "case" => condition.cases.extend(self.case(child)),
                "default" if condition.default.is_none() => {
                    self.uses(child, &[]);
                    condition.default = self.only_rule(child).map(Box::new);
                }
                "default" => self.complain(child, "a second default"),
                _ => self.complain(child, "a condition has cases and a default only"),
            }
        }
        condition
    }

    fn case(&mut self, element: &Element) -> Option<Case> {
        let Some(value) = element.attribute("value") else {
            self.complain(element, "a case has a `value`");
            return None;
        };
        self.uses(element, &["value"]);
        Some(Case {
            value: value.to_owned(),
            place: self.source.at(element.line),
            rule: self.only_rule(element),
        })
    }

    fn patterns(&mut self, element: &Element) -> Action {
        self.no_text(element);
        let mut patterns = Vec::new();
        let mut default = None;
        for child in &element.children {
            match child.name.as_str() {
                "xpr" => patterns.push(self.pattern(child)),
                "xpr-default" if default.is_none() => {
                    default = self.only_rule(child).map(Box::new);
                }
                _ => self.complain(
                    child,
                    "regular expressions are `xpr`, and then one `xpr-default`",
                ),
            }
        }
        Action::Patterns(patterns, default)
    }

    fn pattern(&mut self, element: &Element) -> Pattern {
        let child = |name: &str| element.children.iter().find(|child| child.name == name);
        let service = child("result").and_then(|result| result.attribute("service"));
        if child("rule").is_none() || child("result").is_none() {
            self.complain(element, "a regular expression has a `rule` and a `result`");
        }
        Pattern {
            place: self.source.at(element.line),
            text: child("rule")
                .map(|rule| rule.text.clone())
                .unwrap_or_default(),
            forwards: service.is_some_and(|service| service.eq_ignore_ascii_case("forward")),
        }
    }
}
