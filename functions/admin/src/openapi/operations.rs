//! Owns how it is said what a route takes and gives: the routes of the API say so in their table,
//! the public ones for programs here. Must not know how a document is written (see `document`), nor
//! how single fields look.

use casting_core::form::{TextSyntax, TextType, parsed};
use casting_core::ids::{ApiKeyId, CastId, CastKey, GroupId, ImageId, SessionId, StagingId};
use casting_core::network::NetworkName;
use casting_web::PublicRouteName;
use serde_json::{Value, json};

use crate::api::query::Query;

/// What one route takes and gives.
pub(crate) struct Operation {
    /// The heading under which it stands.
    pub(crate) tag: &'static str,
    /// What stands for the variable segment of its path.
    pub(crate) segment: Option<Value>,
    /// What it asks of the query.
    pub(crate) query: Option<fn(&mut Query)>,
    /// Headers that it reads.
    pub(crate) headers: &'static [&'static str],
    /// The schema of its body, and whether there must be one.
    pub(crate) body: Option<(&'static str, bool)>,
    /// What it gives when all is well.
    pub(crate) answer: Answer,
    /// What may keep it from that, besides what may keep any route.
    pub(crate) problems: &'static [u16],
    /// Operation ids of what can be done next with what it gives.
    pub(crate) links: &'static [&'static str],
    /// Who may come.
    pub(crate) keys: Keys,
}

/// What a route gives when all is well.
pub(crate) enum Answer {
    /// A document of this schema, with this status; and whether it has a version.
    Document {
        status: u16,
        schema: &'static str,
        versioned: bool,
    },
    /// Nothing.
    Nothing,
    /// A file.
    File,
}

/// What opens a route.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Nothing is needed.
    None,
    /// An API key.
    Admin,
    /// The token of a session.
    Session,
}

pub(crate) const IF_MATCH: &[&str] = &["IfMatch"];
pub(crate) const REPEATABLE: &[&str] = &["IdempotencyKey"];

pub(crate) fn plain(tag: &'static str, answer: Answer) -> Operation {
    Operation {
        tag,
        segment: None,
        query: None,
        headers: &[],
        body: None,
        answer,
        problems: &[],
        links: &[],
        keys: Keys::Admin,
    }
}

pub(crate) fn shows(tag: &'static str, schema: &'static str) -> Operation {
    plain(
        tag,
        Answer::Document {
            status: 200,
            schema,
            versioned: false,
        },
    )
}

/// A kind of thing that is made, read, changed and deleted.
pub(crate) struct Kind {
    pub(crate) tag: &'static str,
    shown: &'static str,
    new: &'static str,
    change: &'static str,
    pub(crate) id: TextSyntax,
    links: &'static [&'static str],
}

impl Kind {
    pub(crate) fn create(&self) -> Operation {
        Operation {
            body: Some((self.new, true)),
            headers: REPEATABLE,
            problems: &[409],
            links: self.links,
            ..plain(
                self.tag,
                Answer::Document {
                    status: 201,
                    schema: self.shown,
                    versioned: true,
                },
            )
        }
    }

    pub(crate) fn read(&self) -> Operation {
        Operation {
            segment: Some(self.id.schema()),
            ..plain(
                self.tag,
                Answer::Document {
                    status: 200,
                    schema: self.shown,
                    versioned: true,
                },
            )
        }
    }

    pub(crate) fn change(&self) -> Operation {
        Operation {
            body: Some((self.change, true)),
            headers: IF_MATCH,
            problems: &[409, 412],
            ..self.read()
        }
    }

    pub(crate) fn delete(&self) -> Operation {
        Operation {
            headers: IF_MATCH,
            problems: &[409, 412],
            answer: Answer::Nothing,
            ..self.read()
        }
    }
}

