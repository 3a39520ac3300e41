//! The deployed stack, as reported by CloudFormation.

use std::collections::HashMap;

use aws_sdk_cloudformation::types::ResourceStatus;
use shared::config::{ConfigError, PublicConnection};

use crate::aws::{Aws, in_words};

/// A stack and its contents.
#[derive(Debug)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// CloudFormation's status, such as `UPDATE_COMPLETE`.
    pub status: String,
    outputs: HashMap<String, String>,
    parameters: HashMap<String, String>,
    /// Logical id → physical id.
    resources: HashMap<String, String>,
}

/// The stack lacks a resource that the current template has.
#[derive(Debug, thiserror::Error)]
#[error("the stack has no {0}")]
pub struct NoResource(&'static str);

/// The stack cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// There is no stack with that name.
    #[error(
        "there is no stack {name} in {region}: deploy it (sam build && sam deploy), or name another with --stack and \
         --region"
    )]
    Missing {
        /// The name.
        name: String,
        /// The Region.
        region: String,
    },
    /// CloudFormation reported another error.
    #[error("the stack cannot be read ({0})")]
    Failed(String),
}

impl Stack {
    /// Reads the stack `name`.
    ///
    /// # Errors
    ///
    /// [`StackError`].
    pub async fn read(aws: &Aws, name: &str) -> Result<Self, StackError> {
        let answer = aws.cloudformation.describe_stacks().stack_name(name).send().await;
        let answer = answer.map_err(|error| {
            let words = in_words(&error);
            if words.contains("does not exist") {
                StackError::Missing { name: name.to_owned(), region: aws.commands.region.clone() }
            } else {
                StackError::Failed(words)
            }
        })?;
        let stack =
            answer.stacks().first().ok_or_else(|| StackError::Failed("an empty answer".to_owned()))?;
        let pair = |name: Option<&str>, value: Option<&str>| {
            Some((name?.to_owned(), value.unwrap_or_default().to_owned()))
        };
        let outputs = stack.outputs().iter().filter_map(|o| pair(o.output_key(), o.output_value()));
        let parameters =
            stack.parameters().iter().filter_map(|p| pair(p.parameter_key(), p.parameter_value()));
        let mut resources = HashMap::new();
        let mut pages = aws.cloudformation.list_stack_resources().stack_name(name).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| StackError::Failed(in_words(&error)))?;
            let found = page.stack_resource_summaries().iter();
            let there = found.filter(|r| r.resource_status() != Some(&ResourceStatus::DeleteComplete));
            let there = there.filter_map(|r| pair(r.logical_resource_id(), r.physical_resource_id()));
            resources.extend(there.filter(|(_, physical)| !physical.is_empty()));
        }
        Ok(Self {
            name: name.to_owned(),
            status: stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
            outputs: outputs.collect(),
            parameters: parameters.collect(),
            resources,
        })
    }

    /// An output's value.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<&str> {
        self.outputs.get(name).map(String::as_str)
    }

    /// A parameter's value; `None` if it is empty.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The physical id of the resource with this `logical_id`.
    ///
    /// # Errors
    ///
    /// [`NoResource`]. Do not look for a resource with that name in the account instead.
    pub fn resource(&self, logical_id: &'static str) -> Result<&str, NoResource> {
        self.resources.get(logical_id).map(String::as_str).ok_or(NoResource(logical_id))
    }

    /// The physical ids of the resources whose logical id ends in `ending`.
    #[must_use]
    pub fn resources_ending_in(&self, ending: &str) -> Vec<&str> {
        let found = self.resources.iter().filter(|(id, _)| id.ends_with(ending));
        found.map(|(_, physical)| physical.as_str()).collect()
    }

    /// The public connection that the stack serves. It is checked as in the functions, because the client secret is
    /// sent to its base URL.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the setting.
    pub fn connection(&self) -> Result<PublicConnection, ConfigError> {
        PublicConnection::read(&|name: &str| {
            let found = match name {
                "NOTION_CLIENT_ID" => self.parameter("NotionClientId"),
                "NOTION_REDIRECT_URI" => self.output("RedirectUri"),
                "NOTION_BASE_URL" => self.parameter("NotionBaseUrl"),
                _ => None,
            };
            found.map(str::to_owned)
        })
    }
}
