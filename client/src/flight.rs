//! One question about a person at a time; who has the same one shares the answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Person, Token, TokenError, Wish};

/// Whoever asks or waits, by person. Empty when nobody does.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<Person, Arc<Flight>>>);

#[derive(Debug, Default)]
struct Flight {
    landed: AtomicU64,
    last: tokio::sync::Mutex<Option<Landed>>,
}

#[derive(Debug)]
struct Landed {
    wish: Wish,
    outcome: Result<Token, TokenError>,
}

impl Flights {
    pub(crate) fn board(&self, person: &Person) -> Seat<'_> {
        let flight = Arc::clone(self.lock().entry(person.clone()).or_default());
        let landed_before = flight.landed.load(Ordering::SeqCst);
        Seat { flights: self, person: person.clone(), flight, landed_before }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Person, Arc<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the line. Who gives up leaves it to the next.
pub(crate) struct Seat<'a> {
    flights: &'a Flights,
    person: Person,
    flight: Arc<Flight>,
    landed_before: u64,
}

impl Seat<'_> {
    pub(crate) async fn turn(&self) -> Turn<'_> {
        let last = self.flight.last.lock().await;
        Turn { flight: &self.flight, last, landed_before: self.landed_before }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        // The map's and this one: nobody else is in, and nobody boards without the lock.
        if Arc::strong_count(&self.flight) == 2 {
            flights.remove(&self.person);
        }
    }
}

/// To ask now, alone.
pub(crate) struct Turn<'a> {
    flight: &'a Flight,
    last: tokio::sync::MutexGuard<'a, Option<Landed>>,
    landed_before: u64,
}

impl Turn<'_> {
    /// What came of the same question while this one waited, errors included: a thousand callers must not hear the same
    /// "not now" one after the other.
    pub(crate) fn landed_meanwhile(&self, wish: &Wish) -> Option<Result<Token, TokenError>> {
        if self.flight.landed.load(Ordering::SeqCst) == self.landed_before {
            return None;
        }
        let landed = self.last.as_ref().filter(|landed| landed.wish == *wish)?;
        Some(landed.outcome.clone())
    }

    pub(crate) fn land(&mut self, wish: &Wish, outcome: &Result<Token, TokenError>) {
        *self.last = Some(Landed { wish: wish.clone(), outcome: outcome.clone() });
        self.flight.landed.fetch_add(1, Ordering::SeqCst);
    }
}
