"""Gathers real messages: those that Debian's packages carry for their own
tests. Source packages are fetched with apt from where the system has its
packages from, into build/samples, and read there; nothing is installed or
unpacked, and the system's own lists stay as they are."""

import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

HOME = Path(__file__).resolve().parent.parent.parent / "build" / "samples"
SYSTEM = Path("/etc/apt")

# Source packages, and where in them the messages are.
SOURCES = {
    "bogofilter": "src/tests/inputs/",
    "flufl.bounce": "flufl/bounce/tests/data/",
    "gmime": "tests/data/",
    "golang-github-jhillyerd-enmime": "testdata/",
    "kf5-messagelib": "autotests/data/",
    "kmime": "autotests/data/",
    "libmail-deliverystatus-bounceparser-perl": "t/corpus/",
    "notmuch": "test/corpora/",
    "php-horde-mime": "test/Horde/Mime/fixtures/",
    "python3.11": "Lib/test/test_email/data/",
    "rspamd": "test/functional/messages/",
}

LARGEST = 4 * 1024 * 1024
FIELD = re.compile(
    rb"^(?:from|to|subject|date|received|message-id|return-path|mime-version|content-type):",
    re.IGNORECASE | re.MULTILINE,
)
FROM_LINE = re.compile(rb"^From \S+ .*\d\d:\d\d.*\r?\n", re.MULTILINE)


class Sample(NamedTuple):
    name: str
    octets: bytes


def copy_places(lists):
    """The system's list of places, asked for sources in the place of binaries."""
    (lists / "sources.list.d").mkdir(exist_ok=True)
    for path in [SYSTEM / "sources.list", *(SYSTEM / "sources.list.d").glob("*")]:
        if path.suffix in (".list", ".sources") and path.is_file():
            text = re.sub(r"(?m)^deb(?=\s)", "deb-src", path.read_text())
            text = re.sub(r"(?mi)^Types:.*", "Types: deb-src", text)
            (lists / path.relative_to(SYSTEM)).write_text(text)


def apt(*words):
    """Runs apt-get with places, lists and a cache of its own."""
    lists = HOME / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (lists / folder).mkdir(parents=True, exist_ok=True)
    copy_places(lists)
    (lists / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{lists}/sources.list";\nDir::Etc::sourceparts "{lists}/sources.list.d";\n'
        f'Dir::State::lists "{lists}/lists";\nDir::Cache "{lists}/cache";\nAPT::Sandbox::User "";\n'
    )
    result = subprocess.run(["apt-get", "-q", *words], cwd=HOME, capture_output=True, text=True,
                            stdin=subprocess.DEVNULL, env={**os.environ, "APT_CONFIG": str(lists / "apt.conf")})
    if result.returncode:
        raise RuntimeError(f"the samples cannot be gathered: apt-get {' '.join(words)}:\n{result.stderr[-2000:]}")


def archives(package):
    return sorted(path for path in HOME.glob(f"{package}_*.orig*.tar.*") if path.suffix != ".asc")


def fetch():
    HOME.mkdir(parents=True, exist_ok=True)
    missing = [package for package in SOURCES if not archives(package)]
    if missing:
        apt("update")
        apt("source", "--download-only", "--tar-only", "--only-source", *missing)


def split(octets):
    """The messages of a file: one, or those of an mbox."""
    if not FROM_LINE.match(octets):
        return [octets]
    starts = [match for match in FROM_LINE.finditer(octets)
              if match.start() == 0 or octets[:match.start()].endswith((b"\n\n", b"\r\n\r\n"))]
    ends = [match.start() for match in starts[1:]] + [len(octets)]
    return [octets[match.end():end] for match, end in zip(starts, ends)]


def read(package):
    """The messages of a package, in the order of their names, none twice."""
    files = {}
    for archive in archives(package):
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and SOURCES[package] in member.name and member.size <= LARGEST:
                    files[member.name.partition("/")[2]] = tar.extractfile(member).read()
    seen, samples = set(), []
    for name, octets in sorted(files.items()):
        for number, message in enumerate(split(octets), 1):
            if FIELD.search(message[:4096]) and message not in seen:
                seen.add(message)
                samples.append(Sample(f"{package}/{name}#{number}", message))
    return samples
