//! What else happens to a system that runs for years, while processes are stopped.

use dev::aws::{CLAIMS_TABLE, Fault, Reply};
use serde_json::json;

use super::{Crowd, Seed, Tally};
use crate::harness::{number, string};

impl Crowd {
    /// The table rejects some writes permanently, so that their data goes into the rescue queue.
    pub(super) fn refuse_some_writes(&self, chance: &mut Seed, tally: &mut Tally) {
        for operation in ["UpdateItem", "TransactWriteItems"] {
            let times = u32::try_from(chance.below(12)).unwrap();
            if times > 0 {
                let denied = Fault::Answer(Reply::error(400, "AccessDeniedException"));
                self.world.stack.dynamodb().inject(operation, denied, times);
                tally.note("writes that the table should reject", times as usize);
            }
        }
    }

    /// Records are delivered twice, and all of them may be moved to the dead letters for a while.
    pub(super) fn disturb_the_queue(&self, chance: &mut Seed, tally: &mut Tally) {
        let queue = self.world.stack.queues().service();
        let messages = queue.messages();
        tally.note("records in the queue", messages.len());
        for message in messages.iter().filter(|_| chance.below(2) == 0) {
            queue.deliver_again(message);
            tally.note("records delivered twice", 1);
        }
        if chance.below(3) == 0 {
            tally.note("dead letters", queue.messages().len());
            queue.put_aside_all();
        }
    }

    /// Messages with a generation are delivered again, whatever has happened since. None of them removes a later
    /// install.
    pub(super) async fn deliver_messages_again(&self, chance: &mut Seed, tally: &mut Tally) {
        let messages = self.messages.lock().unwrap().clone();
        for message in messages.iter().filter(|_| chance.below(3) == 0) {
            let standing = self.row_of(&message.id).await;
            let answer = self.deliver(message).await;
            tally.note("messages delivered again", 1);
            let Some(standing) = standing else { continue };
            if number(&standing, "generation") > message.generation {
                assert_eq!(answer["error"], "other_generation", "{answer}");
                let now = self.row_of(&message.id).await;
                assert_eq!(
                    now.and_then(|row| string(&row, "health").map(str::to_owned)).as_deref(),
                    string(&standing, "health")
                );
            }
        }
    }

    /// Claims expire that have an outcome, or whose record is waiting. The sweep finds all others long before they
    /// expire.
    pub(super) async fn let_claims_expire(&self, chance: &mut Seed, tally: &mut Tally) {
        let queue = self.world.stack.queues().service();
        let waiting = [queue.messages(), queue.dead_letters()].concat();
        for claim in self.world.claims().await {
            let key = string(&claim, "claim").unwrap();
            let is_open = string(&claim, "outcome") == Some("exchanging");
            if chance.below(2) == 0 && (!is_open || waiting.iter().any(|message| message.contains(key))) {
                let client = self.world.stack.dynamodb().service().client();
                let delete = client.delete_item().table_name(CLAIMS_TABLE.0);
                delete.key("claim", claim["claim"].clone()).send().await.unwrap();
                tally.note("claims that expired", 1);
            }
        }
    }

    pub(super) async fn sweep_while_the_clock_jumps(&self, chance: &mut Seed, tally: &mut Tally) {
        let (turns, jump_secs) = (chance.below(400), chance.below(240));
        let jump = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            self.world.clock.advance_secs(jump_secs);
        };
        let (swept, ()) = tokio::join!(self.world.ask("sweep", json!({})), jump);
        tally.note("sweeps in which the clock jumped", 1);
        tally.count(&swept);
    }

    /// A panic occurs for the row that draws the next random number.
    pub(super) async fn sweep_with_a_panic(&self, chance: &mut Seed, tally: &mut Tally) {
        if chance.below(2) == 0 {
            self.fuse.light();
        }
        let swept = self.world.ask("sweep", json!({})).await;
        let panicked = swept["Panicked"].as_u64().unwrap_or(0);
        assert!(panicked <= 1, "{swept}");
        tally.note("panics over one row", usize::try_from(panicked).unwrap());
        self.fuse.put_out();
        tally.count(&swept);
    }
}
