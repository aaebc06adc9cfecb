"""What a deployment must be able to do, one check for each thing. Checks know nothing of each other and can be repeated."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import queue
import threading
import time
import urllib.parse
import uuid

IMAGE = {"image": "registry.example/app:1", "command": ["app"], "cpu": 256, "memory": 512}


# As in shared/core/src/records/hours.rs.
SETTLED_AFTER_SECONDS = 3600


def name():
    return f"t{uuid.uuid4().hex[:12]}"


def done(answer, status=200):
    assert answer.status == status, f"{answer}, and not {status}"
    return answer.json() if answer.text else None


def made_image(it):
    return done(it.admin("POST", "images", {"name": name(), **image_source()}), 201)


def image_source():
    return {"container_image": IMAGE["image"], "command": IMAGE["command"], "cpu": IMAGE["cpu"], "memory": IMAGE["memory"]}


def made_cast(it, **fields):
    return done(it.admin("POST", "casts", {"name": name(), "key": name(), "image_id": image(it), "allow_anonymous": True} | fields), 201)


def image(it):
    """One image for all."""
    if not hasattr(it, "image"):
        it.image = made_image(it)["id"]
    return it.image


def claimed(it, cast, headers=None):
    return done(it.claim(cast["key"], headers), 202)


def state(it, session):
    return done(it.request("GET", f"/session/{session['session_id']}/status", headers=it.owner(session)))


def ready(it, session):
    done(it.report(session["session_id"], {"is": "ready", "port": 18080}))


def remaining(it, cast):
    return done(it.admin("GET", f"casts/{cast['id']}"))["sessions_remaining"]


def listed(it, what):
    """The ids of all of these, page by page: a check that failed leaves behind what it made."""
    ids, page = [], {"next": ""}
    while page.get("next") is not None:
        page = done(it.admin("GET", f"{what}?limit=100" + (f"&cursor={urllib.parse.quote(page['next'])}" if page["next"] else "")))
        ids += [one["id"] for one in page["items"]]
    return ids


# The administrator.


def images_are_registered_changed_and_deleted(it):
    made = made_image(it)
    definition = it.client("ecs").describe_task_definition(taskDefinition=made["registered_task_definition"])["taskDefinition"]
    assert definition["family"] == f"casting-{made['id']}" and not definition.get("taskRoleArn"), definition
    assert definition["executionRoleArn"].endswith(it.resources["ExecutionRole"]), definition
    assert made["id"] in listed(it, "images")
    changed = done(it.admin("PATCH", f"images/{made['id']}", {"description": "better"}))
    assert changed["description"] == "better"
    again = done(it.admin("POST", f"images/{made['id']}/registrations"), 201)
    assert again["registered_task_definition"] not in (None, made["registered_task_definition"]), again
    deleted = it.admin("DELETE", f"images/{made['id']}")
    assert deleted.status in (200, 204), deleted


def casts_are_made_listed_changed_and_deleted(it):
    made = made_cast(it)
    assert made["id"] in listed(it, "casts")
    changed = done(it.admin("PATCH", f"casts/{made['id']}", {"key": name(), "limit_total_sessions": True, "sessions_remaining": 3}))
    assert changed["sessions_remaining"] == 3
    changed = done(it.admin("PATCH", f"casts/{made['id']}", {"name": "another"}))
    assert (changed["name"], changed["sessions_remaining"]) == ("another", 3)
    assert it.admin("DELETE", f"casts/{made['id']}").status in (200, 204)
    assert it.admin("GET", f"casts/{made['id']}").status == 404


def api_keys_open_and_end(it):
    made = done(it.admin("POST", "api-keys", {"name": name(), "scopes": ["read"]}), 201)
    token = {"authorization": f"Bearer {it.token}"}
    assert it.request("GET", "/api/admin/casts", headers=token | {"x-api-key": made["key"]}).status == 200
    deleted = it.admin("DELETE", f"api-keys/{made['id']}")
    assert deleted.status in (200, 204), deleted
    assert it.request("GET", "/api/admin/casts", headers=token | {"x-api-key": made["key"]}).status == 401


def what_the_api_is_can_be_read_without_token_and_key(it):
    assert "/api/admin/casts" in done(it.request("GET", "/api/admin/openapi.json"))["paths"]


def the_first_key_is_where_the_outputs_say(it):
    assert it.outputs["AdminKeyCommand"].split("--secret-id ")[1].split()[0] == it.outputs["AdminKeyArn"]


def the_admin_api_asks_for_a_token_and_for_a_key(it):
    key = {"x-api-key": it.api_key}
    nobody = it.request("GET", "/api/admin/casts", headers=key)
    assert nobody.status == 401 and "code" not in nobody.json(), f"the gateway refuses: {nobody}"
    forged = it.request("GET", "/api/admin/casts", headers=key | {"authorization": f"Bearer {it.token[:-8]}AAAAAAAA"})
    assert forged.status == 401 and "code" not in forged.json(), f"the gateway refuses: {forged}"
    keyless = it.request("GET", "/api/admin/casts", headers={"authorization": f"Bearer {it.token}"})
    assert keyless.status == 401 and keyless.json()["code"] == "unauthorized", f"the function refuses: {keyless}"
    assert it.admin("GET", "casts").status == 200
    page = it.request("GET", "/admin/sign-in", headers={"accept": "text/html"})
    assert page.status == 200, f"the console needs no token: {page}"


def links_are_found_by_name_by_age_and_by_a_word(it):
    made = made_cast(it, name=f"Harbour {name()}")
    for query in ("?sort=name&limit=100", "?sort=created_at&limit=100", f"?search={made['key']}"):
        listed = done(it.admin("GET", f"casts{query}"))
        assert listed["items"] or listed["next"], query
    assert [one["id"] for one in done(it.admin("GET", f"casts?search={made['key']}"))["items"]] == [made["id"]]


def changes_are_told_of_and_can_be_undone(it):
    made = made_cast(it)
    done(it.admin("PATCH", f"casts/{made['id']}", {"description": "changed"}))
    told = done(it.admin("GET", f"audit?target={made['id']}"))["items"]
    assert len(told) >= 2, told
    assert done(it.admin("GET", "audit"))["items"]
    newest = max(told, key=lambda one: one["at"])
    assert done(it.admin("GET", f"audit/{newest['id']}"))["target"] == made["id"]
    undone = it.admin("POST", f"audit/{newest['id']}/undo")
    assert undone.status in (200, 201, 204), undone
    assert done(it.admin("GET", f"casts/{made['id']}"))["description"] == ""


def a_request_of_the_administrator_that_is_sent_twice_is_done_once(it):
    key, document = {"idempotency-key": name()}, {"name": name(), "key": name(), "image_id": image(it), "allow_anonymous": True}
    first, second = (it.admin("POST", "casts", document, key) for _ in range(2))
    assert first.status == 201 and second.status in (200, 201) and first.json()["id"] == second.json()["id"], second


def claims_are_listed_counted_and_found_by_what_their_visitor_quotes(it):
    cast = made_cast(it)
    session = claimed(it, cast)
    assert session["session_id"] in str(done(it.admin("GET", "claims?limit=100")))
    assert done(it.admin("GET", "sessions?state=live"))["items"]
    row = it.row("SessionsTable").get_item(Key={"id": session["session_id"]})["Item"]
    assert session["session_id"] in str(done(it.admin("GET", f"claims?ref={row['quoted']}"))), row["quoted"]
    assert done(it.admin("GET", f"casts/{cast['id']}/statistics"))["total"]["launched"] >= 1
    assert done(it.admin("GET", "statistics"))["total"]["launched"] >= 1


# Visitors.


def a_claim_starts_one_task_of_the_right_kind_in_the_right_place(it):
    cast = made_cast(it, kasm_url="https://example.com/welcome")
    session = claimed(it, cast)
    task = it.task(session["session_id"])
    assert task["startedBy"] == session["session_id"] and task["clusterArn"].endswith(f"/{it.outputs['ClusterName']}")
    assert task["taskDefinitionArn"].split("/")[1].startswith(f"casting-{image(it)}:")
    assert task["launchType"] == "FARGATE" and "taskRoleArn" not in task["overrides"]
    told = {pair["name"]: pair["value"] for pair in task["overrides"]["containerOverrides"][0]["environment"]}
    assert told["CAST_SESSION_ID"] == session["session_id"] and told["KASM_URL"] == "https://example.com/welcome"
    assert told["CAST_REPORT_URL"] == it.outputs["CastBaseUrl"].removesuffix("/cast/")
    assert {"key": "session", "value": session["session_id"]} in task["tags"]
    assert state(it, session)["state"] in ("reserved", "starting")  # ECS's first event says that it starts
    # What the task is told is good once, and is not the secret of its gate.
    exchanged = [it.bootstrap(session["session_id"], told["CAST_BOOTSTRAP_TOKEN"]) for _ in range(2)]
    assert [answer.status for answer in exchanged] == [200, 403], exchanged
    assert exchanged[0].json()["secret"] == it.secret(session["session_id"]) not in told.values()


def a_session_is_entered_once_its_gate_is_ready_and_ended_by_its_owner(it):
    session = claimed(it, made_cast(it))
    ready(it, session)
    assert state(it, session)["state"] == "ready"
    entered = it.request("GET", f"/session/{session['session_id']}/enter", headers=it.owner(session))
    assert entered.status == 303 and f"https://{session['session_id']}.s.example.com/" in entered.headers["location"], entered
    stranger = it.request("GET", f"/session/{session['session_id']}/status")
    assert stranger.status in (401, 403, 404), stranger
    done(it.request("POST", f"/session/{session['session_id']}/end", headers=it.owner(session)))
    assert state(it, session)["state"] in ("stopping", "ended")
    assert it.task(session["session_id"])["desiredStatus"] == "STOPPED"


def a_place_and_a_slot_that_nobody_used_come_back_when_the_owner_gives_up(it):
    cast = made_cast(it, limit_total_sessions=True, sessions_remaining=5, limit_requests_per_ip=True, sessions_allowed=5, within_seconds=600)
    session = claimed(it, cast)
    assert remaining(it, cast) == 4
    done(it.request("POST", f"/session/{session['session_id']}/end", headers=it.owner(session)))
    assert state(it, session)["state"] in ("stopping", "ended")
    stopped(it, session)
    assert remaining(it, cast) == 5


def the_last_place_is_given_once_and_refusals_are_counted(it):
    it.restart("CastFunction")  # counts are written at once by a new environment, and once a minute from then on
    cast = made_cast(it, limit_total_sessions=True, sessions_remaining=1)
    claimed(it, cast)
    refused = it.claim(cast["key"])
    assert refused.status in (403, 404, 409, 410, 429, 503) and refused.json()["code"] == "no-sessions-left", refused
    assert remaining(it, cast) == 0
    listed = done(it.admin("GET", f"casts/{cast['id']}/claims"))
    assert "no-sessions-left" in str(listed), listed


def one_address_gets_no_more_than_its_share(it):
    cast = made_cast(it, limit_requests_per_ip=True, sessions_allowed=1, within_seconds=600)
    claimed(it, cast)
    refused = it.claim(cast["key"])
    assert refused.status == 429 and refused.json()["code"] == "ip-limit", refused


def no_more_sessions_live_at_once_than_may(it):
    cast = made_cast(it, max_live_sessions=1)
    session = claimed(it, cast)
    assert it.claim(cast["key"]).json()["code"] == "cast-busy"
    done(it.request("POST", f"/session/{session['session_id']}/end", headers=it.owner(session)))
    stopped(it, session)
    it.restart("CastFunction")
    claimed(it, cast)


def full_link_queues_visitors_and_admits_in_order(it):
    cast = made_cast(it, max_live_sessions=1, waiting_room=True)
    session = claimed(it, cast)
    waiting = it.claim(cast["key"])
    assert waiting.status == 202 and waiting.json()["state"] == "waiting", waiting
    room = waiting.json()["room_url"].split("/cast/")[1]
    seen = it.request("GET", f"/cast/{room}", headers={"accept": "application/json"})
    assert seen.status == 200 and seen.json()["position"] == 1, seen
    done(it.request("POST", f"/session/{session['session_id']}/end", headers=it.owner(session)))
    stopped(it, session)


def a_user_takes_up_the_own_session_again(it):
    cast, ada = made_cast(it, allow_resume=True), it.login_cookie(name())
    first = claimed(it, cast, ada)
    ready(it, first)
    assert claimed(it, cast, ada)["session_id"] == first["session_id"]


def the_files_of_a_user_are_sent_kept_and_cleared(it):
    # The bucket refuses plain HTTP, which is all that the emulator speaks.
    it.client("s3").delete_bucket_policy(Bucket=it.resources["ProfileBucket"])
    made = done(it.admin("POST", "images", {"name": name(), "profile_path": "/home/app", **image_source()}), 201)
    cast, ada = made_cast(it, image_id=made["id"], allow_anonymous=False), it.login_cookie(name())
    for text in (b"first", b"second"):
        session = claimed(it, cast, ada)
        ready(it, session)
        asked = done(it.report(session["session_id"], {"is": "restore"}, "profile"))
        if text == b"second":
            assert it.fetch(asked["archive"]["url"]) == b"first"
        one = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
        upload = done(it.report(session["session_id"], {"is": "save"} | one, "profile"))["upload"]
        assert it.report(session["session_id"], {"is": "saved"} | one, "profile").status >= 400, "nothing has arrived"
        sent = it.send(upload["url"], upload["headers"], text)
        assert sent == 200, (sent, upload["url"][:200], sorted(upload["headers"]))
        done(it.report(session["session_id"], {"is": "saved"} | one, "profile"), 204)
        stopped(it, session)
    user = it.row("SessionsTable").get_item(Key={"id": session["session_id"]})["Item"]["owner_id"]
    kept = done(it.admin("GET", f"users/{user}/profiles"))["items"][0]
    restored = done(it.admin("POST", f"profiles/{kept['id']}/restore", {"archive": kept["older"][0]["name"]}))
    assert restored["current"]["name"] == kept["older"][0]["name"]
    assert it.admin("DELETE", f"profiles/{kept['id']}").status == 204
    left = it.client("s3").list_objects_v2(Bucket=it.resources["ProfileBucket"], Prefix=f"profiles/{user}/")
    assert not left.get("Contents"), left


def the_same_request_finds_the_same_session(it):
    cast = made_cast(it)
    key = {"idempotency-key": name()}
    assert claimed(it, cast, key)["session_id"] == claimed(it, cast, key)["session_id"]


def a_claim_that_takes_no_place_is_held_to_the_links_version(it):
    cast = made_cast(it, limit_requests_per_ip=True, sessions_allowed=50, within_seconds=600)
    claimed(it, cast)


def a_link_that_nobody_made_is_unknown(it):
    answer = it.claim(name())
    assert answer.status == 404 and answer.json()["code"] == "unknown-cast", answer
    page = it.request("GET", "/error/no-sessions-left", headers={"accept": "text/html"})
    assert page.status == 200 or page.text.startswith("<!"), page
    assert it.request("GET", "/nothing/here").status == 404


# What goes on without visitors.


def the_administrator_sees_sessions_and_ends_them(it):
    cast = made_cast(it)
    session = claimed(it, cast)
    shown = done(it.admin("GET", f"sessions/{session['session_id']}"))
    assert shown["id"] == session["session_id"]
    assert session["session_id"] in [one["id"] for one in done(it.admin("GET", "sessions"))["items"]], "the newest come first"
    assert session["session_id"] in str(done(it.admin("GET", f"casts/{cast['id']}/claims")))
    assert it.admin("POST", f"sessions/{session['session_id']}/stop").status in (200, 202, 204)
    assert it.task(session["session_id"])["desiredStatus"] == "STOPPED"
    assert state(it, session)["state"] in ("stopping", "ended")


def an_administrator_gives_back_what_a_session_had_taken(it):
    cast = made_cast(it, limit_total_sessions=True, sessions_remaining=2, limit_requests_per_ip=True, sessions_allowed=9, within_seconds=600)
    session = claimed(it, cast)
    assert it.admin("POST", f"sessions/{session['session_id']}/stop").status in (200, 202, 204)
    stopped(it, session)
    assert remaining(it, cast) == 2


def a_link_can_be_tried_without_spending_anything(it):
    cast = made_cast(it, limit_requests_per_ip=True, sessions_allowed=1, within_seconds=600, max_live_sessions=4, allow_resume=True)
    told = done(it.admin("POST", f"casts/{cast['id']}/trials", {"address": "192.0.2.1", "user": "Ada"}))
    assert told, "every rule says what it says"


def settings_are_read_and_changed(it):
    done(it.admin("PATCH", "settings", {"attempts_per_minute": 100_000}))
    assert done(it.admin("GET", "settings"))["attempts_per_minute"] == 100_000


def the_start_page_has_the_deployments_brand(it):
    brand = name()
    done(it.admin("PATCH", "settings", {"brand_name": brand}))
    try:
        it.restart("AuthFunction")  # settings are remembered for some seconds
        page = it.request("GET", "/", headers={"accept": "text/html"})
        assert page.status == 200 and brand in page.text, page
    finally:
        done(it.admin("PATCH", "settings", {"brand_name": None}))


def news_of_a_task_moves_its_session(it):
    cast = made_cast(it, limit_total_sessions=True, sessions_remaining=1, limit_requests_per_ip=True, sessions_allowed=9, within_seconds=600)
    session = claimed(it, cast)
    stopped(it, session)
    assert state(it, session)["state"] == "ended"
    assert remaining(it, cast) == 1, "what was never ready is given back"


def a_task_without_a_session_is_stopped(it):
    session = claimed(it, made_cast(it))
    stopped(it, session)
    ecs, cluster = it.client("ecs"), it.outputs["ClusterName"]
    definition = it.task(session["session_id"])["taskDefinitionArn"]
    place = {"awsvpcConfiguration": {"subnets": [it.resources["PublicSubnetA"]], "securityGroups": [it.resources["SessionSecurityGroup"]]}}
    stray = ecs.run_task(cluster=cluster, taskDefinition=definition, startedBy=session["session_id"], launchType="FARGATE", networkConfiguration=place)["tasks"][0]
    failed, said = it.tell_lifecycle(news(stray["taskArn"], session["session_id"], "RUNNING", 2))
    assert not failed, said
    assert ecs.describe_tasks(cluster=cluster, tasks=[stray["taskArn"]])["tasks"][0]["desiredStatus"] == "STOPPED"


def the_sweep_ends_what_is_over_time(it):
    session = claimed(it, made_cast(it))
    ready(it, session)
    overdue(it, session)
    failed, said = it.tell_lifecycle({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}})
    assert not failed, said
    assert state(it, session)["state"] in ("stopping", "ended")
    assert it.task(session["session_id"])["desiredStatus"] == "STOPPED"


def the_sweep_finds_the_task_of_a_claim_that_was_cut_off(it):
    session = cut_off(it)
    overdue(it, session)
    failed, said = it.tell_lifecycle({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}})
    assert not failed, said
    assert state(it, session)["state"] == "starting"


def whoever_ends_a_session_whose_task_nobody_knows_ends_the_task_too(it):
    by_owner, by_administrator = cut_off(it), cut_off(it)
    done(it.request("POST", f"/session/{by_owner['session_id']}/end", headers=it.owner(by_owner)))
    assert it.admin("POST", f"sessions/{by_administrator['session_id']}/stop").status in (200, 202, 204)
    for session in (by_owner, by_administrator):
        assert it.task(session["session_id"])["desiredStatus"] == "STOPPED"


def an_hour_that_is_over_is_summed_up(it):
    table, now = it.row("ClaimsTable"), int(time.time())
    for one in table.scan()["Items"]:
        if "counts" in one:
            table.delete_item(Key={"link": one["link"], "hour_code": one["hour_code"]})
    session = claimed(it, made_cast(it))
    sessions = it.row("SessionsTable")
    row = sessions.get_item(Key={"id": session["session_id"]})["Item"]
    # The last hour that nothing can come to any more.
    sessions.put_item(Item=row | {"created_at": ((now - SETTLED_AFTER_SECONDS) // 3600 * 3600 - 3600 + 60) * 1000})
    it.restart("LifecycleFunction")
    failed, said = it.tell_lifecycle({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}})
    assert not failed, said
    made = [one for one in table.scan()["Items"] if "counts" in one]
    assert len(made) >= 2 and all(one["counts"]["launched"] >= 1 for one in made), made


def a_pool_is_filled_by_the_schedule_told_of_and_ended_when_it_is_deleted(it):
    pool = made_pool(it)
    try:
        waiting = swept(it, pool)["sessions"]
        assert len(waiting) == 1 and waiting[0]["pool"]["place"] == "waiting", waiting
        task = it.task(waiting[0]["id"])
        told = {pair["name"]: pair["value"] for pair in task["overrides"]["containerOverrides"][0]["environment"]}
        assert told["CAST_SESSION_ID"] == waiting[0]["id"] and task["startedBy"] == waiting[0]["id"], task
        seen = swept(it, pool)
        assert len(seen["sessions"]) == 1 and seen["spans"], f"no more than one, and the log is written: {seen}"
    finally:
        assert it.admin("DELETE", f"staging-configs/{pool['id']}").status == 204
    assert it.task(waiting[0]["id"])["desiredStatus"] == "STOPPED"


def a_session_that_leaves_its_pool_is_replaced_before_the_schedule_comes_by(it):
    pool, events, schedule = made_pool(it), it.client("events"), it.resources["LifecycleFunctionSweep"]
    try:
        first = swept(it, pool)["sessions"][0]["id"]
        events.disable_rule(Name=schedule)
        assert it.admin("POST", f"sessions/{first}/stop").status in (200, 202, 204)
        until = time.monotonic() + 20
        while not (waiting := [one["id"] for one in done(it.admin("GET", f"staging-configs/{pool['id']}/pool"))["sessions"]]):
            assert time.monotonic() < until, "nothing has taken its place"
            time.sleep(0.5)
        assert first not in waiting, waiting
    finally:
        events.enable_rule(Name=schedule)
        assert it.admin("DELETE", f"staging-configs/{pool['id']}").status == 204


def whoever_is_given_a_session_whose_gate_is_not_reached_gets_one_of_their_own(it):
    pool = made_pool(it)
    try:
        staged = swept(it, pool)["sessions"][0]["id"]
        done(it.report(staged, {"is": "ready", "port": 18080}))
        cast = made_cast(it, image_id=pool["image_id"], limit_total_sessions=True, sessions_remaining=5)
        it.restart("CastFunction")  # what waits is remembered for a moment
        session = claimed(it, cast)
        assert session["session_id"] != staged and state(it, session)["state"] in ("reserved", "starting"), session
        assert done(it.admin("GET", f"sessions/{session['session_id']}"))["pool"]["place"] == "missed"
        assert done(it.admin("GET", f"sessions/{staged}"))["state"] in ("stopping", "ended")
        assert remaining(it, cast) == 4, "counted once"
    finally:
        assert it.admin("DELETE", f"staging-configs/{pool['id']}").status == 204


def events_are_signed_sent_to_a_receiver_and_paused_by_it(it):
    with receiver() as (url, received, answers):
        cast = made_cast(it, hook_enabled=True, hook_url=url, hook_events=["session.claimed", "session.ended"])
        secret = done(it.admin("POST", f"hooks/{cast['id']}/secrets"), 201)["secret"]
        session = claimed(it, cast)
        delivered(it)
        headers, body = received.get(timeout=20)
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        assert "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode() in headers["webhook-signature"].split(" "), headers
        event = json.loads(body)
        assert (event["type"], event["data"]["session"], event["data"]["link"]["id"]) == ("session.claimed", session["session_id"], cast["id"]), event
        answers.append(410)
        done(it.request("POST", f"/session/{session['session_id']}/end", headers=it.owner(session)))
        delivered(it)
        _, body = received.get(timeout=20)
        assert json.loads(body)["type"] == "session.ended", body
        until = time.monotonic() + 20
        while not (paused := done(it.admin("GET", f"hooks/{cast['id']}"))["paused"]):
            assert time.monotonic() < until, "a receiver that is gone pauses its hook"
            time.sleep(0.5)
        assert paused["reason"] == "gone", paused
        changes = done(it.admin("GET", f"audit?target={cast['id']}"))["items"]
        assert any(change["field"] == "hook_paused" for entry in changes for change in entry["changes"]), changes


def events_come_to_an_event_bus_whose_rule_finds_them(it):
    with event_bus(it) as (bus, subscribed):
        cast = made_cast(it, hook_enabled=True, hook_url=bus)
        received = subscribed({"source": ["session-casting"], "detail-type": ["session.claimed"], "detail": {"data": {"link": {"id": [cast["id"]]}}}})
        claimed(it, made_cast(it, hook_enabled=True, hook_url=bus))
        session = claimed(it, cast)
        delivered(it)
        event = json.loads(received())
        detail = event["detail"]
        assert (event["source"], event["detail-type"], detail["type"]) == ("session-casting", "session.claimed", "session.claimed"), event
        assert (detail["id"], detail["data"]["session"]) == (f"{session['session_id']}-claimed", session["session_id"]), event
        listed = done(it.admin("GET", f"hooks/{cast['id']}/deliveries"))["items"]
        assert [one["state"] for one in listed] == ["delivered"], listed
    refused = it.admin("PATCH", f"casts/{cast['id']}", {"hook_url": bus + "2"})
    assert refused.status == 422 and bus in refused.text, refused


@contextlib.contextmanager
def event_bus(it):
    """The bus that the stack names, and what puts a queue behind a rule of it and returns what takes the first message."""
    events, sqs, made = it.client("events"), it.client("sqs"), name()
    bus = events.create_event_bus(Name="casting")["EventBusArn"]
    place = sqs.create_queue(QueueName=made)["QueueUrl"]

    def subscribed(pattern):
        arn = sqs.get_queue_attributes(QueueUrl=place, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name=made, EventBusName="casting", EventPattern=json.dumps(pattern))
        events.put_targets(Rule=made, EventBusName="casting", Targets=[{"Id": "queue", "Arn": arn}])
        return lambda: sqs.receive_message(QueueUrl=place, WaitTimeSeconds=10)["Messages"][0]["Body"]

    try:
        yield bus, subscribed
    finally:
        with contextlib.suppress(events.exceptions.ResourceNotFoundException):
            events.remove_targets(Rule=made, EventBusName="casting", Ids=["queue"])
            events.delete_rule(Name=made, EventBusName="casting")
        events.delete_event_bus(Name="casting")
        sqs.delete_queue(QueueUrl=place)


@contextlib.contextmanager
def receiver():
    """A server that keeps what it is sent. It answers with the last of its answers."""
    received, answers = queue.Queue(), [204]

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.put((self.headers, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(answers[-1])
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/events", received, answers
    finally:
        server.shutdown()
        server.server_close()


def delivered(it):
    """What the stream has not brought by now, the schedule sends."""
    failed, said = it.tell_lifecycle({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}})
    assert not failed, said


def made_pool(it):
    """A pool of one session, of an image that nothing else runs."""
    return done(it.admin("POST", "staging-configs", {"name": name(), "image_id": made_image(it)["id"], "desired_sessions": 1}), 201)


def swept(it, pool):
    """The pool once the schedule has come by."""
    failed, said = it.tell_lifecycle({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}})
    assert not failed, said
    return done(it.admin("GET", f"staging-configs/{pool['id']}/pool"))


def cut_off(it):
    """A session as it is when the cast function dies between its reservation and ECS's answer."""
    session, table = claimed(it, made_cast(it)), it.row("SessionsTable")
    row = table.get_item(Key={"id": session["session_id"]})["Item"]
    table.put_item(Item=row | {"state": {"is": "reserved"}, "task": None})
    return session


