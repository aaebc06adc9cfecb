//! Owns what each route takes and gives, one entry a route. Must not know how a document is written (see `document`), nor how single fields look.

use casting_core::form::{Spelled, Spelling, spelled};
use casting_core::ids::{ApiKeyId, CastId, GroupId, ImageId, SessionId, StagingId, UserId};
use casting_core::network::NetworkName;
use casting_core::{audit::AuditId, ids::CastKey};
use casting_web::RouteName;
use serde_json::{Value, json};

use crate::api::paging::Paging;
use crate::api::query::Query;
use crate::api::{casts, claims, export, people, records, sessions};
use crate::service::profiles;

/// What one route takes and gives.
pub(super) struct Operation {
    /// The heading under which it stands.
    pub(super) tag: &'static str,
    /// What stands for the variable segment of its path.
    pub(super) segment: Option<Value>,
    /// What it asks of the query.
    pub(super) query: Option<fn(&mut Query)>,
    /// Headers that it reads.
    pub(super) headers: &'static [&'static str],
    /// The schema of its body, and whether there must be one.
    pub(super) body: Option<(&'static str, bool)>,
    /// What it gives when all is well.
    pub(super) answer: Answer,
    /// What may keep it from that, besides what may keep any route.
    pub(super) problems: &'static [u16],
    /// What can be done next with what it gives.
    pub(super) links: &'static [RouteName],
    /// Who may come.
    pub(super) keys: Keys,
}

