//! Whole flows over HTTP against the dev stack: the same handlers as on Lambda, real SDK calls, a simulated Notion.

#![expect(clippy::unwrap_used, reason = "test helpers may panic like tests")]

mod app;
mod harness;
mod leaks;

mod attacks;
mod base_path;
mod binaries;
mod browser;
mod callback;
mod claim;
mod client;
mod crash;
mod crash_claims;
mod dependencies;
mod dev_stack;
mod docs;
mod documented;
mod events;
mod exchange;
mod expiry;
mod history;
mod install;
mod keep;
mod languages;
mod metrics;
mod model;
mod onboarding;
mod operator;
mod outage;
mod outbox;
mod poison;
mod reinstall;
mod repeat;
mod repeated;
mod reports;
mod rescued;
mod responses;
mod returning;
mod rotation;
mod round_trips;
mod ssrf;
mod stampede;
mod strangers;
mod structure;
mod subjects;
mod superseded;
mod sweep;
mod template;
mod unclaimed;
mod uninstall;
mod vectors;
mod vend;
mod webhook;
