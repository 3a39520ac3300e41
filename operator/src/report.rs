//! The doctor's findings, for people and for programs.

#![expect(clippy::print_stdout, reason = "a step is printed when it is done")]

use serde::Serialize;
use serde_json::{Value, json};

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, but somebody should know.
    Warning,
    /// It must be fixed.
    Problem,
    /// It could not be checked.
    Unknown,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked; a fixed key.
    pub step: &'static str,
    /// The result.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

/// All steps.
#[derive(Debug)]
pub struct Report {
    stack: String,
    region: String,
    prints: bool,
    findings: Vec<Finding>,
}

impl Report {
    /// Starts a report on `stack`. If `prints` is set, each step is printed as soon as it is done.
    #[must_use]
    pub fn begin(stack: &str, region: &str, prints: bool) -> Self {
        Self { stack: stack.to_owned(), region: region.to_owned(), prints, findings: Vec::new() }
    }

    /// `step` is as it should be.
    pub fn ok(&mut self, step: &'static str, found: impl Into<String>) {
        self.add(Finding { step, status: Status::Ok, found: found.into(), cure: None });
    }

    /// `step` works, but somebody should know.
    pub fn warning(&mut self, step: &'static str, found: impl Into<String>, cure: impl Into<String>) {
        self.add(Finding { step, status: Status::Warning, found: found.into(), cure: Some(cure.into()) });
    }

    /// `step` must be fixed.
    pub fn problem(&mut self, step: &'static str, found: impl Into<String>, cure: impl Into<String>) {
        self.add(Finding { step, status: Status::Problem, found: found.into(), cure: Some(cure.into()) });
    }

    /// `step` could not be checked.
    pub fn unknown(&mut self, step: &'static str, found: impl Into<String>, cure: impl Into<String>) {
        self.add(Finding { step, status: Status::Unknown, found: found.into(), cure: Some(cure.into()) });
    }

    fn add(&mut self, finding: Finding) {
        if self.prints {
            let mark = match finding.status {
                Status::Ok => "ok      ",
                Status::Warning => "warning ",
                Status::Problem => "PROBLEM ",
                Status::Unknown => "unknown ",
            };
            println!("{mark} {:<18} {}", finding.step, finding.found);
            if let Some(cure) = &finding.cure {
                println!("{:27} → {cure}", "");
            }
        }
        self.findings.push(finding);
    }

    fn count(&self, status: Status) -> usize {
        self.findings.iter().filter(|finding| finding.status == status).count()
    }

    /// 0 if there is nothing to fix, 1 if there is, 3 if something could not be checked.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match (self.count(Status::Problem), self.count(Status::Unknown)) {
            (0, 0) => 0,
            (0, _) => 3,
            _ => 1,
        }
    }

    /// The last line.
    #[must_use]
    pub fn summary(&self) -> String {
        let [problems, unknown, warnings] =
            [Status::Problem, Status::Unknown, Status::Warning].map(|status| self.count(status));
        let said = if problems + unknown == 0 { "is well" } else { "needs attention" };
        format!(
            "{} in {} {said}: {problems} problems, {unknown} unknown, {warnings} warnings",
            self.stack, self.region
        )
    }

    /// The whole report.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "stack": self.stack,
            "region": self.region,
            "healthy": self.exit_code() == 0,
            "steps": self.findings,
        })
    }
}
