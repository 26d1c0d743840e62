"""What stands in the memory of a process, and the forms in which a secret may stand there."""

import re
import subprocess
from pathlib import Path


def regions(pid):
    """The octets of each mapping that can be read."""
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, *_, name = line.split(maxsplit=5) if line.count(" ") > 4 else [*line.split(), ""]
            begin, end = (int(part, 16) for part in place.split("-"))
            if "r" not in rights or name.strip() in ("[vvar]", "[vsyscall]"):
                continue
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except OSError:
                continue  # unmapped meanwhile, or a page of a file that is shorter


def holds(pid, needles):
    """Which of the needles ({name: octets}) the process holds."""
    found = set()
    for octets in regions(pid):
        found |= {name for name, needle in needles.items() if needle in octets}
    return found


def limbs(number, bits, size):
    """As BearSSL's big integers stand in memory: words of `bits` bits, the least first."""
    words = []
    while number:
        words.append((number & ((1 << bits) - 1)).to_bytes(size, "little"))
        number >>= bits
    return b"".join(words)


def forms_of_number(name, number):
    """Octets in both orders, and BearSSL's limbs. Half of it is a find as well."""
    length = (number.bit_length() + 7) // 8
    whole = {
        "octets": number.to_bytes(length, "big"),
        "octets, least first": number.to_bytes(length, "little"),
        "i15": limbs(number, 15, 2),
        "i31": limbs(number, 31, 4),
        "i32": limbs(number, 32, 4),
    }
    return {f"{name}, {form}, {half}": part
            for form, octets in whole.items()
            for half, part in (("front", octets[:len(octets) // 2]), ("back", octets[len(octets) // 2:]))}


def forms_of_key(path):
    """Of a private key's file: its secret numbers, and the lines of the file itself."""
    text = subprocess.run(["openssl", "pkey", "-in", path, "-noout", "-text"], check=True,
                          capture_output=True, text=True).stdout
    secret = ("priv", "privateExponent", "prime1", "prime2", "exponent1", "exponent2", "coefficient")
    needles = {}
    for name, digits in re.findall(r"(\w+):\n((?: +[0-9a-f:]+\n)+)", text):
        if name in secret:
            needles |= forms_of_number(name, int(re.sub(r"[^0-9a-f]", "", digits), 16))
    assert needles, text
    lines = Path(path).read_text().splitlines()[1:-1]
    # The first lines of an EC key say only what it is, the last ones what everybody may know.
    for number, line in enumerate(lines[:1] if len(lines) < 6 else lines[5:-1]):
        needles[f"line {number} of the file"] = line[-32:].encode()
    return needles


def forms_of_password(password):
    """In parts of 12 octets; in clear, and as SHA-256 has it: words, most significant first."""
    octets = password.encode()
    parts = {f"octets {at} to {at + 11}": octets[at:at + 12] for at in range(0, len(octets) - 11, 6)}
    for shift in range(4):
        words = octets[shift:shift + 16]
        parts[f"words from {shift}"] = b"".join(words[i:i + 4][::-1] for i in range(0, 16, 4))
    return parts
