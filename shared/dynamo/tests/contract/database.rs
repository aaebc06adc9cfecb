//! Owns the DynamoDB of the tests, and clients for it. Must not know what is tested.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use casting_dynamo::schema::create_tables;
use casting_dynamo::{DynamoStore, TableNames};

use crate::wire::{Plan, Wire};

/// Tables on a DynamoDB.
pub struct Database {
    endpoint: String,
    pub tables: TableNames,
    // Dropping it stops the embedded server.
    _stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Database {
    /// New tables in an embedded DynamoDB; at the endpoint that the environment names, new tables
    /// beside the others.
    pub async fn open() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "whoever runs the tests names another DynamoDB here"
        )]
        let given = std::env::var("CASTING_TEST_DYNAMODB_ENDPOINT").ok();
        let (endpoint, stop) = match given {
            Some(endpoint) => (endpoint, None),
            None => serve(),
        };
        let tables = TableNames::with_prefix(&format!("casting-test-{:08x}-", fastrand::u32(..)));
        let database = Self {
            endpoint,
            tables,
            _stop: stop,
        };
        create_tables(&database.client(Plan::default()), &database.tables)
            .await
            .expect("tables");
        database
    }

    /// A client whose wire behaves as planned.
    pub fn client(&self, plan: Plan) -> Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(Wire::new(plan))
            .build();
        Client::from_conf(config)
    }

    /// A store whose wire behaves as planned.
    pub fn store(&self, plan: Plan) -> DynamoStore {
        DynamoStore::new(self.client(plan), self.tables.clone())
    }
}

/// Serves an empty DynamoDB on a thread of its own, because it works synchronously.
fn serve() -> (String, Option<tokio::sync::oneshot::Sender<()>>) {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener
        .set_nonblocking(true)
        .expect("a listener for tokio");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let database = dynoxide::Database::memory().expect("a database");
            let serving =
                dynoxide::server::serve_with_shutdown(listener, database, std::future::pending());
            tokio::select! {
                _ = serving => {}
                _ = stopped => {}
            }
        });
    });
    (endpoint, Some(stop))
}
