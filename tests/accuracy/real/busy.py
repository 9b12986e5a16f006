# Recursion, dictionaries, sorting, regular expressions, JSON, hashes, compression, until killed.
import hashlib
import json
import re
import zlib


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def words(rounds):
    counts = {}
    for i in range(rounds):
        for word in re.findall(r"[a-z]+", "the quick brown fox %d jumps over the lazy dog" % i):
            counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


while True:
    fibonacci(20)
    text = json.dumps({"words": words(500), "numbers": list(range(2000))})
    json.loads(text)
    hashlib.sha256(zlib.compress(text.encode() * 20)).hexdigest()
