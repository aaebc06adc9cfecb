# Works out what the edge must know, and hands it over: to the bucket that its key-value store is filled from, or to its secret.
import base64, hashlib, hmac, json, urllib.request
import boto3

ORIGIN_FACING = "com.amazonaws.global.cloudfront.origin-facing"

def edge_key(master):
    # As Keyring::edge_key in shared/protocol/src/keys.rs.
    key = base64.urlsafe_b64decode(master.strip() + "=")
    derived = hmac.new(key, b"session-casting 1 sessions", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(derived).decode().rstrip("=")

def hand_over(wanted):
    secrets = boto3.client("secretsmanager")
    arns = [wanted["SigningKey"], wanted.get("PreviousSigningKey")]
    keys = ",".join(edge_key(secrets.get_secret_value(SecretId=arn)["SecretString"]) for arn in arns if arn)
    values = dict(wanted["Values"], keys=keys)
    text = json.dumps({"data": [{"key": key, "value": values[key]} for key in sorted(values)]})
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    told = {"Version": version}
    if wanted.get("Secret"):
        secrets.put_secret_value(SecretId=wanted["Secret"], SecretString=keys)
    if wanted.get("Bucket"):
        name = "edge-%s.json" % version
        boto3.client("s3").put_object(Bucket=wanted["Bucket"], Key=name, Body=text.encode(), ContentType="application/json")
        told["SourceArn"] = "arn:%s:s3:::%s/%s" % (wanted["Partition"], wanted["Bucket"], name)
        lists = boto3.client("ec2").describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [ORIGIN_FACING]}])
        told["PrefixListId"] = lists["PrefixLists"][0]["PrefixListId"]
    return told

def clear(bucket):
    client = boto3.client("s3")
    for found in client.list_objects_v2(Bucket=bucket).get("Contents", []):
        client.delete_object(Bucket=bucket, Key=found["Key"])

def answer(event, told, why):
    said = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    said.update(Status="FAILED" if why else "SUCCESS", Reason=why or "Done", PhysicalResourceId="edge-settings", Data=told)
    # The address is signed for no content type.
    request = urllib.request.Request(event["ResponseURL"], json.dumps(said).encode(), {"content-type": ""}, method="PUT")
    urllib.request.urlopen(request, timeout=20).read()

def handler(event, context):
    wanted, told, why = event["ResourceProperties"], {}, None
    try:
        before = wanted if event["RequestType"] == "Delete" else event.get("OldResourceProperties", {})
        if event["RequestType"] != "Delete":
            told = hand_over(wanted)
        if before.get("Bucket") and (before is wanted or before["Bucket"] != wanted.get("Bucket")):
            clear(before["Bucket"])
    except Exception as error:
        why = str(error)
    answer(event, told, why)
