#!/usr/bin/env python3
"""The last part of `make demo`: starts `unskew serve`, asks for the features of some users, lets `unskew train` answer
the same questions, and compares. Called with the binary, the file of events and the folder of results."""

import csv
import json
import pathlib
import subprocess
import sys
import urllib.request

# The end of what was materialized.
TIME = "2026-01-31T00:00:00Z"
USERS = 5


def ask(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def first_users(labels):
    users = dict.fromkeys(row["user_id"] for row in csv.DictReader(labels.open()))
    return list(users)[:USERS]


def trained(unskew, events, output, users, amounts):
    """What `unskew train` says, one object for each user."""
    labels, result = output / "asked.csv", output / "asked.jsonl"
    with labels.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["event_timestamp", "user_id", "amount"])
        rows.writerows([TIME, user, amount] for user, amount in zip(users, amounts))
    command = [unskew, "train", "--project", "examples/shop", "--service", "fraud", "--labels", labels]
    command += ["--output", result, "--source", f"events={events}", "--statuses"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in result.read_text().splitlines()]


def main():
    unskew, events, output = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    users = first_users(output / "labels.csv")
    amounts = [10.0 * (number + 1) for number in range(len(users))]
    command = [unskew, "serve", "--json", "--listen", "127.0.0.1:0", "examples/shop"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = json.loads(server.stdout.readline())["listening"]
            body = {"service": "fraud", "entities": {"user_id": users, "amount": amounts}, "time": TIME}
            served = ask(f"{url}/v1/features", body)["answer"]
            plain = ask(
                f"{url}/get-online-features",
                {"feature_service": "fraud", "entities": {"user_id": users[:1], "amount": amounts[:1]}},
            )
        finally:
            server.terminate()
    print(f"POST /get-online-features for {users[0]}, now:")
    for name, result in zip(plain["metadata"]["feature_names"], plain["results"]):
        print(f"  {name}: {result['values'][0]} ({result['statuses'][0]})")
    rows = trained(unskew, events, output, users, amounts)
    print(f"POST /v1/features as of {TIME}, beside `unskew train` at that time:")
    differ = 0
    for feature in served["features"]:
        name = feature["name"]
        for at, row in enumerate(rows):
            ours = (feature["values"][at], feature["statuses"][at])
            differ += ours != (row.get(name), row[f"{name}__status"])
        print(f"  {name}: {feature['values'][0]} ({feature['statuses'][0]}); {rows[0].get(name)} in training")
    compared = len(served["features"]) * len(rows)
    if differ:
        sys.exit(f"{differ} of {compared} values differ between training and serving")
    print(f"{compared} of {compared} values and statuses are the same.")


if __name__ == "__main__":
    main()
