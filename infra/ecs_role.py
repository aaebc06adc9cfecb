# Makes the service-linked role of ECS before the cluster: a new account has none, and a cluster with capacity providers cannot be made without it.
import json, time, urllib.request
import boto3

PROPAGATION_SECONDS = 15

def make_role():
    client = boto3.client("iam")
    try:
        client.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    except client.exceptions.InvalidInputException as error:
        # IAM has no narrower error for a role that exists.
        if "has been taken" not in str(error):
            raise
        return "Exists"
    time.sleep(PROPAGATION_SECONDS)
    return "Created"

def respond(event, data, error):
    body = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    body.update(Status="FAILED" if error else "SUCCESS", Reason=error or "Done", PhysicalResourceId="ecs-service-role", Data=data)
    # The URL is signed for no content type.
    request = urllib.request.Request(event["ResponseURL"], json.dumps(body).encode(), {"content-type": ""}, method="PUT")
    urllib.request.urlopen(request, timeout=20).read()

def handler(event, context):
    data, error = {}, None
    try:
        # The role belongs to the account, so it stays when the stack is deleted.
        if event["RequestType"] == "Create":
            data = {"Role": make_role()}
    except Exception as failure:
        error = str(failure)
    respond(event, data, error)
