//! Owns how the document is put together from the route tables and what `operations` and `schemas`
//! say. Must not know any single route.

use casting_core::CHANGE_SECONDS;
use casting_core::denial::DenialCode;
use casting_web::code::Code;
use casting_web::{Access, PUBLIC_ROUTES, PublicRouteName, RequestError, Route};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::operations::{Answer, Keys, Operation, of_public};
use super::{examples, schemas, shared};
use crate::api::query;
use crate::api::routes::API_ROUTES;

/// The headings, and what stands under them.
const TAGS: [(&str, &str); 12] = [
    ("Claiming", "For programs that get sessions through a link."),
    (
        "Casts",
        "Links, and pools of sessions that are started in advance.",
    ),
    ("Images", "What sessions run, and where."),
    ("Sessions", "Live and past sessions."),
    (
        "Claims",
        "Requests for sessions, accepted and refused, and their outcomes.",
    ),
    (
        "Hooks",
        "Webhooks of casts and of the deployment, and their deliveries.",
    ),
    ("People", "Groups and users."),
    ("Settings", "The settings of the whole deployment."),
    ("API keys", "Credentials for this API."),
    ("Audit", "Change history and undo."),
    (
        "Configuration",
        "All casts, images, groups, networks, staging configs and settings as one document: export, plan, apply.",
    ),
    ("About", "This API itself."),
];

/// The whole document.
pub(super) fn whole() -> Value {
    let mut paths = Map::new();
    for documented in documented() {
        let route = documented.route;
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = write(&documented);
    }
    let mut all_schemas = schemas::all();
    shared::name_what_repeats(&mut all_schemas);
    let about = format!(
        "An API key: `{{id}}.{{secret}}`, as shown when it was created. Its scopes say what it may \
         do. {}",
        schemas::scopes()
    );
    let bearer = json!({ "type": "http", "scheme": "bearer", "description": about });
    let token = json!({ "type": "http", "scheme": "bearer", "description":
        "The `session_token` from the response to the claim." });
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Session casting",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Public links that give each visitor their own container.",
            "description": format!(
                "Lists are read a page at a time: `next` of one page is `cursor` of the next. A \
                 change contains the fields to change; null clears what may be empty. With \
                 `If-Match` it is made only to the version that was read. A change takes effect \
                 for visitors within {CHANGE_SECONDS} seconds."
            ),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": TAGS.map(|(name, description)| json!({ "name": name, "description": description })),
        "paths": paths,
        "components": {
            "schemas": all_schemas,
            "parameters": parameters(),
            "headers": headers(),
            "responses": problems(false),
            "securitySchemes": {
                "apiKey": bearer,
                "apiKeyHeader": { "type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same key, where `Authorization` is used otherwise." },
                "sessionToken": token,
            },
        },
    })
}

/// A route for programs.
pub(super) struct Documented {
    /// What code that is made from the document calls it.
    pub(super) operation_id: String,
    /// Path, method, access and summary.
    pub(super) route: &'static Route,
    operation: Operation,
}

/// Every route for programs: those of links and sessions first.
pub(super) fn documented() -> impl Iterator<Item = Documented> {
    let public = PUBLIC_ROUTES.iter().filter_map(|line| {
        Some(Documented {
            operation_id: camel_case(line.name),
            route: &line.route,
            operation: of_public(line.name)?,
        })
    });
    public.chain(API_ROUTES.iter().map(|line| Documented {
        operation_id: line.operation_id.to_owned(),
        route: &line.route,
        operation: (line.operation)(),
    }))
}

fn camel_case(name: PublicRouteName) -> String {
    let name = format!("{name:?}");
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(letters)
        .collect()
}

fn write(documented: &Documented) -> Value {
    let (route, operation) = (documented.route, &documented.operation);
    let mut written = json!({
        "operationId": documented.operation_id,
        "summary": route.summary.trim().trim_end_matches('.'),
        "tags": [operation.tag],
        "responses": responses(route, operation),
        "security": match operation.keys {
            Keys::None => json!([]),
            Keys::Admin => json!([{ "apiKey": [] }, { "apiKeyHeader": [] }]),
            // Browsers send a cookie whose name contains the session's id, so it cannot be declared
            // here.
            Keys::Session => json!([{ "sessionToken": [] }, {}]),
        },
    });
    if let Access::Write(scope) = route.access {
        written["description"] = json!(format!("Needs the scope `{}`.", scope.as_str()));
    }
    let mut parameters = Vec::new();
    if let (Some(schema), Some(name)) = (&operation.segment, segment_of(route.path)) {
        parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    }
    for parameter in operation.query.map(query::json_schema).unwrap_or_default() {
        parameters.push(json!({ "name": parameter.name, "in": "query", "description": parameter.about, "schema": parameter.schema }));
    }
    parameters.extend(
        operation
            .headers
            .iter()
            .map(|name| json!({ "$ref": format!("#/components/parameters/{name}") })),
    );
    if !parameters.is_empty() {
        written["parameters"] = json!(parameters);
    }
    if let Some((schema, must)) = operation.body {
        let mut media = json!({ "schema": reference(schema) });
        let examples = examples::of(schema);
        if !examples.is_empty() {
            media["examples"] = named(&examples);
        }
        written["requestBody"] =
            json!({ "required": must, "content": { "application/json": media } });
    }
    written
}

