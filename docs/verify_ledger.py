"""Verify a ledger of Alcove without Alcove. Python 3.9 or later, the standard library only.

    python3 verify_ledger.py ledger.jsonl [--key-file FILE] [--anchor NUMBER:HASH]

Exit status 0: every row is as it was written, and follows the one before. 1: it is not, and each place is
printed. 2: wrong usage, or a file that can't be read. The format is described in ledger.md beside this file; this
script shares no code with the program.
"""

import argparse
import getpass
import hashlib
import hmac
import json
import re
import sys

MARK = b"\x18\x18\n"


def canonical(row):
    return json.dumps(row, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def read_row(line, key):
    """The row in a line (without its end) and what is wrong with it: "" for nothing; None is no row."""
    try:
        row = json.loads(line.decode("ascii"))
        if not isinstance(row, dict) or canonical(row) != line or type(row["number"]) is not int:
            return None, "not a row"
        rest = {name: value for name, value in row.items() if name != "hash"}
        content = row["prev"].encode("ascii") + canonical(rest)
        if row["alg"] == "sha256":
            right = hashlib.sha256(content).hexdigest()
        elif row["alg"] != "hmac-sha256":
            return None, "not a row"
        elif key is None:
            return row, "its hash is made with a key that was not given"
        else:
            right = hmac.new(key, content, hashlib.sha256).hexdigest()
        return (row, "") if hmac.compare_digest(right, row["hash"]) else (None, "not a row")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, "not a row"


def could_be_torn(data):
    """Whether bytes are beginnings of rows, each followed by the mark but for the newest."""
    for piece in data.split(MARK):
        if b"\n" in piece:
            return False
        try:
            _, end = json.JSONDecoder().raw_decode(piece.decode("latin-1"))
        except ValueError:
            continue
        if end < len(piece):
            return False
    return bool(data)


def examine(data, key, anchor):
    """Every problem as (line number, words); how many rows there are, the newest, and how many have no key."""
    problems, strange, rows, unkeyed = [], b"", 0, 0
    number, previous, keyed, anchored = 0, "0" * 64, False, anchor is None
    for line_number, line in enumerate(split(data), 1):
        row, problem = read_row(line[:-1], key) if line.endswith(b"\n") else (None, "the last line is torn")
        if row is None:
            strange += line
            continue
        torn = row.get("kind") == "torn"
        region = strange[: -len(MARK)] if strange.endswith(MARK) else strange
        told = torn and region and row.get("bytes") == len(region)
        told = told and row.get("sha256") == hashlib.sha256(region).hexdigest() and strange.endswith(MARK)
        if (strange or torn) and not (told and could_be_torn(region)):
            problems.append((line_number - 1, "changed, or not written by Alcove"))
        strange = b""
        if problem:
            problems.append((line_number, problem))
        if row["prev"] != previous or row["number"] != number + 1:
            problems.append(
                (line_number, "does not follow the row before: rows were removed, added or moved")
            )
        if keyed and row["alg"] == "sha256":
            problems.append((line_number, "made without the key, after rows made with it"))
        keyed = keyed or row["alg"] != "sha256"
        unkeyed += row["alg"] == "sha256"
        number, previous, rows = row["number"], row["hash"], rows + 1
        if anchor is not None and number == anchor[0]:
            anchored = previous == anchor[1]
    if strange:
        problems.append((0, "the end is torn" if could_be_torn(strange) else "the end is changed"))
    if key is not None and rows and not keyed:
        problems.append((0, "no row is made with the key: the whole file may have been replaced"))
    if not anchored:
        problems.append((0, "the row of the anchor is not there, or is another"))
    return problems, rows, number, previous, unkeyed


def split(data):
    """Lines end at the byte 0x0A and nowhere else."""
    pieces = data.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def read_key(content):
    """A key as the keychain's tools print it, in hexadecimal, or the bytes themselves."""
    text = content.strip()
    return bytes.fromhex(text.decode("ascii")) if re.fullmatch(rb"[0-9a-f]{64}", text) else content


def main():
    parser = argparse.ArgumentParser(description="Verify a ledger of Alcove.")
    parser.add_argument("ledger")
    parser.add_argument(
        "--key-file", help="the key, as a file of hexadecimal or bytes; - asks for it in hexadecimal"
    )
    parser.add_argument("--anchor", help="NUMBER:HASH of a row that was noted before")
    chosen = parser.parse_args()
    key = None
    try:
        if chosen.key_file == "-":
            key = bytes.fromhex(getpass.getpass("Key, in hexadecimal (it is not shown): ").strip())
        elif chosen.key_file:
            with open(chosen.key_file, "rb") as file:
                key = read_key(file.read())
        anchor = None
        if chosen.anchor:
            number, _, digest = chosen.anchor.partition(":")
            anchor = (int(number), digest)
        with open(chosen.ledger, "rb") as file:
            data = file.read()
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")
    except ValueError:
        parser.error("the key is hexadecimal, and the anchor is NUMBER:HASH")
    problems, rows, number, head, unkeyed = examine(data, key, anchor)
    for line, words in problems:
        print(f"line {line}: {words}" if line else words)
    print(f"{rows} rows; head {number}:{head}; {'NOT INTACT' if problems else 'intact'}")
    if unkeyed:
        print(
            f"{unkeyed} rows have no key: whoever can write the file could have made them; only an anchor shows it"
        )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
