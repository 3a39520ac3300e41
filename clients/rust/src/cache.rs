//! Tokens by person, each kept for a limited time, up to a maximum number of persons.

use std::collections::HashMap;
use std::time::Duration;

use crate::person::Person;
use crate::token::Token;

#[derive(Debug)]
pub(crate) struct Cache {
    entries: HashMap<Person, Entry>,
    max_persons: usize,
}

#[derive(Debug)]
struct Entry {
    kept: Kept,
    /// By the clock's `elapsed`.
    until: Duration,
}

/// What is cached for a person.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    Token(Token),
    /// The fingerprint of a token that Notion refused, until there is another one.
    Refused(String),
}

impl Cache {
    pub(crate) fn of(max_persons: usize) -> Self {
        Self { entries: HashMap::new(), max_persons }
    }

    pub(crate) fn get(&self, person: &Person, now: Duration) -> Option<Kept> {
        self.entries.get(person).filter(|entry| now < entry.until).map(|entry| entry.kept.clone())
    }

    pub(crate) fn put(&mut self, person: &Person, token: &Token, now: Duration, until: Duration) {
        self.insert(person, Kept::Token(token.clone()), now, until);
    }

    /// Remembers which token was refused, so that it is not cached again.
    pub(crate) fn refuse(&mut self, person: &Person, fingerprint: &str, now: Duration, until: Duration) {
        self.insert(person, Kept::Refused(fingerprint.to_owned()), now, until);
    }

    /// Drops expired entries, and the oldest one if the cache is still full.
    fn insert(&mut self, person: &Person, kept: Kept, now: Duration, until: Duration) {
        self.entries.remove(person);
        // An expired token must not stay in memory. Checking all entries costs little compared to the invocation that
        // brought this token.
        self.entries.retain(|_, entry| now < entry.until);
        if self.entries.len() >= self.max_persons {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.until);
            if let Some(oldest) = oldest.map(|(person, _)| person.clone()) {
                self.entries.remove(&oldest);
            }
        }
        if now < until {
            self.entries.insert(person.clone(), Entry { kept, until });
        }
    }

    pub(crate) fn remove(&mut self, person: &Person) {
        self.entries.remove(person);
    }

    /// Removes everything about a person.
    pub(crate) fn forget(&mut self, person: &Person) {
        self.entries.retain(|of, _| !person.includes(of));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::token;

    fn is_token(kept: Option<&Kept>) -> bool {
        matches!(kept, Some(Kept::Token(_)))
    }

    fn person(n: usize) -> Person {
        Person::user("w", n.to_string())
    }

    #[test]
    fn a_token_is_kept_for_its_time_and_not_longer() {
        let (mut cache, now) = (Cache::of(10), Duration::from_hours(1));
        let until = now + Duration::from_mins(5);
        cache.put(&person(1), &token("one"), now, until);
        assert!(is_token(
            cache.get(&person(1), until.checked_sub(Duration::from_millis(1)).unwrap()).as_ref()
        ));
        assert!(cache.get(&person(1), until).is_none());
        assert!(cache.get(&person(2), now).is_none());
        cache.put(&person(2), &token("two"), until, until + Duration::from_secs(1));
        assert_eq!(cache.entries.len(), 1, "expired entries are dropped");
        cache.put(&person(3), &token("three"), now, now);
        assert!(cache.get(&person(3), now).is_none(), "kept for no time");
        cache.remove(&person(2));
        assert!(cache.entries.is_empty());
    }

    #[test]
    fn when_it_is_full_the_oldest_goes() {
        let (mut cache, now) = (Cache::of(3), Duration::from_hours(1));
        for n in [2, 1, 3, 3, 4] {
            let until = now + Duration::from_secs(100 + u64::try_from(n).unwrap());
            cache.put(&person(n), &token("a"), now, until);
        }
        assert!(cache.get(&person(1), now).is_none());
        assert_eq!((2..=4).filter(|n| is_token(cache.get(&person(*n), now).as_ref())).count(), 3);
    }
}
