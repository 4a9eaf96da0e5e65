"""Rows of a benchmark, kept in a file as they are measured, so that a run that was stopped goes on."""
import json


def load_rows(path, fresh):
    return json.loads(path.read_text()) if path.exists() and not fresh else {}


def save_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1) + "\n")
