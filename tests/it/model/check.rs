//! Runs the checker and reports its findings.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Instant;

use stateright::{Checker, Expectation, HasDiscoveries, Model, Path, Property};

/// The combined result of several runs.
#[derive(Default)]
pub(super) struct Runs {
    states: usize,
    possible: HashSet<&'static str>,
}

impl Runs {
    /// Checks that the properties that must always hold do.
    #[expect(clippy::print_stderr, reason = "the counts are the result")]
    pub(super) fn check<M>(&mut self, model: M, name: &str)
    where
        M: Model + Send + Sync + 'static,
        M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
        M::Action: Clone + Debug + PartialEq,
    {
        let began = Instant::now();
        let checker = model.checker().threads(2).spawn_bfs().join();
        for property in checker.model().properties() {
            if property.expectation == Expectation::Always {
                checker.assert_no_discovery(property.name);
            } else if checker.discovery(property.name).is_some() {
                self.possible.insert(property.name);
            }
        }
        let states = checker.unique_state_count();
        self.states += states;
        eprintln!("{name}: {states} states in {:.1?}, {} in all", began.elapsed(), self.states);
    }

    /// Checks that everything in `sometimes` happened in at least one of the runs. Returns the number of states.
    pub(super) fn end<M: Model>(self, sometimes: &[Property<M>]) -> usize {
        for property in sometimes {
            assert!(self.possible.contains(property.name), "{} never happens", property.name);
        }
        self.states
    }
}

/// Checks that a flaw breaks a property, and shows the shortest path to it.
#[expect(clippy::print_stderr, reason = "the path is the result")]
pub(super) fn breaks<M>(model: &M, name: &str, property: &'static str)
where
    M: Model + Clone + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let search = |depth| {
        let checker = model.clone().checker().finish_when(HasDiscoveries::AnyOf([property].into()));
        checker.target_max_depth(depth).spawn_bfs().join().discovery(property).map(Path::into_actions)
    };
    // The checker cannot stop at the first path: it checks too rarely. So it runs until there is no shorter one.
    let mut way = None;
    let mut depth = 40;
    while let Some(steps) = search(depth) {
        depth = steps.len() + 1;
        way = Some(steps);
    }
    let Some(steps) = way else { panic!("{name} does not break {property}") };
    eprintln!("{name} breaks {property} in {} steps: {steps:?}", steps.len());
}
