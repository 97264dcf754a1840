//! The allocation budget of a session cache hit.
//!
//! Counted is all that the gateway itself allocates between a parsed head and the request that is handed to
//! the upstream's connection. A budget that is exceeded fails; one that is no longer needed should be
//! lowered.

use allocation_counter::{AllocationInfo, measure};
use benchmarks::Stage;

/// Allocations of a request to a protected realm whose session is in the cache.
const PROTECTED: u64 = 11;
/// Allocations of a request to an open realm.
const OPEN: u64 = 7;
/// Bytes of them together, for a request of a browser (about 2 KiB of head).
const BYTES: u64 = 6 * 1024;

fn hit(stage: &Stage, path: &str) -> AllocationInfo {
    // The first time headers are rendered and thread-local state is made.
    for _ in 0..3 {
        stage.hit(&mut stage.request(path));
    }
    let mut parts = stage.request(path);
    let mut passed = None;
    let counted = measure(|| passed = Some(stage.hit(&mut parts)));
    assert_eq!(
        passed.is_some_and(|(grant, _)| grant.identity().is_some()),
        path != "/open"
    );
    counted
}

#[test]
fn a_session_cache_hit_stays_within_its_allocation_budget() {
    let stage = Stage::set();
    let (open, protected) = (hit(&stage, "/open"), hit(&stage, "/reports/2026?page=3"));
    println!("open: {open:?}\nprotected: {protected:?}");
    assert!(open.count_total <= OPEN, "{open:?}");
    assert!(protected.count_total <= PROTECTED, "{protected:?}");
    assert!(protected.bytes_total <= BYTES, "{protected:?}");
}

#[test]
fn an_allocation_is_counted() {
    assert_eq!(
        measure(|| drop(std::hint::black_box(vec![1_u8]))).count_total,
        1
    );
}
