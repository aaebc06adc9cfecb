//! Owns examples: documents that really could be sent and really could be answered. Must not know
//! where they are shown.

use serde_json::{Value, json};

/// Examples of a schema, each with a name.
pub(super) fn of(schema: &str) -> Vec<(&'static str, Value)> {
    let id = |prefix: &str| format!("{prefix}{}", "a2".repeat(13));
    match schema {
        "NewCast" => vec![
            (
                "workshop",
                json!({ "name": "Workshop", "image_id": id("i"), "limit_total_sessions": true, "sessions_remaining": 30 }),
            ),
            (
                "website",
                json!({
                    "name": "Try it", "image_id": id("i"), "allow_anonymous": true, "require_captcha": true,
                    "restrict_to_referrers": ["acme.com"], "limit_requests_per_ip": true, "sessions_allowed": 2, "within_seconds": 3600,
                    "open_hours": { "time_zone": "Europe/Berlin", "spans": ["mon-fri 09:00-17:00"] },
                }),
            ),
        ],
        "CastChange" => vec![
            ("off", json!({ "enabled": false })),
            (
                "more",
                json!({ "sessions_remaining_add": 20, "valid_until": null }),
            ),
        ],
        "CastCopy" => vec![("renamed", json!({ "name": "Workshop in autumn" }))],
        "KeyRotation" => vec![("gently", json!({ "grace_seconds": 86_400 }))],
        "Trial" => vec![(
            "stranger",
            json!({ "address": "192.0.2.1", "referrer": "https://acme.com/try" }),
        )],
        "NewInvitations" => vec![(
            "class",
            json!({
                "guests": [{ "name": "Ann Smith" }, { "name": "Ben Jones", "label": "Class 8a" }],
                "label": "Class 7b", "uses": 2, "expires_at": "2027-01-31T18:00:00Z",
            }),
        )],
        "SessionExtensions" => vec![
            ("class", json!({ "minutes": 15, "search": "Class 7b" })),
            ("link", json!({ "minutes": 30, "cast_id": id("c") })),
        ],
        "InvitationChanges" => vec![(
            "longer",
            json!({ "ids": [id("v")], "uses": 5, "expires_at": "2027-02-28T18:00:00Z" }),
        )],
        "InvitationRevocations" => vec![("one", json!({ "ids": [id("v")] }))],
        "NewImage" => vec![
            (
                "desktop",
                json!({ "name": "Desktop", "container_image": "registry.example/desktop:1.2", "preset": "kasmweb" }),
            ),
            (
                "web app",
                json!({ "name": "Notes", "container_image": "registry.example/notes:3", "port": 8080, "cpu": 256, "memory": 512 }),
            ),
            (
                "task definition",
                json!({ "name": "Own", "task_definition": "own-app:7", "port": 8080 }),
            ),
        ],
        "ImageChange" => vec![(
            "newer",
            json!({ "container_image": "registry.example/desktop:1.3" }),
        )],
        "NewGroup" => vec![(
            "students",
            json!({ "name": "Students", "client_settings": { "permissions": { "uploads": false }, "idle_minutes": 20 } }),
        )],
        "GroupChange" => vec![("first", json!({ "priority": 1 }))],
        "NewNetwork" => {
            vec![(
                "lab",
                json!({ "name": "lab", "subnets": ["subnet-0123456789abcdef0"], "security_groups": ["sg-0123456789abcdef0"] }),
            )]
        }
        "NetworkChange" => vec![("public", json!({ "assign_public_ip": true }))],
        "NewStagingConfig" => vec![(
            "morning",
            json!({ "name": "Morning", "image_id": id("i"), "desired_sessions": 5 }),
        )],
        "StagingConfigChange" => vec![("fewer", json!({ "desired_sessions": 2 }))],
        "SettingsChange" => vec![
            (
                "maintenance",
                json!({ "maintenance": true, "maintenance_message": "Back at noon.", "maintenance_until": "2026-12-31T12:00:00Z" }),
            ),
            ("back", json!({ "maintenance": false })),
        ],
        "NewApiKey" => vec![
            ("reader", json!({ "name": "Dashboard" })),
            (
                "editor",
                json!({ "name": "CI", "scopes": ["read", "casts"] }),
            ),
        ],
        "ApiKeyChange" => vec![("ending", json!({ "expires_at": "2027-01-01T00:00:00Z" }))],
        "Claim" => vec![("plain", json!({ "ticket": "v1.payload.signature" }))],
        "Accepted" => {
            let status_url = format!("https://cast.example.com/session/{}/status", id("s"));
            vec![
                (
                    "reserved",
                    json!({
                        "session_id": id("s"), "state": "reserved", "status_url": status_url,
                        "session_token": "v1.payload.signature",
                    }),
                ),
                (
                    "resumed",
                    json!({
                        "session_id": id("s"), "state": "ready", "status_url": status_url,
                        "session_token": "v1.payload.signature",
                        "resumed": { "not_applied": ["docker-network-unchanged"] },
                    }),
                ),
            ]
        }
        "Status" => vec![
            (
                "starting",
                json!({ "id": id("s"), "state": "starting", "step": 2, "task_status": "pending", "ready_by": "2026-11-23T12:03:00Z" }),
            ),
            (
                "queued",
                json!({ "id": id("s"), "state": "reserved", "step": 1, "starts_in": 9, "message": "Many sessions are starting at this moment. Yours starts in about 9 seconds.", "ready_by": "2026-11-23T12:03:09Z" }),
            ),
            (
                "no room",
                json!({ "id": id("s"), "state": "ended", "reason": "no-capacity", "denial": "no-capacity", "retry_after": 60 }),
            ),
        ],
        "Devtools" => {
            let host = format!("{}.cast.example.com", id("s"));
            vec![(
                "ready",
                json!({
                    "url": format!("https://{host}/.cast/devtools"),
                    "websocket_url": format!("wss://{host}/.cast/devtools/browser"),
                    "token": "v1.payload.signature", "expires_at": "2026-11-23T13:00:00Z",
                }),
            )]
        }
        "WayIn" => {
            vec![(
                "once",
                json!({ "url": format!("https://{}.cast.example.com/.cast/enter?ticket=v1.payload.signature", id("s")) }),
            )]
        }
        "Me" => vec![(
            "reader",
            json!({ "kind": "api-key", "id": id("k"), "name": "Dashboard", "scopes": ["read"] }),
        )],
        _ => Vec::new(),
    }
}