/// What a route gives when all is well.
pub(super) enum Answer {
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
pub(super) enum Keys {
    /// Nothing is needed.
    None,
    /// An API key.
    Admin,
    /// The token of a session.
    Session,
}

const IF_MATCH: &[&str] = &["IfMatch"];
const REPEATABLE: &[&str] = &["IdempotencyKey"];

fn plain(tag: &'static str, answer: Answer) -> Operation {
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

fn shows(tag: &'static str, schema: &'static str) -> Operation {
    plain(
        tag,
        Answer::Document {
            status: 200,
            schema,
            versioned: false,
        },
    )
}

/// A list, asked for with these parameters.
fn lists(tag: &'static str, schema: &'static str, query: fn(&mut Query)) -> Operation {
    Operation {
        query: Some(query),
        ..shows(tag, schema)
    }
}

/// A kind of thing that is made, read, changed and deleted.
struct Kind {
    tag: &'static str,
    shown: &'static str,
    new: &'static str,
    change: &'static str,
    id: Spelling,
    links: &'static [RouteName],
}

impl Kind {
    fn create(&self) -> Operation {
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

    fn read(&self) -> Operation {
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

    fn change(&self) -> Operation {
        Operation {
            body: Some((self.change, true)),
            headers: IF_MATCH,
            problems: &[409, 412],
            ..self.read()
        }
    }

    fn delete(&self) -> Operation {
        Operation {
            headers: IF_MATCH,
            problems: &[409, 412],
            answer: Answer::Nothing,
            ..self.read()
        }
    }
}

const CAST: Kind = Kind {
    tag: "Casts",
    shown: "Cast",
    new: "NewCast",
    change: "CastChange",
    id: CastId::SPELLING,
    links: &[
        RouteName::ReadCast,
        RouteName::ChangeCast,
        RouteName::CopyCast,
        RouteName::RotateKey,
        RouteName::TryCast,
        RouteName::ListCastClaims,
        RouteName::ReadCastStatistics,
        RouteName::DeleteCast,
    ],
};
const IMAGE: Kind = Kind {
    tag: "Images",
    shown: "Image",
    new: "NewImage",
    change: "ImageChange",
    id: ImageId::SPELLING,
    links: &[
        RouteName::ReadImage,
        RouteName::ChangeImage,
        RouteName::RegisterImage,
        RouteName::DeleteImage,
    ],
};
const GROUP: Kind = Kind {
    tag: "People",
    shown: "Group",
    new: "NewGroup",
    change: "GroupChange",
    id: GroupId::SPELLING,
    links: &[
        RouteName::ReadGroup,
        RouteName::ChangeGroup,
        RouteName::DeleteGroup,
    ],
};
const NETWORK: Kind = Kind {
    tag: "Images",
    shown: "Network",
    new: "NewNetwork",
    change: "NetworkChange",
    id: NetworkName::SPELLING,
    links: &[
        RouteName::ReadNetwork,
        RouteName::ChangeNetwork,
        RouteName::DeleteNetwork,
    ],
};
const STAGING: Kind = Kind {
    tag: "Casts",
    shown: "StagingConfig",
    new: "NewStagingConfig",
    change: "StagingConfigChange",
    id: StagingId::SPELLING,
    links: &[
        RouteName::ReadStagingConfig,
        RouteName::ReadPool,
        RouteName::ChangeStagingConfig,
        RouteName::DeleteStagingConfig,
    ],
};
const API_KEY: Kind = Kind {
    tag: "API keys",
    shown: "ApiKey",
    new: "NewApiKey",
    change: "ApiKeyChange",
    id: ApiKeyId::SPELLING,
    links: &[
        RouteName::ReadApiKey,
        RouteName::ChangeApiKey,
        RouteName::DeleteApiKey,
    ],
};

fn pages(query: &mut Query) {
    _ = Paging::asked(query);
}

/// The id of a cast, or the word for keys that no cast has.
fn cast_or_unknown() -> Value {
    json!({ "anyOf": [CastId::SPELLING.schema(), { "const": "unknown" }] })
}

fn of_session(schema: &'static str) -> Operation {
    Operation {
        segment: Some(SessionId::SPELLING.schema()),
        ..shows("Sessions", schema)
    }
}

/// A route for programs that claim sessions.
fn of_program(
    operation: Operation,
    segment: Spelling,
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

fn wishes(query: &mut Query) {
    let any = || spelled(|text| Ok::<String, String>(text.to_owned()));
    query.optional(
        "kasm_url",
        "What the session shall open, if the link lets its address say so.",
        &any(),
    );
    query.optional(
        "docker_network",
        "The network that it shall run in, if the link lets its address say so.",
        &any(),
    );
    query.optional("via", "What the login brought back.", &any());
}

/// What a route takes and gives; `None` for those that are not for programs.
pub(super) fn of(name: RouteName) -> Option<Operation> {
    Some(match name {
        RouteName::ReadOpenApi => Operation {
            keys: Keys::None,
            headers: &["IfNoneMatch"],
            ..shows("About", "OpenApi")
        },
        RouteName::ReadMe => shows("About", "Me"),

        RouteName::ListCasts => lists(CAST.tag, "Casts", |query| _ = casts::asked(query)),
        RouteName::CreateCast => CAST.create(),
        RouteName::ReadCast => CAST.read(),
        RouteName::ChangeCast => CAST.change(),
        RouteName::DeleteCast => Operation {
            query: Some(|query| _ = casts::terminates(query)),
            ..CAST.delete()
        },
        RouteName::CopyCast => Operation {
            body: Some(("CastCopy", false)),
            segment: Some(CAST.id.schema()),
            problems: &[409],
            ..CAST.create()
        },
        RouteName::RotateKey => Operation {
            body: Some(("KeyRotation", false)),
            segment: Some(CAST.id.schema()),
            headers: &["IfMatch", "IdempotencyKey"],
            problems: &[409, 412],
            ..plain(
                CAST.tag,
                Answer::Document {
                    status: 201,
                    schema: "Cast",
                    versioned: true,
                },
            )
        },
        RouteName::TryCast => Operation {
            body: Some(("Trial", true)),
            segment: Some(CAST.id.schema()),
            ..shows(CAST.tag, "TrialResult")
        },
        RouteName::ListStagingConfigs => lists(STAGING.tag, "StagingConfigs", pages),
        RouteName::CreateStagingConfig => STAGING.create(),
        RouteName::ReadStagingConfig => STAGING.read(),
        RouteName::ChangeStagingConfig => STAGING.change(),
        RouteName::DeleteStagingConfig => STAGING.delete(),
        RouteName::ReadPool => Operation {
            segment: Some(STAGING.id.schema()),
            ..shows(STAGING.tag, "Pool")
        },

        RouteName::ListCastClaims => Operation {
            segment: Some(cast_or_unknown()),
            ..lists("Claims", "Claims", |query| _ = claims::asked(query))
        },
        RouteName::ListClaims => lists("Claims", "Claims", |query| _ = claims::asked_of_all(query)),
        RouteName::ExportClaims => Operation {
            query: Some(|query| _ = export::asked(query)),
            ..plain("Claims", Answer::File)
        },
        RouteName::ReadCastStatistics => Operation {
            segment: Some(CAST.id.schema()),
            ..lists("Claims", "Statistics", |query| _ = claims::span(query))
        },
        RouteName::ReadStatistics => lists("Claims", "Statistics", |query| _ = claims::span(query)),

        RouteName::ListGroups => lists(GROUP.tag, "Groups", pages),
        RouteName::CreateGroup => GROUP.create(),
        RouteName::ReadGroup => GROUP.read(),
        RouteName::ChangeGroup => GROUP.change(),
        RouteName::DeleteGroup => Operation {
            query: Some(|query| _ = records::forces(query)),
            ..GROUP.delete()
        },
        RouteName::ListUsers => lists("People", "Users", |query| _ = people::asked_users(query)),
        RouteName::ReadUser => Operation {
            segment: Some(UserId::SPELLING.schema()),
            ..shows("People", "User")
        },
        RouteName::DeleteUser => Operation {
            segment: Some(UserId::SPELLING.schema()),
            query: Some(|query| _ = casts::terminates(query)),
            problems: &[409],
            ..plain("People", Answer::Nothing)
        },

        RouteName::ListProfiles => Operation {
            segment: Some(UserId::SPELLING.schema()),
            ..shows("People", "Profiles")
        },
        RouteName::RestoreProfile => Operation {
            segment: Some(profiles::id_schema()),
            body: Some(("ProfileRestore", true)),
            problems: &[409],
            ..shows("People", "Profile")
        },
        RouteName::DeleteProfile => Operation {
            segment: Some(profiles::id_schema()),
            problems: &[409],
            ..plain("People", Answer::Nothing)
        },

        RouteName::ListImages => lists(IMAGE.tag, "Images", pages),
        RouteName::CreateImage => IMAGE.create(),
        RouteName::ReadImage => IMAGE.read(),
        RouteName::ChangeImage => IMAGE.change(),
        RouteName::RegisterImage => Operation {
            headers: IF_MATCH,
            problems: &[409, 412, 422],
            answer: Answer::Document {
                status: 201,
                schema: "Image",
                versioned: true,
            },
            ..IMAGE.read()
        },
        RouteName::DeleteImage => IMAGE.delete(),
        RouteName::ListNetworks => lists(NETWORK.tag, "Networks", pages),
        RouteName::CreateNetwork => NETWORK.create(),
        RouteName::ReadNetwork => NETWORK.read(),
        RouteName::ChangeNetwork => NETWORK.change(),
        RouteName::DeleteNetwork => NETWORK.delete(),

        RouteName::ReadSettings => plain(
            "Settings",
            Answer::Document {
                status: 200,
                schema: "Settings",
                versioned: true,
            },
        ),
        RouteName::ChangeSettings => Operation {
            body: Some(("SettingsChange", true)),
            headers: IF_MATCH,
            problems: &[409, 412],
            ..plain(
                "Settings",
                Answer::Document {
                    status: 200,
                    schema: "Settings",
                    versioned: true,
                },
            )
        },

        RouteName::ListSessions => {
            lists("Sessions", "Sessions", |query| _ = sessions::asked(query))
        }
        RouteName::ReadSession => of_session("Session"),
        RouteName::StopSession | RouteName::UnshareSession => Operation {
            problems: &[409, 410],
            ..of_session("Session")
        },
        RouteName::AdminWatchSession => Operation {
            problems: &[409, 410],
            ..of_session("WayIn")
        },

        RouteName::ListApiKeys => lists(API_KEY.tag, "ApiKeys", pages),
        RouteName::CreateApiKey => Operation {
            answer: Answer::Document {
                status: 201,
                schema: "IssuedApiKey",
                versioned: true,
            },
            headers: &[],
            ..API_KEY.create()
        },
        RouteName::ReadApiKey => API_KEY.read(),
        RouteName::ChangeApiKey => API_KEY.change(),
        RouteName::DeleteApiKey => API_KEY.delete(),

        RouteName::ListAudit => lists("Audit", "Audit", |query| _ = people::asked_audit(query)),
        RouteName::ReadAudit => Operation {
            segment: Some(AuditId::SPELLING.schema()),
            ..shows("Audit", "AuditEntry")
        },
        RouteName::UndoAudit => Operation {
            segment: Some(AuditId::SPELLING.schema()),
            problems: &[409, 412, 422],
            ..plain("Audit", Answer::Nothing)
        },

        RouteName::DescribeCast => {
            let operation = lists("Claiming", "Description", wishes);
            of_program(
                operation,
                CastKey::SPELLING,
                Keys::None,
                &[403, 404, 409, 410, 422, 429],
            )
        }
        RouteName::Claim => {
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
                links: &[RouteName::SessionStatus, RouteName::EndSession],
                ..operation
            };
            of_program(
                operation,
                CastKey::SPELLING,
                Keys::None,
                &[401, 403, 404, 409, 410, 429],
            )
        }
        RouteName::SessionStatus | RouteName::EndSession => of_program(
            shows("Claiming", "Status"),
            SessionId::SPELLING,
            Keys::Session,
            &[403, 404, 409, 410],
        ),
        _ => return None,
    })
}
