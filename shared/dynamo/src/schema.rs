//! Owns what the tables look like: the one description that local tables are made from and the
//! deployment's template is compared with. Must not know what the rows mean.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
    ProjectionType, ScalarAttributeType, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use casting_core::ports::{Fault, FaultKind};

use crate::fault::{incomplete, refused};
use crate::names;
use crate::retry::call;

/// One table.
#[derive(Clone, Copy, Debug)]
pub struct TableSchema {
    /// Its name, which a deployment puts its prefix before.
    pub name: &'static str,
    /// The key.
    pub key: KeySchema,
    /// The global secondary indexes.
    pub indexes: &'static [IndexSchema],
    /// The attribute that says when a row may be deleted, in seconds since 1970.
    pub ttl: Option<&'static str>,
}

/// The key of a table or an index.
#[derive(Clone, Copy, Debug)]
pub struct KeySchema {
    /// The partition key.
    pub partition: Attribute,
    /// The sort key.
    pub sort: Option<Attribute>,
}

/// A global secondary index.
#[derive(Clone, Copy, Debug)]
pub struct IndexSchema {
    /// Its name.
    pub name: &'static str,
    /// The key.
    pub key: KeySchema,
    /// What it repeats of the row.
    pub projection: Projection,
}

/// What an index repeats of the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    /// Everything: one read finds the whole row, and every write of the row is written twice.
    All,
    /// The keys only: writes that leave them alone cost nothing, and the rows are read by key.
    Keys,
}

/// A key attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: AttributeKind,
}

/// The type of a key attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttributeKind {
    /// `S`
    Text,
    /// `N`
    Number,
}

const fn text(name: &'static str) -> Attribute {
    Attribute {
        name,
        kind: AttributeKind::Text,
    }
}

const fn number(name: &'static str) -> Attribute {
    Attribute {
        name,
        kind: AttributeKind::Number,
    }
}

const fn key(partition: Attribute) -> KeySchema {
    KeySchema {
        partition,
        sort: None,
    }
}

const fn sorted(partition: Attribute, sort: Attribute) -> KeySchema {
    KeySchema {
        partition,
        sort: Some(sort),
    }
}

/// Every table.
pub const TABLES: &[TableSchema] = &[
    TableSchema {
        name: "casts",
        key: key(text(names::ID)),
        indexes: &[
            IndexSchema {
                name: names::BY_KEY,
                key: key(text(names::CAST_KEY)),
                projection: Projection::All,
            },
            IndexSchema {
                name: names::BY_KIND,
                key: sorted(text(names::KIND), text(names::ID)),
                projection: Projection::Keys,
            },
            IndexSchema {
                name: names::BY_NAME,
                key: sorted(text(names::KIND), text(names::NAME_SORT)),
                projection: Projection::Keys,
            },
            IndexSchema {
                name: names::BY_MADE,
                key: sorted(text(names::KIND), number(names::CREATED_AT)),
                projection: Projection::Keys,
            },
        ],
        ttl: None,
    },
    TableSchema {
        name: "sessions",
        key: key(text(names::ID)),
        indexes: &[
            IndexSchema {
                name: names::BY_KIND,
                key: sorted(text(names::KIND), number(names::CREATED_AT)),
                projection: Projection::Keys,
            },
            IndexSchema {
                name: names::BY_OWNER,
                key: sorted(text(names::OWNER_ID), number(names::CREATED_AT)),
                projection: Projection::Keys,
            },
            IndexSchema {
                name: names::BY_DUE,
                key: sorted(text(names::DUE), number(names::DUE_AT)),
                projection: Projection::Keys,
            },
            IndexSchema {
                name: names::BY_POOL,
                key: sorted(text(names::WAITS_IN), number(names::CREATED_AT)),
                projection: Projection::All,
            },
        ],
        ttl: Some(names::EXPIRES_AT),
    },
    TableSchema {
        name: "claims",
        key: sorted(text(names::LINK), text(names::HOUR_CODE)),
        indexes: &[IndexSchema {
            name: names::BY_HOUR,
            key: sorted(text(names::KIND), text(names::HOUR_CODE)),
            projection: Projection::All,
        }],
        ttl: Some(names::EXPIRES_AT),
    },
    TableSchema {
        name: "limits",
        key: key(text(names::ID)),
        indexes: &[],
        ttl: Some(names::EXPIRES_AT),
    },
    TableSchema {
        name: "catalog",
        key: sorted(text(names::KIND), text(names::ID)),
        indexes: &[],
        ttl: None,
    },
    TableSchema {
        name: "audit",
        key: sorted(text(names::KIND), text(names::ID)),
        indexes: &[IndexSchema {
            name: names::BY_TARGET,
            key: sorted(text(names::TARGET), text(names::ID)),
            projection: Projection::All,
        }],
        ttl: Some(names::EXPIRES_AT),
    },
];

impl TableSchema {
    /// Every key attribute of the table and its indexes, once.
    pub fn attributes(&self) -> BTreeSet<Attribute> {
        let keys = std::iter::once(&self.key).chain(self.indexes.iter().map(|index| &index.key));
        keys.flat_map(|key| std::iter::once(key.partition).chain(key.sort))
            .collect()
    }
}

