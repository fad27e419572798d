"""Check an evidence pack without the console: python verify_evidence.py T-12-evidence.zip. Needs nothing but Python.

Every file must be the one that the manifest lists, and no other may be there. Exit 0 when all is right, 1 when not.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile

FORMAT = "custody-evidence/1"


def problems(path: str) -> list[str]:
    """What is wrong with a pack, one sentence per file; empty when all is right."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            manifest = json.loads(archive.read("manifest.json"))
            if manifest.get("format") != FORMAT:
                return [f"manifest.json: the format is not {FORMAT}"]
            listed = {one["name"]: one for one in manifest["files"]}
            found = [f"{name}: twice in the pack" for name in sorted({n for n in names if names.count(n) > 1})]
            found += [f"{name}: not in the manifest" for name in sorted({*names} - {*listed} - {"manifest.json"})]
            found += [f"{name}: missing" for name in sorted({*listed} - {*names})]
            return found + [
                f"{name}: changed" for name in sorted({*listed} & {*names}) if _differs(archive, listed[name])
            ]
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        return [f"not an evidence pack that can be read: {error}"]


def _differs(archive: zipfile.ZipFile, one: dict[str, object]) -> bool:
    digest, size = hashlib.sha256(), 0
    try:
        with archive.open(str(one["name"])) as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
                size += len(piece)
    except (zipfile.BadZipFile, OSError):
        return True
    return digest.hexdigest() != one["sha256"] or size != one["bytes"]


def main(paths: list[str]) -> int:
    """Check each pack and say what was found."""
    if not paths:
        print(__doc__)
        return 2
    wrong = 0
    for path in paths:
        found = problems(path)
        wrong += bool(found)
        print(f"{path}: {'; '.join(found) if found else 'every file is as the manifest says'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
