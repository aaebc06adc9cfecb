"""Reads the output of `pytest -rP infra/tests/test_permissions.py` and prints which check showed each permission, for shown_by.json."""

import json
import re
import sys

LINE = re.compile(r"^(\w+Function \w+ [\w:]+): (\w+)$", re.MULTILINE)

if __name__ == "__main__":
    json.dump(dict(sorted(LINE.findall(sys.stdin.read()))), sys.stdout, indent=1)
    print()
