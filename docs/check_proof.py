#!/usr/bin/env python3
"""Check a proof file of rice-stream with Python's standard library alone; docs/proofs.md describes the format.

    python3 check_proof.py PROOF.json PUBLIC_KEY[,PUBLIC_KEY...] [CHECKPOINT.txt]

PUBLIC_KEY: NAME+HASH+BASE64, which you have got from elsewhere than the file. CHECKPOINT.txt: a signed checkpoint that you have
kept, such as one that was mailed, or several, one after the other; the file has to hold one of them. Exit code 0: everything in
the file is proven.
"""

import json
import re
import sys
from base64 import b64decode
from hashlib import sha256, sha512
from pathlib import Path

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # of Ed25519 (RFC 8032)
D = -121665 * pow(121666, P - 2, P) % P


def need(holds, otherwise):
    if not holds:
        raise ValueError(otherwise)


def point(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if (x * x - square) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    need(y < P and (x * x - square) % P == 0 and (x or not sign), "no point of the curve")
    return (x if x % 2 == sign else P - x), y


def decoded(encoded):
    number = int.from_bytes(encoded, "little")
    return point(number & (2**255 - 1), number >> 255)


def added(a, b):
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x, y = a[0] * b[1] + b[0] * a[1], a[1] * b[1] + a[0] * b[0]
    return x * pow(1 + product, P - 2, P) % P, y * pow(1 - product, P - 2, P) % P


def times(number, base):
    result = (0, 1)
    for bit in f"{number:b}":
        result = added(result, result)
        result = added(result, base) if bit == "1" else result
    return result


def is_signed(key, text, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    h = int.from_bytes(sha512(r + key + text).digest(), "little") % L
    base = point(4 * pow(5, P - 2, P) % P, 0)
    return len(signature) == 64 and s < L and times(s, base) == added(decoded(r), times(h, decoded(key)))


def checkpoint(note, keys):
    """Origin, size and root of a note that one of the keys has signed."""
    text, _, lines = note.rpartition("\n\n")
    for _, name, encoded in (line.split(" ") for line in lines.splitlines()):
        key = keys.get((name, b64decode(encoded)[:4].hex()))
        if key is not None and is_signed(key, f"{text}\n".encode(), b64decode(encoded)[4:]):
            origin, size, root = text.split("\n")[:3]
            need(origin == name or origin.startswith(f"{name}/month/"), f"{origin} is no tree of {name}")
            return origin, int(size), b64decode(root)
    raise ValueError(f"none of the keys has signed {note!r}")


def kept_checkpoints(text, keys):
    found = re.findall(r"\S.*?\n\n(?:\u2014 [^\n]*\n?)+", text, re.DOTALL)
    need(found, "there is no signed checkpoint in the file that you have kept")
    return [checkpoint(note, keys) for note in found]


def node(left, right):
    return sha256(b"\1" + left + right).digest()


def root_of_leaf(index, size, leaf, proof):
    """RFC 9162, section 2.1.3, from the top: the last hash of a proof is that of the half that the leaf is not in."""
    if size == 1:
        need(not proof, "a proof is too long")
        return leaf
    half = 1 << (size - 1).bit_length() - 1
    if index < half:
        return node(root_of_leaf(index, half, leaf, proof[:-1]), proof[-1])
    return node(proof[-1], root_of_leaf(index - half, size - half, leaf, proof[:-1]))


def both_roots(first, second, proof, known):
    """RFC 9162, section 2.1.4: the roots of the earlier and the later tree, of the same hashes; `known`: the earlier root."""
    if first == second:
        need(len(proof) == (known is None), "a proof has another length")
        return (proof[0], proof[0]) if known is None else (known, known)
    half = 1 << (second - 1).bit_length() - 1
    if first <= half:
        old, new = both_roots(first, half, proof[:-1], known)
        return old, node(new, proof[-1])
    old, new = both_roots(first - half, second - half, proof[:-1], None)
    return node(proof[-1], old), node(proof[-1], new)


def main(file, public_keys, kept=None):
    parts = [key.split("+", 2) for key in public_keys.split(",")]
    keys = {(name, hashed): b64decode(encoded)[1:] for name, hashed, encoded in parts}
    for (name, hashed), key in keys.items():
        need(
            sha256(f"{name}\n\1".encode() + key).hexdigest()[:8] == hashed, f"key {name}+{hashed} was not copied whole"
        )
    found = json.loads(Path(file).read_text("utf-8"))
    known, proven = kept_checkpoints(Path(kept).read_text("utf-8"), keys) if kept else None, 0
    for tree in found["trees"]:
        signed = [checkpoint(note, keys) for note in tree["checkpoints"]]
        is_audit = tree["kind"] == "audit"
        need(
            {origin in {name for name, _ in keys} for origin, _, _ in signed} == {is_audit}, "a tree is of another kind"
        )
        need(len({origin for origin, _, _ in signed}) == 1, "the checkpoints are of several trees")
        need(known is None or {*known} & {*signed}, "no checkpoint that you have is in the file")
        need(
            all(mine[2] == each[2] for mine in known or () for each in signed if mine[:2] == each[:2]),
            "the checkpoint that you have is another one: there are two histories",
        )
        need(len(tree["consistency"]) == len(signed) - 1, "proofs of consistency are missing")
        for (_, first, old), (_, second, new), proof in zip(signed, signed[1:], tree["consistency"], strict=False):
            need(0 < first <= second, "the checkpoints are not in their order")
            need(
                both_roots(first, second, [*map(b64decode, proof)], old) == (old, new),
                f"{first} to {second} was rewritten",
            )
        for each in tree["leaves"]:
            index, leaf, (_, size, root) = each["index"], each["leaf"].encode(), signed[each["checkpoint"]]
            need(0 <= index < size and each["checkpoint"] >= 0, f"there is no leaf {index}")
            hashed = root_of_leaf(index, size, sha256(b"\0" + leaf).digest(), [*map(b64decode, each["proof"])])
            need(
                hashed == root and (not is_audit or json.loads(leaf)["id"] == index + 1), f"leaf {index} is another one"
            )
            proven += 1
    sys.stdout.write(f"{proven} leaves of {len(found['trees'])} trees are proven\n")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as problem:
        sys.exit(f"NOT PROVEN: {problem}")