fn named(examples: &[(&'static str, Value)]) -> Value {
    examples
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!({ "value": value })))
        .collect::<Map<_, _>>()
        .into()
}

fn segment_of(path: &str) -> Option<&str> {
    path.split_once('{')?
        .1
        .split_once('}')
        .map(|(name, _)| name)
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// Adds the headers that tell of limits. They stand where programs first look for them: at answers
/// of links, and at 429 of everything.
fn add_limits(headers: &mut Value) {
    headers["RateLimit"] = header("RateLimit");
    headers["RateLimit-Policy"] = header("RateLimitPolicy");
}

fn responses(route: &Route, operation: &Operation) -> Value {
    let mut responses = Map::new();
    let mut headers = json!({ "Cache-Control": header("CacheControl") });
    if is_of_link(route) {
        add_limits(&mut headers);
    }
    match &operation.answer {
        Answer::Nothing => {
            responses.insert(
                "204".into(),
                json!({ "description": "Done.", "headers": headers }),
            );
        }
        Answer::File => {
            headers["Content-Disposition"] = header("ContentDisposition");
            headers["Link"] = header("Link");
            let content = json!({ "text/csv": { "schema": { "type": "string" } }, "application/json": { "schema": reference("Claims") } });
            responses.insert(
                "200".into(),
                json!({ "description": "The file.", "headers": headers, "content": content }),
            );
        }
        Answer::Document {
            status,
            schema,
            versioned,
        } => {
            if *versioned {
                headers["ETag"] = header("Version");
            }
            if operation.headers.contains(&"IfNoneMatch") {
                headers =
                    json!({ "ETag": header("Fingerprint"), "Cache-Control": header("CacheFor") });
                responses.insert(
                    "304".into(),
                    json!({ "description": "Not modified.", "headers": headers }),
                );
            }
            // Another key for a cast is no thing of its own.
            if matches!(status, 201 | 202) && !route.path.ends_with("key-rotations") {
                headers["Location"] = header("Location");
            }
            let mut media = json!({ "schema": reference(schema) });
            let examples = examples::of(schema);
            if !examples.is_empty() {
                media["examples"] = named(&examples);
            }
            let mut answer = json!({ "description": describe(*status), "headers": headers, "content": { "application/json": media } });
            if !operation.links.is_empty() {
                answer["links"] = links(operation, schema);
            }
            responses.insert(status.to_string(), answer);
        }
    }
    // Requests that do not accept JSON are taken for a browser's and get pages.
    let meets_people = operation.keys != Keys::Admin && route.method == Method::POST;
    let with_pages = if meets_people {
        problems(true)
    } else {
        Value::Null
    };
    if meets_people {
        let headers =
            json!({ "Location": header("Location"), "Cache-Control": header("CacheControl") });
        responses.insert(
            "303".into(),
            json!({ "description":
            "For browsers: a redirect to the next page, or to the error \
             page.", "headers": headers }),
        );
    }
    if meets_people && route.path.ends_with("/claims") {
        let headers = json!({ "Location": header("Location") });
        responses.insert(
            "307".into(),
            json!({ "description":
            "For browsers that have sent no cookie: once more, with one.", "headers": headers }),
        );
    }
    for status in statuses(route, operation) {
        let name = problem_name(status);
        let shared = json!({ "$ref": format!("#/components/responses/{name}") });
        responses.insert(
            status.to_string(),
            with_pages.get(&name).cloned().unwrap_or(shared),
        );
    }
    responses.into()
}

fn describe(status: u16) -> &'static str {
    match status {
        201 => "It was made.",
        202 => "Accepted and in progress.",
        _ => "Here it is.",
    }
}

/// From what was made on to what can be done with it.
fn links(operation: &Operation, schema: &str) -> Value {
    let id = match schema {
        "Network" => "$response.body#/name",
        "Accepted" => "$response.body#/session_id",
        _ => "$response.body#/id",
    };
    let written = documented().filter_map(|next| {
        if !operation.links.contains(&next.operation_id.as_str()) {
            return None;
        }
        let parameters = json!({ format!("path.{}", segment_of(next.route.path)?): id });
        let link = json!({ "operationId": next.operation_id, "parameters": parameters });
        Some((next.operation_id, link))
    });
    written.collect::<Map<_, _>>().into()
}

/// Whether visitors of a link ask for it, with the link's key.
fn is_of_link(route: &Route) -> bool {
    segment_of(route.path) == Some("key")
}

/// What may keep a route from giving what it gives.
fn statuses(route: &Route, operation: &Operation) -> Vec<u16> {
    let mut statuses: Vec<u16> = operation.problems.to_vec();
    if operation.keys == Keys::Admin {
        // Not found, a body that is too large or of another type, or not permitted.
        statuses.extend([400, 401, 403]);
    }
    if is_of_link(route) {
        statuses.push(400);
    }
    if operation.segment.is_some() {
        statuses.push(404);
    }
    if operation.body.is_some() {
        statuses.extend([400, 413, 415, 422]);
    }
    statuses.extend([429, 500, 503]);
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}

