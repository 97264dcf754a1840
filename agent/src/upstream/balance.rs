//! Which server of an upstream gets the next request.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};

use crate::config::Balance;
use crate::http::body::InProgress;

/// How long a server that could not be connected to is left alone.
const DOWN_FOR: Duration = Duration::from_secs(5);

/// What [`Server::down_until`] counts from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The servers of one upstream.
#[derive(Debug)]
pub(super) struct Servers {
    list: Vec<Server>,
    balance: Balance,
    next: AtomicUsize,
}

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    scheme: Scheme,
    authority: Authority,
    /// Its own name, ready to be sent.
    pub(super) host: HeaderValue,
    in_progress: Arc<AtomicUsize>,
    /// Milliseconds after [`START`]; 0 if it never was down.
    down_until: AtomicU64,
    failing: AtomicBool,
}

impl Servers {
    /// Nothing if there is no server, or one without a scheme or an authority.
    pub(super) fn new(servers: &[Uri], balance: Balance) -> Option<Self> {
        let list: Vec<_> = servers.iter().map(Server::new).collect::<Option<_>>()?;
        let next = AtomicUsize::new(0);
        (!list.is_empty()).then_some(Self {
            list,
            balance,
            next,
        })
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Server] {
        &self.list
    }

    /// The next server, one other than `tried` if there is any. A server that is down is taken only when
    /// all are: the last hope is better than none.
    pub(super) fn pick(&self, tried: Option<usize>) -> Option<(usize, &Server)> {
        let count = self.list.len();
        if count <= 1 {
            return self.list.first().map(|server| (0, server));
        }
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = || {
            let indices = (0..count).map(move |offset| first.wrapping_add(offset) % count);
            indices
                .map(|index| (index, &self.list[index]))
                .filter(|(index, _)| Some(*index) != tried)
        };
        let mut up = in_turn().filter(|(_, server)| server.is_up());
        match self.balance {
            Balance::RoundRobin => up.next(),
            Balance::LeastConnections => {
                up.min_by_key(|(_, server)| server.in_progress.load(Ordering::Relaxed))
            }
        }
        .or_else(|| in_turn().next())
    }
}

impl Server {
    fn new(uri: &Uri) -> Option<Self> {
        let authority = uri.authority()?.clone();
        Some(Self {
            scheme: uri.scheme()?.clone(),
            host: HeaderValue::from_str(authority.as_str()).ok()?,
            authority,
            in_progress: Arc::default(),
            down_until: AtomicU64::new(0),
            failing: AtomicBool::new(false),
        })
    }

    /// The address of a resource on this server.
    pub(super) fn uri(&self, path_and_query: PathAndQuery) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path_and_query)
            .build()
    }

    /// Its name for logs.
    pub(super) fn name(&self) -> &str {
        self.authority.as_str()
    }

    /// Counts a request until the returned value is dropped.
    pub(super) fn begin(&self) -> InProgress {
        InProgress::begin(&self.in_progress)
    }

    /// It could not be connected to.
    pub(super) fn mark_down(&self) {
        self.down_until
            .store(now() + DOWN_FOR.as_millis() as u64, Ordering::Relaxed);
    }

    /// What a health check found; returns what was known before.
    pub(super) fn set_failing(&self, failing: bool) -> bool {
        self.failing.swap(failing, Ordering::Relaxed)
    }

    fn is_up(&self) -> bool {
        let until = self.down_until.load(Ordering::Relaxed);
        !self.failing.load(Ordering::Relaxed) && (until == 0 || now() >= until)
    }
}

fn now() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(count: usize, balance: Balance) -> Servers {
        let uris: Vec<Uri> = (0..count)
            .map(|index| format!("http://s{index}.test:80").parse().unwrap())
            .collect();
        Servers::new(&uris, balance).unwrap()
    }

    fn picks(servers: &Servers, count: usize) -> Vec<usize> {
        (0..count).map(|_| servers.pick(None).unwrap().0).collect()
    }

    #[test]
    fn servers_take_turns() {
        assert_eq!(
            picks(&servers(3, Balance::RoundRobin), 6),
            [0, 1, 2, 0, 1, 2]
        );
    }

    #[test]
    fn the_server_with_the_fewest_requests_is_preferred() {
        let servers = servers(3, Balance::LeastConnections);
        let busy = [servers.all()[0].begin(), servers.all()[2].begin()];
        assert_eq!(picks(&servers, 4), [1; 4]);
        drop(busy);
        let mut spread = picks(&servers, 3);
        spread.sort_unstable();
        assert_eq!(spread, [0, 1, 2], "equal ones take turns");
    }

    #[test]
    fn servers_that_are_down_are_passed_over() {
        for balance in [Balance::RoundRobin, Balance::LeastConnections] {
            let servers = servers(3, balance);
            servers.all()[0].mark_down();
            servers.all()[1].set_failing(true);
            assert_eq!(picks(&servers, 3), [2; 3]);
            servers.all()[1].set_failing(false);
            assert!(picks(&servers, 3).contains(&1));
        }
    }

    #[test]
    fn when_all_are_down_one_is_tried_all_the_same() {
        let two = servers(2, Balance::LeastConnections);
        two.all().iter().for_each(Server::mark_down);
        assert_eq!(picks(&two, 2), [0, 1]);
        let one = servers(1, Balance::RoundRobin);
        one.all()[0].mark_down();
        assert_eq!(picks(&one, 1), [0]);
    }

    #[test]
    fn a_second_attempt_goes_elsewhere_if_it_can() {
        let two = servers(2, Balance::RoundRobin);
        assert!((0..4).all(|_| two.pick(Some(0)).unwrap().0 == 1));
        assert_eq!(servers(1, Balance::RoundRobin).pick(Some(0)).unwrap().0, 0);
    }

    #[test]
    fn what_is_no_server_is_refused() {
        assert!(Servers::new(&[], Balance::RoundRobin).is_none());
        assert!(Servers::new(&[Uri::from_static("/path")], Balance::RoundRobin).is_none());
    }

    #[test]
    fn the_address_is_the_servers_and_the_path_is_kept_as_it_is() {
        let servers = servers(1, Balance::RoundRobin);
        let uri = servers.all()[0]
            .uri(PathAndQuery::from_static("/a%2Eb?c=/../d"))
            .unwrap();
        assert_eq!(uri, "http://s0.test:80/a%2Eb?c=/../d");
    }
}