def stopped(it, session):
    task = it.task(session["session_id"])
    failed, said = it.tell_lifecycle(news(task["taskArn"], session["session_id"], "STOPPED", 9))
    assert not failed, said


def news(arn, session, status, version):
    detail = {"taskArn": arn, "startedBy": session, "lastStatus": status, "desiredStatus": status, "version": version, "containers": []}
    return {"detail-type": "ECS Task State Change", "source": "aws.ecs", "detail": detail}


def overdue(it, session):
    """The session's time is up."""
    table = it.row("SessionsTable")
    row = table.get_item(Key={"id": session["session_id"]})["Item"]
    long_ago = int(time.time() * 1000) - 3600_000
    # As it is from the first news of its task on.
    row["due"], row["due_at"] = "open", long_ago
    if "ends_at" in row["state"]:
        row["state"]["ends_at"] = long_ago
    table.put_item(Item=row)


def for_function(function):
    """All checks, first those that ask most of this function."""
    first = {
        "AuthFunction": [the_start_page_has_the_deployments_brand],
        "CastFunction": [the_last_place_is_given_once_and_refusals_are_counted, one_address_gets_no_more_than_its_share, a_user_takes_up_the_own_session_again],
        "SessionFunction": [the_files_of_a_user_are_sent_kept_and_cleared, a_place_and_a_slot_that_nobody_used_come_back_when_the_owner_gives_up],
        "AdminFunction": [the_files_of_a_user_are_sent_kept_and_cleared, casts_are_made_listed_changed_and_deleted, images_are_registered_changed_and_deleted, the_administrator_sees_sessions_and_ends_them],
        "LifecycleFunction": [news_of_a_task_moves_its_session, a_task_without_a_session_is_stopped, the_sweep_ends_what_is_over_time],
    }.get(function, [])
    return first + [check for check in CHECKS if check not in first]


CHECKS = [value for value in list(globals().values()) if callable(value) and getattr(value, "__module__", "") == __name__]
HELPERS = {name, done, made_image, image_source, made_cast, image, claimed, state, ready, remaining, listed, made_pool, swept, cut_off, stopped, news, overdue, receiver, event_bus, delivered, for_function}
CHECKS = [check for check in CHECKS if check not in HELPERS]