fn problem_name(status: u16) -> String {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    reason.split(' ').collect()
}

/// The answers that tell of a problem, by status; with pages for people if wanted.
fn problems(with_pages: bool) -> Value {
    let codes: Vec<Code> = codes();
    let mut statuses: Vec<u16> = codes.iter().map(|code| code.status().as_u16()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    let written = statuses.into_iter().map(|status| {
        let here: Vec<&Code> = codes.iter().filter(|code| code.status().as_u16() == status).collect();
        let titles: Vec<String> = here.iter().map(|code| format!("`{}`: {}.", code.as_str(), code.title())).collect();
        let mut headers = json!({ "Cache-Control": header("CacheControl") });
        match status {
            401 => headers["WWW-Authenticate"] = header("WwwAuthenticate"),
            405 => headers["Allow"] = header("Allow"),
            429 => {
                headers["Retry-After"] = header("RetryAfter");
                add_limits(&mut headers);
            }
            503 => headers["Retry-After"] = header("RetryAfter"),
            _ => {}
        }
        let names: Vec<&str> = here.iter().map(|code| code.as_str()).collect();
        let schema =
            json!({ "allOf": [reference("Problem"), { "properties": { "status": { "const": status }, "code": { "enum": names } } }] });
        let mut content = json!({ "application/problem+json": { "schema": schema } });
        if with_pages {
            content["text/html"] = json!({ "schema": { "type": "string" } });
        }
        (problem_name(status), json!({ "description": titles.join(" "), "headers": headers, "content": content }))
    });
    written.collect::<Map<_, _>>().into()
}

/// Every code that a problem may have.
pub(super) fn codes() -> Vec<Code> {
    DenialCode::ALL
        .into_iter()
        .map(Code::Denial)
        .chain(RequestError::ALL.iter().copied().map(Code::RequestError))
        .collect()
}

fn parameters() -> Value {
    json!({
        "IfMatch": {
            "name": "If-Match", "in": "header",
            "description": "The change is made only to a version whose ETag is listed here; `*` is \
                            any. Another version is refused with 412.",
            "schema": { "type": "string", "pattern": r#"^(?:\*|"[0-9]+(?:-[0-9]+)?"(?:, ?"[0-9]+(?:-[0-9]+)?")*)$"#, "examples": ["\"3\""] },
        },
        "IfNoneMatch": {
            "name": "If-None-Match", "in": "header",
            "description": "An ETag; if the document still has it, the response is 304.",
            "schema": { "type": "string" },
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header",
            "description": "A name for this request: a repetition under the same name creates \
                            nothing new.",
            "schema": { "type": "string", "pattern": r"^[!-~](?:[\t -~]{0,198}[!-~])?$", "examples": ["order-4711"] },
        },
    })
}

fn headers() -> Value {
    json!({
        "CacheControl": { "description": "Not cached.", "required": true, "schema": { "const": "no-store" } },
        "CacheFor": { "description": "May be stored, and must be revalidated.", "required": true, "schema": { "const": "no-cache" } },
        "Version": { "description": "The version, in quotes; of a cast also its Sessions Remaining.", "required": true, "schema": { "type": "string", "pattern": "^\"[0-9]+(-[0-9]+)?\"$" } },
        "Fingerprint": { "description": "The version of the document.", "required": true, "schema": { "type": "string", "pattern": "^\"[0-9a-z]+\"$" } },
        "Location": { "description": "Where it is.", "required": true, "schema": { "type": "string", "format": "uri-reference" } },
        "RetryAfter": { "description": "When to retry, in seconds.", "schema": { "type": "integer", "minimum": 0 } },
        "RateLimit": {
            "description": "What is left of the limits that count the caller (`r`), and after how \
                            many seconds there is more (`t`), by name: `calls` of an API key \
                            (every answer to one says it), `attempts` of an address, `sessions` of \
                            a link.",
            "schema": { "type": "string" }, "examples": { "calls": { "value": "\"calls\";r=1199;t=42" } },
        },
        "RateLimitPolicy": {
            "description": "How much these limits allow (`q`) in how many seconds (`w`).",
            "schema": { "type": "string" }, "examples": { "calls": { "value": "\"calls\";q=1200;w=60" } },
        },
        "WwwAuthenticate": { "description": "How to sign in.", "required": true, "schema": { "const": "Bearer" } },
        "Allow": { "description": "The allowed methods.", "required": true, "schema": { "type": "string" } },
        "ContentDisposition": { "description": "The file's name.", "required": true, "schema": { "type": "string", "pattern": "^attachment; filename=" } },
        "Link": { "description": "The next page, if there is one.", "schema": { "type": "string" } },
    })
}

/// Methods whose bodies are read.
#[cfg(test)]
pub(super) fn has_body(method: &Method) -> bool {
    *method == Method::POST || *method == Method::PATCH
}
