use super::*;

fn servers(clusters: &[usize], balance: Balance, failover_threshold: u8) -> Servers {
    let urls = |count: &usize| (0..*count).map(|number| number.to_string()).collect();
    Servers::new(&ServerList {
        clusters: clusters.iter().map(urls).collect(),
        balance,
        failover_threshold,
    })
}

fn ordered(count: usize) -> Servers {
    servers(&[count], Balance::Ordered, 0)
}

fn lose(servers: &Servers, server: usize) -> bool {
    servers.failed(server, Blame::Certain, Instant::now())
}

fn stumble(servers: &Servers, server: usize) -> bool {
    servers.failed(server, Blame::Suspected, Instant::now())
}

fn trial(last_resort: Option<LastResort<'_>>) -> Trial<'_> {
    match last_resort {
        Some(LastResort::Trial(trial)) => trial,
        Some(LastResort::Usable) => panic!("a server is usable"),
        None => panic!("nothing may be tried"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_usable_server_comes_first_and_is_first_again_at_once() {
    let servers = ordered(3);
    assert_eq!(servers.turns(), [0, 1, 2]);
    assert!(lose(&servers, 0));
    assert_eq!(servers.turns(), [1, 2]);
    lose(&servers, 1);
    assert_eq!(servers.turns(), [2]);
    servers.probed(0, false);
    assert_eq!(servers.turns(), [2]);
    servers.probed(0, true);
    assert_eq!(servers.turns(), [0, 2]);
}

#[tokio::test(start_paused = true)]
async fn round_robin_gives_each_usable_server_its_share() {
    let servers = servers(&[3], Balance::RoundRobin, 0);
    let firsts = |count| (0..count).map(|_| servers.turns()[0]).collect::<Vec<_>>();
    assert_eq!(firsts(6), [0, 1, 2, 0, 1, 2]);
    lose(&servers, 1);
    assert_eq!(firsts(4), [0, 2, 0, 2]);
    assert_eq!(servers.turns().len(), 2, "the others come after");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_below_the_threshold_gives_way_to_one_that_is_not() {
    let servers = servers(&[3, 2], Balance::Ordered, 50);
    lose(&servers, 0);
    assert_eq!(servers.turns(), [1, 2, 3, 4], "two of three are enough");
    lose(&servers, 1);
    assert_eq!(servers.turns(), [3, 4, 2], "one of three is not");
    lose(&servers, 4);
    assert_eq!(servers.turns(), [3, 2], "half is enough");
    lose(&servers, 3);
    assert_eq!(servers.turns(), [2], "a few are better than none");
    servers.probed(0, true);
    assert_eq!(servers.turns(), [0, 2], "back above the threshold");
}

#[tokio::test(start_paused = true)]
async fn without_a_threshold_a_cluster_serves_down_to_its_last_server() {
    let servers = servers(&[2, 1], Balance::Ordered, 0);
    lose(&servers, 0);
    assert_eq!(servers.turns(), [1, 2]);
    lose(&servers, 1);
    assert_eq!(servers.turns(), [2]);
}

#[tokio::test(start_paused = true)]
async fn only_failures_in_a_row_put_a_server_out() {
    let servers = ordered(2);
    for _ in 0..5 {
        assert!(!stumble(&servers, 0));
        assert!(!stumble(&servers, 0));
        servers.succeeded(0);
    }
    assert_eq!(servers.turns(), [0, 1]);
    stumble(&servers, 0);
    stumble(&servers, 0);
    assert!(stumble(&servers, 0), "somebody must probe it");
    assert_eq!(servers.turns(), [1]);
    assert!(!stumble(&servers, 0), "once is enough");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_back_is_on_probation_until_it_answers() {
    let servers = ordered(2);
    lose(&servers, 0);
    servers.probed(0, true);
    tokio::time::advance(Duration::from_millis(1)).await;
    stumble(&servers, 0);
    assert_eq!(servers.turns(), [1]);
    servers.probed(0, true);
    servers.succeeded(0);
    tokio::time::advance(Duration::from_millis(1)).await;
    stumble(&servers, 0);
    assert_eq!(servers.turns(), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn one_call_at_a_time_tries_a_server_on_probation() {
    let servers = ordered(3);
    let turns = || {
        let mut turns = VecDeque::from(servers.turns());
        let trial = servers.try_first(&mut turns);
        (turns, trial)
    };
    lose(&servers, 0);
    servers.probed(0, true);
    let (first, trial) = turns();
    assert_eq!(first, [0, 1, 2]);
    let (second, none) = turns();
    assert_eq!(second, [1, 2, 0], "better than none");
    assert!(trial.is_some() && none.is_none());
    // Nothing came of it.
    drop(trial);
    assert_eq!(turns().0, [0, 1, 2]);
    let (_, trial) = turns();
    servers.succeeded(0);
    assert_eq!(turns().0, [0, 1, 2], "proven");
    drop(trial);
    assert!(turns().1.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_a_server_came_back_does_not_count() {
    let servers = ordered(2);
    let sent = Instant::now();
    tokio::time::advance(Duration::from_secs(1)).await;
    lose(&servers, 0);
    servers.probed(0, true);
    assert!(!servers.failed(0, Blame::Certain, sent));
    assert_eq!(servers.turns(), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_probes_and_more_and_more_seldom() {
    let servers = ordered(1);
    assert!(lose(&servers, 0));
    let mut pauses = Vec::new();
    for _ in 0..5 {
        pauses.push(servers.next_probe(0).unwrap().as_millis());
        servers.probed(0, false);
    }
    assert_eq!(pauses, [250, 500, 1000, 2000, 2000]);
    servers.probed(0, true);
    // Out again before the one who probes has looked: it goes on, and nobody joins it.
    assert!(!lose(&servers, 0));
    assert_eq!(servers.next_probe(0), Some(SLOWEST_PROBE), "not well yet");
    servers.succeeded(0);
    assert_eq!(servers.next_probe(0), None);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(lose(&servers, 0));
    assert_eq!(servers.next_probe(0), Some(FIRST_PROBE));
}

#[tokio::test(start_paused = true)]
async fn with_all_out_one_call_at_a_time_tries_each_and_not_too_often() {
    let servers = ordered(2);
    lose(&servers, 0);
    lose(&servers, 1);
    let begun = Instant::now();
    let first = trial(servers.last_resort().await);
    let second = trial(servers.last_resort().await);
    assert_eq!((first.server, second.server), (0, 1));
    assert!(
        servers.last_resort().await.is_none(),
        "both are being tried"
    );
    assert_eq!(begun.elapsed(), LAST_RESORT);
    drop((first, second));
    let third = trial(servers.last_resort().await);
    assert_eq!(begun.elapsed(), LAST_RESORT, "long enough ago");
    let fourth = trial(servers.last_resort().await);
    drop((third, fourth));
    drop(trial(servers.last_resort().await));
    assert_eq!(begun.elapsed(), LAST_RESORT + TRIAL_PAUSE);
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_go_on_as_soon_as_a_server_is_back() {
    let servers = ordered(1);
    lose(&servers, 0);
    let trial = trial(servers.last_resort().await);
    let begun = Instant::now();
    let (waited, ()) = tokio::join!(servers.last_resort(), async {
        tokio::time::sleep(Duration::from_millis(7)).await;
        servers.succeeded(0);
        drop(trial);
    });
    assert!(matches!(waited, Some(LastResort::Usable)));
    assert_eq!(begun.elapsed(), Duration::from_millis(7));
}
