use std::cell::RefCell;

use super::*;
use crate::settings::ServerList;

const TIMEOUT: Duration = Duration::from_secs(6);

/// What each server does with a call: `None` is to say nothing.
type Script<'s> = &'s [Option<Result<(), Failure>>];

const FAILS: Option<Result<(), Failure>> = Some(Err(Failure::Failed));
const GONE: Option<Result<(), Failure>> = Some(Err(Failure::NotConnected));
const BREAKS: Option<Result<(), Failure>> = Some(Err(Failure::Broken));
const WELL: Option<Result<(), Failure>> = Some(Ok(()));
const SILENT: Option<Result<(), Failure>> = None;
const SHEDS: Option<Result<(), Failure>> = Some(Err(Failure::Unavailable {
    not_processed: true,
}));
const UNAVAILABLE: Option<Result<(), Failure>> = Some(Err(Failure::Unavailable {
    not_processed: false,
}));
const REFUSES: Option<Result<(), Failure>> = Some(Err(Failure::Refused(PolicyError::Failure)));

struct World {
    caller: Caller,
    asked: RefCell<Vec<usize>>,
    lost: RefCell<Vec<usize>>,
}

impl World {
    fn new(count: usize) -> Self {
        let urls = (0..count).map(|number| number.to_string()).collect();
        Self {
            caller: Caller::new(Servers::new(&ServerList::in_order(urls)), TIMEOUT),
            asked: RefCell::default(),
            lost: RefCell::default(),
        }
    }

    async fn call(&self, call: Call, script: Script<'_>) -> Result<(), PolicyError> {
        let attempt = |server: usize| {
            self.asked.borrow_mut().push(server);
            async move {
                match script[server] {
                    Some(outcome) => outcome,
                    None => std::future::pending().await,
                }
            }
        };
        let lost = |server| self.lost.borrow_mut().push(server);
        self.caller.make(call, attempt, lost).await
    }

    async fn ask(&self, script: Script<'_>) -> Result<(), PolicyError> {
        self.call(Call::new(Repeat::Freely), script).await
    }

    async fn login(&self, script: Script<'_>) -> Result<(), PolicyError> {
        self.call(Call::new(Repeat::IfNotProcessed), script).await
    }

