//! Claims, disconnects, removals and the sweep of one installation at the same time, each killed at any await point.
//! Whoever was cut off tries again. A code binds one subject, the links are those of the row, and what is nobody's goes
//! back.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use dev::stack::NotionSide;
use futures_util::future::join_all;
use serde_json::{Value, json};
use simulated_notion::ACME;

use crate::app::{Begun, Returned};
use crate::crash::{Process, Seed, rounds};
use crate::harness::{Row, World, person, string};
use crate::stampede::with_people;

const PEOPLE: usize = 60;
/// The processes of one person in one round.
const PROCESSES: usize = 5;
/// The largest number of turns for a process: a claim takes about six.
const MOST_TURNS: u64 = 8;

/// What a process of a person does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Claim(usize),
    Disconnect(usize),
    Uninstall,
}

struct Crowd {
    world: World,
    ids: Vec<String>,
}

/// An install that came back to the app.
struct Install {
    begun: Begun,
    returned: Returned,
}

impl Crowd {
    async fn gather() -> Self {
        let ids: Vec<String> =
            (0..PEOPLE).map(|number| format!("a0000000-0000-4000-8000-{number:012}")).collect();
        let world = World::start_with(|options| {
            let NotionSide::Simulated(notion) = &mut options.notion else { unreachable!() };
            notion.workspaces = with_people(&ids);
        })
        .await;
        Self { world, ids }
    }

    /// Two subjects for each person.
    fn subject(id: &str, which: usize) -> String {
        format!("{which} of {id}")
    }

    async fn connect(&self, id: &str) -> Install {
        let begun = Begun::new(&self.world);
        let browser = self.world.browser();
        let returned = browser.connect(&begun, |approval| id.clone_into(&mut approval.person)).await;
        Install { begun, returned }
    }

    async fn act(&self, id: &str, install: &Install, deed: Deed) -> Value {
        let subject = |which| Self::subject(id, which);
        match deed {
            Deed::Claim(which) => {
                self.world.ask("claim", install.begun.claim(&install.returned, &subject(which))).await
            }
            Deed::Disconnect(which) => self.world.ask("uninstall", json!({"subject": subject(which)})).await,
            Deed::Uninstall => self.world.ask("uninstall", person(id, ACME, json!({}))).await,
        }
    }

    async fn rows(&self) -> BTreeMap<String, Row> {
        let rows = self.world.installations().await.into_iter();
        rows.filter_map(|row| Some((string(&row, "owner_user_id")?.to_owned(), row))).collect()
    }

    /// At any moment: the links are those of the rows. What a killed process had sent may still take effect between the
    /// two reads, so they are read again until nothing does.
    async fn check(&self) -> BTreeMap<String, Row> {
        let mut before = None;
        loop {
            let rows = self.rows().await;
            let of_rows: BTreeSet<(String, String)> = rows.values().flat_map(links_of).collect();
            let links: BTreeSet<(String, String)> = self.world.links().await.into_iter().collect();
            if links == of_rows {
                return rows;
            }
            let now = Some((of_rows, links));
            assert_ne!(now, before, "they disagree, and nothing changes any more");
            before = now;
        }
    }

