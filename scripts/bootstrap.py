"""Makes the virtual environment in .venv when it is missing or out of date, then runs Python in it.

    python3 scripts/bootstrap.py run|dev ARGUMENTS FOR PYTHON...

Standard library only, in a syntax that any Python 3 can read: an old one must get its sentence, not
a syntax error. uv installs in seconds what pip installs in minutes; where uv does not work, pip does.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(PROJECT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
FILES = {"run": ["requirements.txt"], "dev": ["requirements.txt", "requirements-dev.txt"]}
OLDEST = (3, 11)
NEWER = ["python3.13", "python3.12", "python3.11", "python3.14"]
UV = "uv==0.13.9"


def main():
    kind, arguments = sys.argv[1], sys.argv[2:]
    if sys.version_info < OLDEST:
        hand_over_to_newer_python()
    os.chdir(PROJECT)
    try:
        ensure_environment(kind)
    except OSError as error:
        refuse("cannot write to %s: %s." % (error.filename or VENV, error.strerror or error))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.stdout.flush()
    os.execv(PYTHON, [PYTHON] + arguments)


def hand_over_to_newer_python():
    for name in NEWER:
        path = shutil.which(name)
        if path:
            os.execv(path, [path] + sys.argv)
    version = ".".join(str(part) for part in sys.version_info[:3])
    refuse(
        "Custody needs Python 3.11 or newer, this is %s: install one, or name it with `make run PYTHON=...`." % version
    )


def ensure_environment(kind):
    """Install what the requirement files pin, unless exactly that was installed before."""
    with open(os.path.join(PROJECT, ".venv.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = fingerprint(kind)
        if kind == "run" and marked("dev", fingerprint("dev")):
            return
        if marked(kind, wanted):
            return
        began = time.time()
        make_venv()
        install(kind)
        with open(mark_of(kind), "w") as mark:
            mark.write(wanted)
        say("Python packages are installed, %.0f s" % (time.time() - began))


def fingerprint(kind):
    digest = hashlib.sha256()
    digest.update(("%s %s" % (sys.version_info[:2], VENV)).encode())
    for name in FILES[kind]:
        with open(os.path.join(PROJECT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def mark_of(kind):
    return os.path.join(VENV, "custody-" + kind)


def marked(kind, wanted):
    if not os.path.exists(mark_of(kind)) or not works(PYTHON):
        return False
    with open(mark_of(kind)) as mark:
        return mark.read() == wanted


def works(python):
    try:
        found = subprocess.check_output(
            [python, "-c", "import sys; print(sys.version_info[:2])"], stderr=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return found.decode().strip() == str(tuple(sys.version_info[:2]))


def make_venv():
    if works(PYTHON):
        return
    say("Making the virtual environment in .venv ...")
    shutil.rmtree(VENV, ignore_errors=True)
    if os.access(PROJECT, os.W_OK) is False:
        refuse("cannot write to %s: make the checkout writable for this user." % PROJECT)
    venv = [sys.executable, "-m", "venv"]
    if quietly(venv + [VENV]) != 0:
        # Debian ships venv without ensurepip; the pip outside can install into it.
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.check_call(venv + ["--without-pip", VENV])


def pip():
    inside = [PYTHON, "-m", "pip"]
    if quietly(inside + ["--version"]) == 0:
        return inside
    return [sys.executable, "-m", "pip", "--python", PYTHON]


def install(kind):
    say("Installing Python packages (once, a minute or two) ...")
    wanted = []
    for name in FILES[kind][-1:]:
        wanted += ["-r", name]
    uv = os.path.join(VENV, "bin", "uv")
    if quietly(pip() + ["install", "--quiet", UV]) == 0 and os.path.exists(uv):
        environment = dict(uv_settings(), **os.environ)
        environment["VIRTUAL_ENV"] = VENV
        if subprocess.call([uv, "pip", "install", "--quiet", "--python", PYTHON] + wanted, env=environment) == 0:
            return
        say("uv could not install the packages, trying pip ...")
    if subprocess.call(pip() + ["install", "--quiet"] + wanted) != 0:
        refuse("the Python packages could not be installed; see the lines above.")


def uv_settings():
    """pip's indexes in uv's words: uv does not read pip's configuration."""
    try:
        listed = subprocess.check_output(pip() + ["config", "list"], stderr=subprocess.DEVNULL).decode()
    except (OSError, subprocess.CalledProcessError):
        listed = ""
    found = dict(re.findall(r"^(?:global|install|:env:)\.([a-z-]+)='(.*)'$", listed, re.MULTILINE))
    settings = {"UV_HTTP_TIMEOUT": "120", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    for ours, theirs in (
        ("index-url", "UV_DEFAULT_INDEX"),
        ("extra-index-url", "UV_INDEX"),
        ("find-links", "UV_FIND_LINKS"),
    ):
        if found.get(ours):
            settings[theirs] = found[ours].replace("\\n", " ")
    if found.get("cert"):
        settings["SSL_CERT_FILE"] = found["cert"]
    return settings


def quietly(command):
    return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def say(line):
    print("custody: " + line)
    sys.stdout.flush()


def refuse(sentence):
    sys.stderr.write("custody: %s\n" % sentence)
    sys.exit(1)


if __name__ == "__main__":
    main()