    fn asked(&self) -> Vec<usize> {
        std::mem::take(&mut self.asked.borrow_mut())
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_is_until_a_server_answers() {
    for failure in [FAILS, GONE, BREAKS, SHEDS, UNAVAILABLE, SILENT] {
        let world = World::new(3);
        assert_eq!(world.ask(&[failure, failure, WELL]).await, Ok(()));
        assert_eq!(world.asked(), [0, 1, 2], "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_an_answer_and_not_asked_for_twice() {
    let world = World::new(2);
    for _ in 0..5 {
        assert_eq!(world.ask(&[REFUSES, WELL]).await, Err(PolicyError::Failure));
        assert_eq!(world.asked(), [0]);
    }
    assert!(world.lost.borrow().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_login_is_sent_again_only_if_it_was_certainly_not_processed() {
    for (failure, again) in [
        (FAILS, false),
        (BREAKS, false),
        (SILENT, false),
        (UNAVAILABLE, false),
        (REFUSES, false),
        (GONE, true),
        (SHEDS, true),
    ] {
        let world = World::new(2);
        assert_eq!(world.login(&[failure, WELL]).await.is_ok(), again);
        let expected: &[usize] = if again { &[0, 1] } else { &[0] };
        assert_eq!(world.asked(), expected, "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_logins_do_not_put_servers_out() {
    let world = World::new(2);
    for _ in 0..10 {
        let answer = world.login(&[SHEDS, SHEDS]).await;
        assert_eq!(answer, Err(PolicyError::Unavailable));
    }
    assert!(world.lost.borrow().is_empty());
    for _ in 0..3 {
        world.ask(&[UNAVAILABLE, WELL]).await.unwrap();
    }
    assert_eq!(*world.lost.borrow(), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_costs_its_turn_until_it_is_out() {
    let world = World::new(3);
    for _ in 0..3 {
        let begun = Instant::now();
        world.ask(&[SILENT, WELL, WELL]).await.unwrap();
        assert_eq!(begun.elapsed(), TIMEOUT / 3);
    }
    let begun = Instant::now();
    world.ask(&[SILENT, WELL, WELL]).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_that_it_is_ready_and_answers_nothing_costs_one_call() {
    let world = World::new(2);
    let script: Script<'_> = &[SILENT, WELL];
    for _ in 0..3 {
        assert_eq!(world.ask(script).await, Ok(()));
    }
    world.caller.servers.probed(0, true);
    world.asked();
    let waits = async {
        let begun = Instant::now();
        assert_eq!(world.ask(script).await, Ok(()));
        begun.elapsed()
    };
    let does_not = async {
        let begun = Instant::now();
        for _ in 0..200 {
            assert_eq!(world.ask(script).await, Ok(()));
        }
        begun.elapsed()
    };
    let (waited, did_not) = tokio::join!(waits, does_not);
    assert!(waited >= TIMEOUT / 2 && did_not.is_zero());
    assert_eq!(world.asked().iter().filter(|asked| **asked == 0).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_server_gets_its_turn_within_the_deadline() {
    let world = World::new(3);
    let begun = Instant::now();
    let answer = world.ask(&[SILENT, SILENT, SILENT]).await;
    assert_eq!(answer, Err(PolicyError::TimedOut));
    assert_eq!(world.asked(), [0, 1, 2]);
    assert_eq!(begun.elapsed(), TIMEOUT);
    let login = Instant::now();
    assert_eq!(
        world.login(&[SILENT, WELL, WELL]).await,
        Err(PolicyError::TimedOut)
    );
    assert_eq!(login.elapsed(), TIMEOUT, "nobody else may be asked");
}

#[tokio::test(start_paused = true)]
async fn an_only_server_is_asked_once_more_if_the_connection_broke() {
    let world = World::new(1);
    assert_eq!(world.ask(&[BREAKS]).await, Err(PolicyError::NoConnection));
    assert_eq!(world.asked(), [0, 0]);
    assert_eq!(world.login(&[BREAKS]).await, Err(PolicyError::NoConnection));
    assert_eq!(world.asked(), [0]);
    assert_eq!(world.ask(&[FAILS]).await, Err(PolicyError::Failure));
}

#[tokio::test(start_paused = true)]
async fn a_preferred_server_comes_first_while_it_is_usable() {
    let world = World::new(3);
    let call = Call {
        preferred: Some(2),
        ..Call::new(Repeat::Freely)
    };
    world.call(call, &[WELL, WELL, GONE]).await.unwrap();
    assert_eq!(world.asked().len(), 2);
    world.call(call, &[WELL, WELL, GONE]).await.unwrap();
    assert_eq!(world.asked(), [0]);
}

#[tokio::test(start_paused = true)]
async fn with_every_server_out_few_calls_get_through_and_one_answer_opens_the_way() {
    let world = World::new(2);
    world.ask(&[GONE, GONE]).await.unwrap_err();
    assert_eq!(world.asked(), [0, 1]);
    assert_eq!(*world.lost.borrow(), [0, 1], "both have to be probed");
    let begun = Instant::now();
    for _ in 0..1000 {
        let calls = (0..10).map(|_| world.ask(&[GONE, GONE]));
        futures_util::future::join_all(calls).await;
    }
    let most = 2 * (begun.elapsed().as_millis() / 100 + 1);
    assert!((world.asked().len() as u128) <= most);
    let calls = (0..10).map(|_| world.ask(&[WELL, WELL]));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok));
}

/// With servers that never go out, because each failure is followed by an answer.
#[tokio::test(start_paused = true)]
async fn retries_stay_within_their_budget() {
    let world = World::new(2);
    let calls = 2000;
    for _ in 0..calls {
        _ = world.ask(&[FAILS, WELL]).await;
        world.caller.servers.succeeded(0);
    }
    let asked = world.asked().len();
    assert!(asked <= calls + 100 + calls / 5, "{asked}");
    assert!(asked >= calls + 100, "{asked}");
}