    /// One round. Returns how many processes were killed.
    async fn round(&self, number: usize) -> usize {
        Box::pin(self.world.stack.functions().warm_up()).await;
        let installs = join_all(self.ids.iter().map(|id| self.connect(id))).await;
        let mut deeds = Vec::new();
        let mut processes = Vec::new();
        for (index, (id, install)) in self.ids.iter().zip(&installs).enumerate() {
            let mut seed = Seed(((number * PEOPLE + index) * PROCESSES) as u64);
            for _ in 0..PROCESSES {
                let deed = match seed.below(12) {
                    0..=3 => Deed::Claim(0),
                    4..=7 => Deed::Claim(1),
                    8 | 9 => Deed::Disconnect(0),
                    10 => Deed::Disconnect(1),
                    _ => Deed::Uninstall,
                };
                let running: Pin<Box<dyn Future<Output = Value> + '_>> =
                    Box::pin(self.act(id, install, deed));
                processes.push(Process { running, turns: 1 + seed.below(MOST_TURNS) });
                deeds.push((index, deed));
            }
        }
        let ends = tokio::task::unconstrained(join_all(processes.iter_mut())).await;
        drop(processes);
        let rows = self.check().await;
        let mut claimed: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); PEOPLE];
        let mut removed = [false; PEOPLE];
        let killed = ends.iter().filter(|end| end.is_none()).count();
        for ((index, deed), end) in deeds.iter().zip(&ends) {
            // A removal that was killed may have been done.
            removed[*index] |= !matches!(deed, Deed::Claim(_));
            if let (Deed::Claim(which), Some(answer)) = (deed, end)
                && answer["error"].is_null()
            {
                claimed[*index].insert(*which);
            }
        }
        for (index, row) in self.ids.iter().enumerate().filter_map(|(index, id)| Some((index, rows.get(id)?)))
        {
            // Nothing was removed, so who was told that they are linked is.
            if !removed[index] {
                let told: BTreeSet<String> =
                    claimed[index].iter().map(|which| Self::subject(&self.ids[index], *which)).collect();
                let linked: BTreeSet<String> = links_of(row).map(|(subject, _)| subject).collect();
                assert!(told.is_subset(&linked), "{told:?} {linked:?}");
            }
        }
        // Who was cut off tries again.
        for (index, id) in self.ids.iter().enumerate() {
            for which in [0, 1] {
                let answer = self.act(id, &installs[index], Deed::Claim(which)).await;
                if answer["error"].is_null() {
                    claimed[index].insert(which);
                } else {
                    let known = ["invalid_grant", "removed"].contains(&answer["error"].as_str().unwrap());
                    assert!(known, "{answer}");
                }
            }
            assert!(claimed[index].len() <= 1, "a code binds one subject: {:?}", claimed[index]);
        }
        let rows = self.check().await;
        for id in &self.ids {
            let linked: Vec<String> =
                rows.get(id).into_iter().flat_map(links_of).map(|(subject, _)| subject).collect();
            for which in [0, 1] {
                let subject = Self::subject(id, which);
                let vended = self.world.ask("token", json!({"subject": subject})).await;
                let removed = rows.get(id).is_some_and(|row| string(row, "health") == Some("removed"));
                assert_eq!(vended["error"].is_null(), linked.contains(&subject) && !removed, "{vended}");
            }
        }
        killed
    }

    /// Everybody leaves, and the window ends. What was cut off is finished by the sweep: no grant is alive.
    async fn end(&self) {
        for id in &self.ids {
            for which in [0, 1] {
                self.world.ask("uninstall", json!({"subject": Self::subject(id, which)})).await;
            }
        }
        self.world.clock.advance_secs(2 * 3600);
        for _ in 0..20 {
            self.world.clock.advance_secs(301);
            if self.world.ask("sweep", json!({})).await["complete"] == true {
                break;
            }
        }
        for (id, row) in self.check().await {
            assert_eq!(string(&row, "health"), Some("removed"), "{id}: {row:?}");
        }
        let alive = self.world.notion().grants().into_iter().filter(|grant| !grant.revoked).count();
        assert_eq!(alive, 0, "a grant that is nobody's lives on");
        assert_eq!(self.world.links().await, []);
    }
}

fn links_of(row: &Row) -> impl Iterator<Item = (String, String)> {
    let id = string(row, "installation_id").unwrap().to_owned();
    let subjects = row.get("subjects").map(|list| list.as_l().unwrap().clone()).unwrap_or_default();
    subjects.into_iter().map(move |subject| (subject.as_s().unwrap().clone(), id.clone()))
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the counts are the result")]
async fn claims_that_are_killed_anywhere_bind_one_subject_and_leave_nothing_behind() {
    let crowd = Crowd::gather().await;
    let mut killed = 0;
    let rounds = rounds(6);
    for number in 0..rounds {
        killed += crowd.round(number).await;
    }
    crowd.end().await;
    let seeds = rounds * PEOPLE * PROCESSES;
    eprintln!("{seeds} processes, {killed} killed");
    assert!(killed >= seeds / 4, "{killed} of {seeds}");
}
