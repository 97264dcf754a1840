//! The examples in the book: every `curl` of `policy-api.md` is made, and answered as it says there.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use hyper_util::rt::TokioIo;
use serde_json::Value;

use crate::harness::{ADMIN_SECRET, AGENT, AGENT_SECRET, World};
use crate::network::connect;

const BOOK: &str = "../docs/src/reference/policy-api.md";
/// A generous end to all waiting: only a test that has failed reaches it.
const DEADLINE: Duration = Duration::from_secs(30);

type Variables = HashMap<String, String>;

/// A command and what stands after it.
struct Example {
    line: usize,
    command: String,
    status: u16,
    answer: String,
}

#[tokio::test]
async fn the_book_says_what_a_policy_server_answers() {
    let book = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(BOOK)).unwrap();
    let examples = examples(&book);
    let missing = without_example(&examples);
    assert!(missing.is_empty(), "no example of {missing:?}");
    let world = World::remote().await;
    let world = world
        .with_sessions("properties = [\"theme\", \"cart\"]")
        .await;
    let mut variables = Variables::from([
        (String::from("SERVER"), String::new()),
        (String::from("AGENT"), format!("{AGENT}:{AGENT_SECRET}")),
        (String::from("ADMIN"), ADMIN_SECRET.to_owned()),
    ]);
    let mut wrong = Vec::new();
    for example in examples {
        let lines = example.answer.matches("\"position\"").count();
        let (status, body) = make(&world, &example.command, &variables, lines).await;
        let expected: Vec<_> = parse(&example.answer);
        let given: Vec<_> = parse(&body);
        let same = status == example.status
            && expected.len() == given.len()
            && expected
                .iter()
                .zip(&given)
                .all(|(expected, given)| is_like(expected, given, &mut variables));
        if !same {
            wrong.push(format!("policy-api.md:{}: {status}\n{body}", example.line));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The operations of agents and administrators that no example makes.
fn without_example(examples: &[Example]) -> Vec<String> {
    let document = policy_server::openapi();
    let mut missing = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let is_for_anybody = operation["security"] == serde_json::json!([]);
            let made = |example: &Example| example.makes(method, path);
            if !is_for_anybody && !examples.iter().any(made) {
                missing.push(format!("{method} {path}"));
            }
        }
    }
    missing
}

impl Example {
    /// Whether it is one of this operation, whose path has `{names}` for what differs.
    fn makes(&self, method: &str, path: &str) -> bool {
        let explicit = self.command.split(" -X ").nth(1);
        let own = match explicit {
            Some(rest) => rest.split(' ').next().unwrap(),
            None if self.command.contains(" --json ") => "POST",
            None => "GET",
        };
        let target = self.command.split("\"$SERVER").nth(1).unwrap();
        let target = target.split(['"', '?']).next().unwrap();
        let segments = |path: &str| -> Vec<String> { path.split('/').map(String::from).collect() };
        let (wanted, given) = (segments(path), segments(target));
        own.eq_ignore_ascii_case(method)
            && wanted.len() == given.len()
            && wanted
                .iter()
                .zip(&given)
                .all(|(wanted, given)| wanted.starts_with('{') || wanted == given)
    }
}

fn parse(text: &str) -> Vec<Value> {
    let values = serde_json::Deserializer::from_str(text).into_iter();
    values
        .map(|value| value.unwrap_or_else(|error| error.to_string().into()))
        .collect()
}

/// Whether an answer is as in the book. Numbers differ, `…` is any text, `["…"]` any list, and a variable is what it was
/// before, if it was anything.
fn is_like(expected: &Value, given: &Value, variables: &mut Variables) -> bool {
    match (expected, given) {
        (Value::Object(expected), Value::Object(given)) => {
            expected.keys().eq(given.keys())
                && expected
                    .iter()
                    .all(|(name, value)| is_like(value, &given[name], variables))
        }
        (Value::Array(expected), Value::Array(_)) if *expected == ["…"] => true,
        (Value::Array(expected), Value::Array(given)) => {
            expected.len() == given.len()
                && expected
                    .iter()
                    .zip(given)
                    .all(|(expected, given)| is_like(expected, given, variables))
        }
        (Value::String(expected), Value::String(given)) => match expected.strip_prefix('$') {
            Some(name) => {
                variables
                    .entry(name.to_owned())
                    .or_insert_with(|| given.clone())
                    == given
            }
            None => expected == "…" || expected == given,
        },
        (Value::Number(_), Value::Number(_)) => true,
        _ => expected == given,
    }
}

/// Every `curl` in a block of `sh`, with the block of `json,STATUS` that follows.
fn examples(book: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut command: Option<(usize, String)> = None;
    let mut lines = book.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) else {
            continue;
        };
        let block: Vec<_> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| *line != "```")
            .collect();
        let block = block.join("\n");
        if kind == "sh" && block.starts_with("curl ") {
            assert!(command.is_none(), "line {number} has no answer");
            command = Some((number + 1, block));
        } else if let Some(status) = kind.strip_prefix("json,") {
            let (line, command) = command.take().unwrap();
            let (status, answer) = (status.parse().unwrap(), block);
            examples.push(Example {
                line,
                command,
                status,
                answer,
            });
        }
    }
    assert!(command.is_none());
    examples
}

/// Does what `curl` would, and returns the status and the body, or the first lines of one without end.
async fn make(world: &World, command: &str, variables: &Variables, lines: usize) -> (u16, String) {
    let mut words = words(command, variables).into_iter().skip(1);
    let (mut method, mut authorization, mut body, mut target) = ("GET", None, None, None);
    let mut explicit = None;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--cacert" => drop(words.next()),
            "--no-buffer" => {}
            "--user" => {
                authorization = words
                    .next()
                    .map(|pair| format!("Basic {}", STANDARD.encode(pair)))
            }
            "--oauth2-bearer" => {
                authorization = words.next().map(|token| format!("Bearer {token}"))
            }
            "-X" => explicit = words.next(),
            "--json" => (method, body) = ("POST", words.next()),
            path => target = Some(path.to_owned()),
        }
    }
    let request = http::Request::builder()
        .method(explicit.as_deref().unwrap_or(method))
        .uri(target.unwrap())
        .header("host", "localhost")
        .header("authorization", authorization.unwrap())
        .body(Body::from(body.unwrap_or_default()))
        .unwrap();
    let stream = connect(world, &[]).await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let mut chunks = Body::new(response.into_body()).into_data_stream();
    let mut answer = Vec::new();
    let reading = async {
        while let Some(chunk) = chunks.next().await {
            answer.extend_from_slice(&chunk.unwrap());
            if lines > 0 && answer.iter().filter(|byte| **byte == b'\n').count() >= lines {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, reading).await.unwrap();
    (status, String::from_utf8(answer).unwrap())
}

/// The words of a command: what the shell does with quotes, variables and white space.
fn words(command: &str, variables: &Variables) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut quote = None;
    let mut rest = command.chars().peekable();
    while let Some(next) = rest.next() {
        match (quote, next) {
            (None, '\'' | '"') => {
                quote = Some(next);
                word.get_or_insert_default();
            }
            (Some(open), next) if open == next => quote = None,
            (Some('"') | None, '$') => {
                let mut name = String::new();
                while let Some(letter) = rest.next_if(char::is_ascii_uppercase) {
                    name.push(letter);
                }
                let value = variables
                    .get(&name)
                    .unwrap_or_else(|| panic!("${name} is not known"));
                word.get_or_insert_default().push_str(value);
            }
            (None, next) if next.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(next),
        }
    }
    assert_eq!(quote, None, "{command}");
    words.extend(word);
    words
}