/// What the tables are called in one deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableNames {
    /// Casts with their counters, and the claims to their keys.
    pub casts: String,
    /// Sessions, which are the accepted claims.
    pub sessions: String,
    /// Refused claims, and the hours that charts are drawn from.
    pub claims: String,
    /// IP windows, counts, used proofs and idempotency keys.
    pub limits: String,
    /// Images, networks, groups, users, staging configs, settings and API keys.
    pub catalog: String,
    /// Who changed what.
    pub audit: String,
}

impl TableNames {
    /// Every table under its own name, behind `prefix`.
    pub fn with_prefix(prefix: &str) -> Self {
        let name = |table| format!("{prefix}{table}");
        Self {
            casts: name("casts"),
            sessions: name("sessions"),
            claims: name("claims"),
            limits: name("limits"),
            catalog: name("catalog"),
            audit: name("audit"),
        }
    }

    /// The schemas with their names here.
    pub fn schemas(&self) -> impl Iterator<Item = (&str, &'static TableSchema)> {
        let names = [
            &self.casts,
            &self.sessions,
            &self.claims,
            &self.limits,
            &self.catalog,
            &self.audit,
        ];
        names.into_iter().map(String::as_str).zip(TABLES)
    }
}

/// Makes the tables that do not exist yet, and waits until all can be used. Changes nothing of
/// those that exist, except that their time to live is switched on.
///
/// # Errors
/// What DynamoDB refuses; `Unavailable` when a table is not active after a minute.
pub async fn create_tables(client: &Client, tables: &TableNames) -> Result<(), Fault> {
    for (name, schema) in tables.schemas() {
        create_table(client, name, schema).await?;
    }
    for (name, schema) in tables.schemas() {
        wait_until_active(client, name).await?;
        if let Some(attribute) = schema.ttl {
            enable_ttl(client, name, attribute).await?;
        }
    }
    Ok(())
}

const CREATE: &str = "create the tables";

async fn create_table(client: &Client, name: &str, schema: &TableSchema) -> Result<(), Fault> {
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(key_elements(schema.key)?));
    for attribute in schema.attributes() {
        request = request.attribute_definitions(definition(attribute)?);
    }
    for index in schema.indexes {
        let projection = match index.projection {
            Projection::All => ProjectionType::All,
            Projection::Keys => ProjectionType::KeysOnly,
        };
        let projection = aws_sdk_dynamodb::types::Projection::builder()
            .projection_type(projection)
            .build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(index.name)
            .set_key_schema(Some(key_elements(index.key)?))
            .projection(projection)
            .build()
            .map_err(incomplete(CREATE))?;
        request = request.global_secondary_indexes(index);
    }
    match request.send().await {
        Ok(_) => Ok(()),
        Err(SdkError::ServiceError(answer))
            if matches!(answer.err(), CreateTableError::ResourceInUseException(_)) =>
        {
            Ok(())
        }
        Err(error) => Err(refused(
            CREATE,
            format!("{name}: {}", aws_sdk_dynamodb::Error::from(error)),
        )),
    }
}

fn key_elements(key: KeySchema) -> Result<Vec<KeySchemaElement>, Fault> {
    let element = |attribute: Attribute, kind| {
        KeySchemaElement::builder()
            .attribute_name(attribute.name)
            .key_type(kind)
            .build()
    };
    let elements = std::iter::once(element(key.partition, KeyType::Hash))
        .chain(key.sort.map(|sort| element(sort, KeyType::Range)));
    elements
        .collect::<Result<_, _>>()
        .map_err(incomplete(CREATE))
}

fn definition(attribute: Attribute) -> Result<AttributeDefinition, Fault> {
    let kind = match attribute.kind {
        AttributeKind::Text => ScalarAttributeType::S,
        AttributeKind::Number => ScalarAttributeType::N,
    };
    AttributeDefinition::builder()
        .attribute_name(attribute.name)
        .attribute_type(kind)
        .build()
        .map_err(incomplete(CREATE))
}

async fn wait_until_active(client: &Client, name: &str) -> Result<(), Fault> {
    for _ in 0..240 {
        let request = client.describe_table().table_name(name);
        let answer = call(CREATE, || request.clone().send())
            .await?
            .map_err(|_| refused(CREATE, name))?;
        if answer.table.and_then(|table| table.table_status) == Some(TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Err(Fault {
        kind: FaultKind::Unavailable,
        what: CREATE,
        detail: format!("{name} does not become active"),
    })
}

async fn enable_ttl(client: &Client, name: &str, attribute: &str) -> Result<(), Fault> {
    let request = client.describe_time_to_live().table_name(name);
    let answer = call(CREATE, || request.clone().send())
        .await?
        .map_err(|_| refused(CREATE, name))?;
    let status = answer
        .time_to_live_description
        .and_then(|description| description.time_to_live_status);
    if matches!(
        status,
        Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
    ) {
        return Ok(());
    }
    let wanted = TimeToLiveSpecification::builder()
        .enabled(true)
        .attribute_name(attribute)
        .build()
        .map_err(incomplete(CREATE))?;
    let request = client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(wanted);
    call(CREATE, || request.clone().send())
        .await?
        .map_err(|_| refused(CREATE, name))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_match_their_table_names() {
        let names = TableNames::with_prefix("casting-");
        assert_eq!(names.schemas().count(), TABLES.len());
        for (name, schema) in names.schemas() {
            assert_eq!(name, format!("casting-{}", schema.name));
        }
    }
}
