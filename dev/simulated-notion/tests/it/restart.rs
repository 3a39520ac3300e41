//! Starting, stopping, and what the state file keeps.

use std::path::{Path, PathBuf};

use simulated_notion::{Options, Simulator};

use crate::bench::{Bench, Pair};

/// A test's state file, deleted when the test ends.
pub(crate) struct StateFile(PathBuf);

impl StateFile {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    pub(crate) fn use_for(&self, options: &mut Options) {
        options.state_file = Some(self.0.clone());
    }

    pub(crate) async fn bench(&self) -> Bench {
        Bench::with_options(|options| self.use_for(options)).await
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn grants_codes_and_tokens_survive_a_restart() {
    let file = StateFile::new("survive.json");
    let (pair, code, grants) = {
        let bench = file.bench().await;
        let pair = bench.pair().await;
        let code = bench.code();
        let grants = bench.notion.grants();
        bench.notion.stop().await;
        (pair, code, grants)
    };
    let bench = file.bench().await;
    assert_eq!(bench.notion.grants(), grants);
    assert!(bench.works(&pair.access).await);
    let fresh = Pair::of(&bench.exchange(&code).await);
    assert_ne!(fresh.access, pair.access, "the same seed continues where it stopped");
    assert_eq!(bench.refresh(&pair.refresh).await.status, 200);
}

#[tokio::test]
async fn a_file_of_something_else_stops_the_start() {
    let file = StateFile::new("foreign.json");
    std::fs::write(&file.0, "{\"unknown\":1}").unwrap();
    let options = Options { state_file: Some(file.0.clone()), ..Options::default() };
    let error = Simulator::start(options).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_stops_the_start() {
    let file = StateFile::new("missing");
    let options = Options { state_file: Some(file.0.join("state.json")), ..Options::default() };
    assert!(Simulator::start(options).await.is_err());
}

#[tokio::test]
async fn a_taken_port_stops_the_start_and_a_stopped_simulator_frees_it() {
    let first = Simulator::start(Options::default()).await.unwrap();
    let port = first.base_url().rsplit(':').next().unwrap().parse().unwrap();
    let on_that_port = || Options { port, ..Options::default() };
    let error = Simulator::start(on_that_port()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    first.stop().await;
    assert!(Simulator::start(on_that_port()).await.is_ok());
}
