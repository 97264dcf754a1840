//! Explores a model: all interleavings up to its bounds, or long random schedules.
//!
//! A model is a start state, the actions that are possible in a state, and what each of them does. An
//! invariant is broken by an action, which then gives a [`Violation`] in the place of a state. Nothing here
//! depends on time, threads or randomness from outside: a run can be repeated from its seed.

use std::collections::{HashSet, VecDeque};
use std::fmt::{self, Debug, Display};
use std::hash::{BuildHasher as _, Hash};

use foldhash::quality::FixedState;

/// What can be explored.
pub trait Model {
    /// Everything that matters for what may happen next.
    type State: Clone + Hash;
    /// What may happen.
    type Action: Copy + Debug;

    /// Where every schedule starts.
    fn start(&self) -> Self::State;

    /// What may happen in a state.
    fn actions(&self, state: &Self::State, into: &mut Vec<Self::Action>);

    /// What is the case after an action that may happen.
    ///
    /// # Errors
    /// The invariant that the action breaks.
    fn step(&self, state: &mut Self::State, action: Self::Action) -> Result<(), Violation>;
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name, such as `I1`.
    pub invariant: &'static str,
    /// What was seen.
    pub seen: String,
}

/// A schedule that breaks an invariant.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What it breaks.
    pub violation: Violation,
    /// What happened, in order.
    pub schedule: Vec<String>,
    /// The seed that leads to it, if it was found at random.
    pub seed: Option<u64>,
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { invariant, seen } = &self.violation;
        writeln!(f, "{invariant}: {seen}")?;
        if let Some(seed) = self.seed {
            writeln!(f, "seed {seed}")?;
        }
        for (number, action) in self.schedule.iter().enumerate() {
            writeln!(f, "{:4}. {action}", number + 1)?;
        }
        Ok(())
    }
}

/// What was explored without finding anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Different states, or for random schedules states passed through.
    pub states: usize,
    /// Actions tried.
    pub steps: usize,
    /// The longest schedule.
    pub depth: usize,
}

/// Visits every state that can be reached, the nearest first: a schedule that fails is a shortest one.
///
/// A state counts as visited if its hash was seen; among a million states two share one with a probability of
/// about 1 in 37 million.
///
/// # Errors
/// A shortest schedule that breaks an invariant.
///
/// # Panics
/// If there are more than `max_states`: what was not visited must not count as checked.
pub fn exhaust<M: Model>(model: &M, max_states: usize) -> Result<Explored, Box<Failure>> {
    let hasher = FixedState::with_seed(0);
    let start = model.start();
    let mut seen = HashSet::with_hasher(FixedState::with_seed(1));
    seen.insert(hasher.hash_one(&start));
    // How each state was reached first: from which, and by what.
    let mut reached: Vec<Option<(usize, M::Action)>> = vec![None];
    let mut frontier = VecDeque::from([(0, 0, start)]);
    let mut explored = Explored::default();
    let mut actions = Vec::new();
    while let Some((index, depth, state)) = frontier.pop_front() {
        explored.depth = depth;
        actions.clear();
        model.actions(&state, &mut actions);
        for &action in &actions {
            explored.steps += 1;
            let mut next = state.clone();
            if let Err(violation) = model.step(&mut next, action) {
                return Err(Box::new(Failure {
                    violation,
                    schedule: trace(&reached, index, action),
                    seed: None,
                }));
            }
            if seen.insert(hasher.hash_one(&next)) {
                assert!(reached.len() < max_states, "more than {max_states} states");
                frontier.push_back((reached.len(), depth + 1, next));
                reached.push(Some((index, action)));
            }
        }
    }
    explored.states = reached.len();
    Ok(explored)
}

fn trace<A: Copy + Debug>(reached: &[Option<(usize, A)>], index: usize, last: A) -> Vec<String> {
    let mut schedule = vec![format!("{last:?}")];
    let mut at = index;
    while let Some((before, action)) = reached[at] {
        schedule.push(format!("{action:?}"));
        at = before;
    }
    schedule.reverse();
    schedule
}

/// Follows `walks` random schedules of at most `steps` actions each. The seed of each is `first_seed` plus its
/// number, so that one schedule can be repeated alone.
///
/// # Errors
/// The first schedule that breaks an invariant.
pub fn walk<M: Model>(
    model: &M,
    first_seed: u64,
    walks: u64,
    steps: usize,
) -> Result<Explored, Box<Failure>> {
    let mut explored = Explored::default();
    for seed in first_seed..first_seed + walks {
        let mut random = Random::from_seed(seed);
        let mut state = model.start();
        let mut schedule = Vec::new();
        let mut actions = Vec::new();
        for depth in 1..=steps {
            actions.clear();
            model.actions(&state, &mut actions);
            let Some(&action) = random.choose(&actions) else {
                break;
            };
            schedule.push(action);
            explored.steps += 1;
            explored.depth = explored.depth.max(depth);
            if let Err(violation) = model.step(&mut state, action) {
                return Err(Box::new(Failure {
                    violation,
                    schedule: schedule
                        .iter()
                        .map(|action| format!("{action:?}"))
                        .collect(),
                    seed: Some(seed),
                }));
            }
        }
    }
    explored.states = explored.steps;
    Ok(explored)
}

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same numbers for the same seed, for ever.
    pub const fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of several.
    pub fn choose<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(from.len()).ok()?;
        let index = self.next().checked_rem(count)?;
        from.get(usize::try_from(index).ok()?)
    }
}
