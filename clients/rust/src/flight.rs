//! One invocation at a time per question: callers with the same question share its answer.
//!
//! Whichever caller is polled drives the invocation. When all of them give up, it is dropped: nobody waits for an
//! abandoned task, and no half-finished invocation is resumed later.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::error::TokenError;
use crate::person::Person;
use crate::token::{Token, Wanted};

pub(crate) type Outcome = Result<Token, TokenError>;

type Asking = BoxFuture<'static, Outcome>;

/// The invocations in flight.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<(Person, Wanted), Flight>>);

struct Flight {
    asking: WeakShared<Asking>,
    ticket: Ticket,
}

/// Whether the answer to one invocation may still be used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticket(Arc<AtomicBool>);

impl Ticket {
    /// Whether the person was forgotten after the invocation began. Its answer must not be cached then.
    pub(crate) fn is_void(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Flights {
    /// Joins the invocation in flight, or starts the one from `ask`. Meanwhile, no other is started or ends.
    pub(crate) fn join_or_start(
        &self,
        person: &Person,
        wanted: &Wanted,
        ask: impl FnOnce(Ticket) -> Asking,
    ) -> Shared<Asking> {
        let mut flights = self.lock();
        let key = (person.clone(), wanted.clone());
        if let Some(asking) = flights.get(&key).and_then(|flight| flight.asking.upgrade()) {
            return asking;
        }
        flights.retain(|_, flight| flight.asking.upgrade().is_some());
        let ticket = Ticket::default();
        let asking = ask(ticket.clone()).shared();
        if let Some(weak) = asking.downgrade() {
            flights.insert(key, Flight { asking: weak, ticket });
        }
        asking
    }

    /// Ends an invocation: later callers start a new one.
    pub(crate) fn finish(&self, person: &Person, wanted: &Wanted, ticket: &Ticket) {
        let mut flights = self.lock();
        let key = (person.clone(), wanted.clone());
        if flights.get(&key).is_some_and(|flight| Arc::ptr_eq(&flight.ticket.0, &ticket.0)) {
            flights.remove(&key);
        }
    }

    /// Detaches invocations in flight about a person: their answers are neither cached nor shared with later callers.
    pub(crate) fn forget(&self, person: &Person) {
        self.lock().retain(|(of, _), flight| {
            let stays = !person.includes(of);
            if !stays {
                flight.ticket.0.store(true, Ordering::SeqCst);
            }
            stays
        });
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Person, Wanted), Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Flights {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Flights").field("under_way", &self.lock().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::future::{join_all, poll_immediate, ready};

    use super::*;
    use crate::answer::tests::token;

    fn person() -> Person {
        Person::user("w", "u")
    }

    #[test]
    fn nothing_is_left_of_a_question_however_its_askers_go() {
        let (flights, asked) = (Arc::new(Flights::default()), Arc::new(AtomicUsize::new(0)));
        // All give up, at the same time or one after the other, on several threads.
        for _ in 0..200 {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let (flights, asked) = (Arc::clone(&flights), Arc::clone(&asked));
                    std::thread::spawn(move || {
                        let seat = flights.join_or_start(&person(), &Wanted::Live, |_| {
                            asked.fetch_add(1, Ordering::SeqCst);
                            Box::pin(std::future::pending())
                        });
                        assert!(futures_block(poll_immediate(seat)).is_none());
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
        }
        // The next caller finds no invocation, and cleans up.
        let ticket = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&ticket);
        let asking = flights.join_or_start(&person(), &Wanted::Live, move |ticket| {
            *kept.lock().unwrap() = Some(ticket);
            Box::pin(ready(Ok(token("f"))))
        });
        assert!(futures_block(asking).is_ok());
        let ticket = ticket.lock().unwrap().take().unwrap();
        flights.finish(&person(), &Wanted::Live, &ticket);
        assert!(flights.is_empty());
    }

    #[test]
    fn whoever_is_polled_drives_the_question_for_all() {
        let flights = Flights::default();
        let seats: Vec<_> = (0..3)
            .map(|_| flights.join_or_start(&person(), &Wanted::Live, |_| Box::pin(ready(Ok(token("f"))))))
            .collect();
        // The first is never polled.
        let polled = seats.iter().skip(1).cloned();
        assert!(futures_block(join_all(polled)).iter().all(Result::is_ok));
    }

    #[test]
    fn a_question_from_before_forget_is_not_shared_after_it() {
        let flights = Flights::default();
        let (mut first, mut asked) = (None, 0);
        let before = flights.join_or_start(&person(), &Wanted::Live, |ticket| {
            first = Some(ticket);
            asked += 1;
            Box::pin(std::future::pending())
        });
        flights.forget(&Person::user("w", "somebody else"));
        assert!(!first.as_ref().unwrap().is_void());
        flights.forget(&person());
        assert!(first.as_ref().unwrap().is_void());
        let after = flights.join_or_start(&person(), &Wanted::Live, |_| {
            asked += 1;
            Box::pin(ready(Ok(token("f"))))
        });
        // When the first invocation ends, the second one stays.
        flights.finish(&person(), &Wanted::Live, &first.unwrap());
        assert!(!flights.is_empty());
        assert!(futures_block(poll_immediate(before)).is_none());
        assert!(futures_block(after).is_ok() && asked == 2);
    }

    /// Polls a future to completion without a reactor.
    fn futures_block<T>(future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        loop {
            if let std::task::Poll::Ready(done) = future.as_mut().poll(&mut context) {
                return done;
            }
        }
    }
}
