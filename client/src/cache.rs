//! Tokens by person, for a while. Holds so many and no more.

use std::collections::HashMap;
use std::time::Instant;

use crate::{Person, Token};

#[derive(Debug)]
pub(crate) struct Cache {
    tokens: HashMap<Person, Kept>,
    max_persons: usize,
}

#[derive(Debug)]
struct Kept {
    token: Token,
    until: Instant,
}

impl Cache {
    pub(crate) fn of(max_persons: usize) -> Self {
        Self { tokens: HashMap::new(), max_persons }
    }

    pub(crate) fn get(&self, person: &Person, now: Instant) -> Option<Token> {
        self.tokens.get(person).filter(|kept| now < kept.until).map(|kept| kept.token.clone())
    }

    /// Drops what has outlived its time, and if that is not enough the oldest.
    pub(crate) fn put(&mut self, person: &Person, token: &Token, now: Instant, until: Instant) {
        self.tokens.remove(person);
        // A token that nobody asks for again does not lie around. Looking at all of them is nothing beside the
        // invocation that brought this one.
        self.tokens.retain(|_, kept| now < kept.until);
        if self.tokens.len() >= self.max_persons {
            let oldest = self.tokens.iter().min_by_key(|(_, kept)| kept.until);
            if let Some(oldest) = oldest.map(|(person, _)| person.clone()) {
                self.tokens.remove(&oldest);
            }
        }
        if now < until {
            self.tokens.insert(person.clone(), Kept { token: token.clone(), until });
        }
    }

    pub(crate) fn remove(&mut self, person: &Person) {
        self.tokens.remove(person);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::answer::tests::token;

    fn person(n: usize) -> Person {
        Person::user("w", n.to_string())
    }

    #[test]
    fn a_token_is_kept_for_its_time_and_not_longer() {
        let (mut cache, now) = (Cache::of(10), Instant::now());
        let until = now + Duration::from_mins(5);
        cache.put(&person(1), &token("one"), now, until);
        assert!(cache.get(&person(1), until.checked_sub(Duration::from_millis(1)).unwrap()).is_some());
        assert!(cache.get(&person(1), until).is_none());
        assert!(cache.get(&person(2), now).is_none());
        cache.put(&person(2), &token("two"), until, until + Duration::from_secs(1));
        assert_eq!(cache.tokens.len(), 1, "what has outlived its time is gone");
        cache.put(&person(3), &token("three"), now, now);
        assert!(cache.get(&person(3), now).is_none(), "kept for no time");
        cache.remove(&person(2));
        assert!(cache.tokens.is_empty());
    }

    #[test]
    fn when_it_is_full_the_oldest_goes() {
        let (mut cache, now) = (Cache::of(3), Instant::now());
        for n in [2, 1, 3, 3, 4] {
            let until = now + Duration::from_secs(100 + u64::try_from(n).unwrap());
            cache.put(&person(n), &token("a"), now, until);
        }
        assert!(cache.get(&person(1), now).is_none());
        assert_eq!((2..=4).filter(|n| cache.get(&person(*n), now).is_some()).count(), 3);
    }
}
