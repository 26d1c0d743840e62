"""The inputs a target has to withstand, kept in the tree: tests/fuzz/corpus/TARGET.tar.gz
(small ones that together reach all that was ever reached) and tests/fuzz/findings/TARGET/
(a file each: what once broke it)."""

import gzip
import io
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def archive(target):
    return HERE / "corpus" / f"{target}.tar.gz"


def unpack(target, folder):
    """Puts all of them into `folder`; how many there are."""
    count = 0
    if archive(target).exists():
        with tarfile.open(archive(target)) as packed:
            for member in packed:
                (Path(folder) / Path(member.name).name).write_bytes(packed.extractfile(member).read())
                count += 1
    for finding in sorted((HERE / "findings" / target).glob("*")):
        (Path(folder) / finding.name).write_bytes(finding.read_bytes())
        count += 1
    return count


def pack(target, folder, most):
    """Packs the files of `folder`, the small ones first, up to `most` octets in
    all; the same files make the same archive."""
    chosen, size = [], 0
    for path in sorted(folder.iterdir(), key=lambda path: (path.stat().st_size, path.name)):
        if size + path.stat().st_size <= most:
            chosen.append(path)
            size += path.stat().st_size
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as packed:
        for path in sorted(chosen):
            entry = tarfile.TarInfo(path.name[:16])
            entry.size = path.stat().st_size
            packed.addfile(entry, io.BytesIO(path.read_bytes()))
    archive(target).parent.mkdir(exist_ok=True)
    archive(target).write_bytes(gzip.compress(tar.getvalue(), mtime=0))
    left = sum(1 for _ in folder.iterdir()) - len(chosen)
    return f"{len(chosen)} inputs, {size} octets" + (f"; {left} larger ones left out" if left else "")
