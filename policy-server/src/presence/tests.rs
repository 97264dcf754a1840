use super::*;
use policy_protocol::KeyId;

fn process(name: &str, instance: &str) -> Process {
    (name.into(), instance.into())
}

fn keys(version: u64) -> HeldKeys {
    HeldKeys {
        version,
        current: KeyId(1),
        next: KeyId(2),
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_counts_from_its_first_stream_until_a_while_after_its_last() {
    let presence = Arc::new(Presence::new("p", None).unwrap());
    let of = process("a", "1");
    presence.fetched(&of, keys(1));
    assert!(presence.here(Timestamp(1)).agents.is_empty());
    let first = presence.join(&of, None, Timestamp(1)).unwrap();
    let second = presence.join(&of, None, Timestamp(2)).unwrap();
    presence.fetched(&of, keys(1));
    drop(first);
    tokio::time::sleep(LINGER).await;
    let here = presence.here(Timestamp(3)).agents;
    assert_eq!((here.len(), here[0].keys), (1, Some(keys(1))));
    drop(second);
    assert_eq!(presence.here(Timestamp(3)).agents.len(), 1);
    tokio::time::sleep(LINGER).await;
    assert!(presence.here(Timestamp(3)).agents.is_empty());
}

#[test]
fn a_process_counts_where_it_came_last_with_its_latest_keys() {
    let at = |since, version: Option<u64>| AgentPresence {
        agent: String::from("a"),
        instance: String::from("1"),
        address: None,
        since: Timestamp(since),
        keys: version.map(keys),
    };
    let server = |agents| ServerPresence {
        id: String::new(),
        name: String::new(),
        written: Timestamp(1),
        agents,
    };
    let (old, new) = (at(1, Some(3)), at(2, None));
    for servers in [[old.clone(), new.clone()], [new, old]] {
        let servers = servers.map(|agent| server(vec![agent]));
        let all = processes(&servers);
        assert_eq!(all, [at(2, Some(3))]);
    }
}

#[test]
fn a_process_has_a_few_streams_and_the_oldest_ends_for_one_more() {
    let presence = Arc::new(Presence::new("p", None).unwrap());
    let of = process("a", "1");
    let join = || presence.join(&of, None, Timestamp(1)).unwrap();
    let mut streams: Vec<_> = (0..=MAX_STREAMS).map(|_| join()).collect();
    let ended = |replaced: &mut oneshot::Receiver<()>| {
        replaced.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    };
    let which: Vec<_> = streams.iter_mut().map(|(_, it)| ended(it)).collect();
    assert_eq!(which, [true, false, false, false, false]);
    // What ends is not counted twice, in whatever order the streams go.
    streams.rotate_left(2);
    streams.truncate(1);
    let agents = presence.agents();
    assert_eq!(agents[&of].streams.len(), 1);
    assert_eq!(agents[&of].left, None);
}

#[tokio::test(start_paused = true)]
async fn one_name_cannot_take_all_places() {
    let presence = Arc::new(Presence::new("p", None).unwrap());
    let join = |name: &str, number: usize| {
        presence.join(&process(name, &number.to_string()), None, Timestamp(1))
    };
    let mut stays: Vec<_> = (0..MAX_OF_NAME).map(|it| join("a", it).unwrap()).collect();
    let full = Some(Full::OfName(String::from("a")));
    assert_eq!(join("a", MAX_OF_NAME).err(), full);
    assert!(join("b", 1).is_ok(), "others have room");
    assert!(join("a", 1).is_ok(), "who has a place keeps it");
    // A place is free when its process is forgotten, not before.
    stays.pop();
    assert_eq!(join("a", MAX_OF_NAME).err(), full);
    tokio::time::sleep(LINGER).await;
    assert!(join("a", MAX_OF_NAME).is_ok());
}

#[test]
fn streams_are_bounded_in_total() {
    let presence = Arc::new(Presence::new("p", None).unwrap());
    let mut stays = Vec::new();
    for number in 0..MAX_AGENTS {
        // All streams that a process may have.
        let of = process(
            &(number / MAX_OF_NAME).to_string(),
            &(number / MAX_STREAMS).to_string(),
        );
        stays.push(presence.join(&of, None, Timestamp(1)).unwrap());
    }
    let new = presence.join(&process("new", "1"), None, Timestamp(1));
    assert_eq!(new.err(), Some(Full::OfAll));
    let known = presence.join(&process("0", "0"), None, Timestamp(1));
    assert!(known.is_ok(), "takes the place of its own oldest");
}