pub(crate) const CAST: Kind = Kind {
    tag: "Casts",
    shown: "Cast",
    new: "NewCast",
    change: "CastChange",
    id: CastId::SYNTAX,
    links: &[
        "readCast",
        "changeCast",
        "copyCast",
        "rotateKey",
        "restoreKey",
        "readCastReferences",
        "tryCast",
        "listCastClaims",
        "readCastStatistics",
        "deleteCast",
    ],
};
pub(crate) const IMAGE: Kind = Kind {
    tag: "Images",
    shown: "Image",
    new: "NewImage",
    change: "ImageChange",
    id: ImageId::SYNTAX,
    links: &[
        "readImage",
        "changeImage",
        "registerImage",
        "readImageReferences",
        "deleteImage",
    ],
};
pub(crate) const GROUP: Kind = Kind {
    tag: "People",
    shown: "Group",
    new: "NewGroup",
    change: "GroupChange",
    id: GroupId::SYNTAX,
    links: &[
        "readGroup",
        "changeGroup",
        "readGroupReferences",
        "deleteGroup",
    ],
};
pub(crate) const NETWORK: Kind = Kind {
    tag: "Images",
    shown: "Network",
    new: "NewNetwork",
    change: "NetworkChange",
    id: NetworkName::SYNTAX,
    links: &[
        "readNetwork",
        "changeNetwork",
        "readNetworkReferences",
        "deleteNetwork",
    ],
};
pub(crate) const STAGING: Kind = Kind {
    tag: "Casts",
    shown: "StagingConfig",
    new: "NewStagingConfig",
    change: "StagingConfigChange",
    id: StagingId::SYNTAX,
    links: &[
        "readStagingConfig",
        "readPool",
        "readStagingConfigReferences",
        "changeStagingConfig",
        "deleteStagingConfig",
    ],
};
pub(crate) const API_KEY: Kind = Kind {
    tag: "API keys",
    shown: "ApiKey",
    new: "NewApiKey",
    change: "ApiKeyChange",
    id: ApiKeyId::SYNTAX,
    links: &[
        "readApiKey",
        "changeApiKey",
        "readApiKeyReferences",
        "deleteApiKey",
    ],
};

/// The id of a cast, or the word for keys that no cast has.
pub(crate) fn cast_or_unknown() -> Value {
    json!({ "anyOf": [CastId::SYNTAX.schema(), { "const": "unknown" }] })
}

pub(crate) fn of_session(schema: &'static str) -> Operation {
    Operation {
        segment: Some(SessionId::SYNTAX.schema()),
        ..shows("Sessions", schema)
    }
}

/// A route for programs that claim sessions.
fn of_program(
    operation: Operation,
    segment: TextSyntax,
    keys: Keys,
    problems: &'static [u16],
) -> Operation {
    Operation {
        tag: "Claiming",
        segment: Some(segment.schema()),
        keys,
        problems,
        ..operation
    }
}

fn parameters(query: &mut Query) {
    let any = || parsed(|text| Ok::<String, String>(text.to_owned()));
    query.optional(
        "kasm_url",
        "The URL that the session opens, if the link allows this parameter.",
        &any(),
    );
    query.optional(
        "docker_network",
        "The network in which the session runs, if the link allows this parameter.",
        &any(),
    );
    query.optional(
        "invitation",
        "The invitation by which the visitor comes.",
        &any(),
    );
    query.optional(
        "via",
        "The ticket with which the login redirected back.",
        &any(),
    );
}

/// What a public route takes and gives; `None` for those that are not for programs.
pub(super) fn of_public(name: PublicRouteName) -> Option<Operation> {
    Some(match name {
        PublicRouteName::DescribeCast => {
            let operation = Operation {
                query: Some(parameters),
                ..shows("Claiming", "Description")
            };
            of_program(
                operation,
                CastKey::SYNTAX,
                Keys::None,
                &[403, 404, 409, 410, 422, 429],
            )
        }
        PublicRouteName::Claim => {
            let accepted = Answer::Document {
                status: 202,
                schema: "Accepted",
                versioned: false,
            };
            let operation = Operation {
                body: Some(("Claim", true)),
                headers: REPEATABLE,
                ..plain("Claiming", accepted)
            };
            let operation = Operation {
                links: &["sessionStatus", "openDevtools", "endSession"],
                ..operation
            };
            of_program(
                operation,
                CastKey::SYNTAX,
                Keys::None,
                &[401, 403, 404, 409, 410, 429],
            )
        }
        PublicRouteName::OpenDevtools => of_program(
            shows("Claiming", "Devtools"),
            SessionId::SYNTAX,
            Keys::Session,
            &[403, 404, 409, 410, 503],
        ),
        PublicRouteName::SessionStatus | PublicRouteName::EndSession => of_program(
            shows("Claiming", "Status"),
            SessionId::SYNTAX,
            Keys::Session,
            &[403, 404, 409, 410],
        ),
        _ => return None,
    })
}
