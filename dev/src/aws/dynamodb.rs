//! DynamoDB, embedded (`dynoxide`), with the tables that the template declares, and the streams of three of them.

use std::path::Path;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType, TableDescription,
    TimeToLiveSpecification,
};
use aws_smithy_types::error::operation::BuildError;
use dynoxide::Database;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use vault::http_client::{self, SdkHttpClient};

use super::wire::{Reply, Service};

/// The table of installations, and its key.
pub const INSTALLATIONS_TABLE: (&str, &str) = ("installations", "installation_id");
/// The table of claims, and its key.
pub const CLAIMS_TABLE: (&str, &str) = ("claims", "claim");
/// The table of links between subjects and installations, and its partition key.
pub const LINKS_TABLE: (&str, &str) = ("links", "subject");
/// The table of published events, and its key.
pub const EVENTS_TABLE: (&str, &str) = ("events", "event_id");
/// The table of the ledgers of onboardings, and its key.
pub const ONBOARDING_TABLE: (&str, &str) = ("onboarding", "onboarding_id");
/// The sort key of the table of links.
pub const LINKS_SORT_KEY: &str = "installation_id";

/// An index: its name, its partition key, and its sort key, which is a number.
type Index = (&'static str, &'static str, Option<&'static str>);
const INSTALLATIONS_INDEXES: [Index; 4] = [
    ("due", "due_shard", Some("due_at_ms")),
    ("sealed", "seal_shard", None),
    ("workspace", "workspace_id", None),
    ("bot", "bot_id", None),
];
const CLAIMS_INDEXES: [Index; 1] = [("exchanging", "exchanging_shard", Some("claimed_at"))];
/// This one holds whole rows: it is what `feed` answers.
const EVENTS_INDEXES: [Index; 1] = [("in_order", "feed", Some("feed_position"))];

/// Every index: its table, its name, its partition key and its sort key.
pub fn indexes() -> impl Iterator<Item = (&'static str, &'static str, &'static str, Option<&'static str>)> {
    let of = |table: &'static str, indexes: &'static [Index]| {
        indexes.iter().map(move |(name, partition, sort)| (table, *name, *partition, *sort))
    };
    of(INSTALLATIONS_TABLE.0, &INSTALLATIONS_INDEXES)
        .chain(of(CLAIMS_TABLE.0, &CLAIMS_INDEXES))
        .chain(of(EVENTS_TABLE.0, &EVENTS_INDEXES))
}

/// The embedded database. Behind the wire it is called over HTTP, like AWS.
pub struct Dynamo {
    http: reqwest::Client,
    url: String,
    client: Client,
    task: JoinHandle<()>,
}

/// The database could not be started.
#[derive(Debug, thiserror::Error)]
pub enum DynamoError {
    /// The file is not a database, or cannot be opened.
    #[error("the database could not be opened: {0}")]
    Open(String),
    /// A table could not be created.
    #[error("a table could not be created: {0}")]
    Table(String),
    /// A stream cannot be read.
    #[error("a stream cannot be read: {0}")]
    Stream(String),
    /// No port is available, or the HTTP client cannot be built.
    #[error("the database could not be started")]
    Start(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Dynamo {
    /// Opens the database, in memory or in a file, and creates the tables that are missing.
    ///
    /// # Errors
    ///
    /// [`DynamoError`].
    pub async fn start(file: Option<&Path>) -> Result<Self, DynamoError> {
        let database = match file {
            None => Database::memory(),
            Some(file) => Database::new(&file.to_string_lossy()),
        };
        let database = database.map_err(|error| DynamoError::Open(error.to_string()))?;
        let listener =
            TcpListener::bind("127.0.0.1:0").await.map_err(|error| DynamoError::Start(error.into()))?;
        let address = listener.local_addr().map_err(|error| DynamoError::Start(error.into()))?;
        let task = tokio::spawn(dynoxide::server::serve_on(listener, database));
        let http = http_client::build().map_err(|error| DynamoError::Start(error.into()))?;
        let url = format!("http://{address}");
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "dev stack"))
            .endpoint_url(&url)
            .http_client(SdkHttpClient(http.clone()))
            .build();
        let database = Self { http, url, client: Client::from_conf(config), task };
        database.create_table(INSTALLATIONS_TABLE, None, &INSTALLATIONS_INDEXES).await?;
        database.create_table(CLAIMS_TABLE, None, &CLAIMS_INDEXES).await?;
        database.create_table(LINKS_TABLE, Some(LINKS_SORT_KEY), &[]).await?;
        database.create_table(EVENTS_TABLE, None, &EVENTS_INDEXES).await?;
        database.create_table(ONBOARDING_TABLE, None, &[]).await?;
        for (table, _) in [INSTALLATIONS_TABLE, CLAIMS_TABLE, ONBOARDING_TABLE] {
            database.start_stream(table).await?;
        }
        for (table, _) in [CLAIMS_TABLE, EVENTS_TABLE] {
            database.expire_rows(table).await?;
        }
        Ok(database)
    }

    /// A client that bypasses the wire: its calls are neither counted nor broken by faults.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    async fn create_table(
        &self,
        (table, key): (&str, &str),
        sort_key: Option<&str>,
        indexes: &[Index],
    ) -> Result<(), DynamoError> {
        let failed = |error: &dyn std::fmt::Display| DynamoError::Table(error.to_string());
        let text = attribute(key, ScalarAttributeType::S);
        let schema = schema(key, KeyType::Hash);
        let mut create = self
            .client
            .create_table()
            .table_name(table)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(text.map_err(|error| failed(&error))?)
            .key_schema(schema.map_err(|error| failed(&error))?);
        if let Some(sort_key) = sort_key {
            let text = attribute(sort_key, ScalarAttributeType::S).map_err(|error| failed(&error))?;
            let range = self::schema(sort_key, KeyType::Range).map_err(|error| failed(&error))?;
            create = create.attribute_definitions(text).key_schema(range);
        }
        for (name, partition, sort) in indexes {
            let defined = attribute(partition, ScalarAttributeType::S).map_err(|error| failed(&error))?;
            create = create.attribute_definitions(defined);
            if let Some(sort) = sort {
                let defined = attribute(sort, ScalarAttributeType::N).map_err(|error| failed(&error))?;
                create = create.attribute_definitions(defined);
            }
            let holds = if table == EVENTS_TABLE.0 { ProjectionType::All } else { ProjectionType::KeysOnly };
            let index = index(name, partition, *sort, holds).map_err(|error| failed(&error))?;
            create = create.global_secondary_indexes(index);
        }
        match create.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) =>
            {
                self.has_indexes(table, indexes).await
            }
            Err(error) => Err(failed(&aws_sdk_dynamodb::error::DisplayErrorContext(error))),
        }
    }

    /// A data folder of an earlier version lacks some indexes.
    async fn has_indexes(&self, table: &str, indexes: &[Index]) -> Result<(), DynamoError> {
        let described = self.client.describe_table().table_name(table).send().await;
        let described = described.map_err(|error| DynamoError::Table(error.to_string()))?;
        let there = described.table().map(TableDescription::global_secondary_indexes).unwrap_or_default();
        let is_there = |name: &str| there.iter().any(|index| index.index_name() == Some(name));
        if indexes.iter().all(|(name, ..)| is_there(name)) {
            return Ok(());
        }
        Err(DynamoError::Table(format!(
            "the data folder is from an earlier version, and its {table} table lacks an index: use another --data"
        )))
    }

    /// The changes of a table after the one with this sequence number, in order, as Lambda gets them.
    ///
    /// # Errors
    ///
    /// [`DynamoError::Stream`].
    pub async fn changes(
        &self,
        table: &str,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<Value>, DynamoError> {
        let broken = |what: &str| DynamoError::Stream(format!("{table}: {what}"));
        let described = self.client.describe_table().table_name(table).send().await;
        let described = described.map_err(|error| broken(&error.to_string()))?;
        let arn = described.table().and_then(TableDescription::latest_stream_arn);
        let arn = arn.ok_or_else(|| broken("it has no stream"))?;
        let stream = self.ask_stream("DescribeStream", &json!({"StreamArn": arn})).await?;
        let shard =
            stream["StreamDescription"]["Shards"][0]["ShardId"].as_str().ok_or_else(|| broken("no shard"))?;
        let mut from = json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
        if let Some(after) = after {
            from["ShardIteratorType"] = "AFTER_SEQUENCE_NUMBER".into();
            from["SequenceNumber"] = after.into();
        }
        let iterator = self.ask_stream("GetShardIterator", &from).await?;
        let from = json!({"ShardIterator": iterator["ShardIterator"], "Limit": most});
        let mut answer = self.ask_stream("GetRecords", &from).await?;
        let Value::Array(mut records) = answer["Records"].take() else { return Err(broken("no records")) };
        for record in &mut records {
            record["eventSourceARN"] = arn.into();
        }
        Ok(records)
    }

    async fn ask_stream(&self, operation: &str, request: &Value) -> Result<Value, DynamoError> {
        let reply =
            self.ask(&format!("DynamoDBStreams_20120810.{operation}"), request.to_string().into()).await;
        if reply.status == 200 { Ok(reply.body) } else { Err(DynamoError::Stream(reply.body.to_string())) }
    }

    /// Turns a table's stream on, with both images, as in the template.
    async fn start_stream(&self, table: &str) -> Result<(), DynamoError> {
        let failed = |error: &dyn std::fmt::Display| DynamoError::Table(error.to_string());
        let described = self.client.describe_table().table_name(table).send().await;
        let described = described.map_err(|error| failed(&error))?;
        if described.table().is_some_and(|table| table.latest_stream_arn().is_some()) {
            return Ok(());
        }
        let both = StreamSpecification::builder()
            .stream_enabled(true)
            .stream_view_type(StreamViewType::NewAndOldImages)
            .build()
            .map_err(|error| failed(&error))?;
        let update = self.client.update_table().table_name(table).stream_specification(both).send().await;
        update.map(|_| ()).map_err(|error| failed(&aws_sdk_dynamodb::error::DisplayErrorContext(error)))
    }

    async fn ask(&self, target: &str, body: Vec<u8>) -> Reply {
        let request = self
            .http
            .post(&self.url)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
            .header("x-amz-date", "20260101T000000Z")
            .body(body);
        let Ok(response) = request.send().await else {
            return Reply::error(500, "InternalServerError");
        };
        let status = response.status().as_u16();
        match response.bytes().await.map(|bytes| serde_json::from_slice::<Value>(&bytes)) {
            Ok(Ok(body)) => Reply { status, body },
            _ => Reply::error(500, "InternalServerError"),
        }
    }

    async fn expire_rows(&self, table: &str) -> Result<(), DynamoError> {
        let ttl = TimeToLiveSpecification::builder()
            .attribute_name("expires_at")
            .enabled(true)
            .build()
            .map_err(|error| DynamoError::Table(error.to_string()))?;
        // Rejected if it is already on, as in a database that was opened before.
        let _on_already =
            self.client.update_time_to_live().table_name(table).time_to_live_specification(ttl).send().await;
        Ok(())
    }
}

fn attribute(name: &str, kind: ScalarAttributeType) -> Result<AttributeDefinition, BuildError> {
    AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build()
}

fn schema(name: &str, kind: KeyType) -> Result<KeySchemaElement, BuildError> {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build()
}

fn index(
    name: &str,
    partition: &str,
    sort: Option<&str>,
    holds: ProjectionType,
) -> Result<GlobalSecondaryIndex, BuildError> {
    let projection = Projection::builder().projection_type(holds).build();
    let index = GlobalSecondaryIndex::builder()
        .index_name(name)
        .key_schema(schema(partition, KeyType::Hash)?)
        .projection(projection);
    match sort {
        None => index.build(),
        Some(sort) => index.key_schema(schema(sort, KeyType::Range)?).build(),
    }
}

impl Drop for Dynamo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Service for Dynamo {
    async fn answer(&self, operation: &str, body: &[u8]) -> Reply {
        self.ask(&format!("DynamoDB_20120810.{operation}"), body.to_vec()).await
    }
}
