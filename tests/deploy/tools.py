"""Paths, running programs, and the tools, which are installed into `target/tools` in pinned versions."""

import functools
import os
import pathlib
import pty
import re
import shutil
import socket
import subprocess
import sys
import termios
import textwrap
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "target" / "tools"
WORK = ROOT / "target" / "deploy"
REQUIREMENTS = pathlib.Path(__file__).resolve().parent / "requirements"
CFN_GUARD = "3.2.1"
IN_CI = bool(os.environ.get("CI"))


class Failed(Exception):
    """A step failed. The message says what was expected and what was found."""


class NotRun(Exception):
    """This machine lacks what a step needs."""


def cannot_run(why):
    """Prints a notice. In CI no step may be skipped."""
    print(f"\n*** NOT RUN: {why} ***\n", flush=True)
    raise Failed(f"cannot run: {why}") if IN_CI else NotRun(why)


def now():
    return time.monotonic()


def check(holds, message):
    if not holds:
        raise Failed(message)


def venv_program(name, program):
    return TOOLS / name / "bin" / program


def install():
    """One virtual environment per list of requirements, rebuilt when the list changes; and cfn-guard."""
    for requirements in sorted(REQUIREMENTS.glob("*.txt")):
        name = requirements.stem
        installed = TOOLS / name / "installed.txt"
        if installed.exists() and installed.read_text() == requirements.read_text():
            continue
        print(f"installing {name} …", flush=True)
        shutil.rmtree(TOOLS / name, ignore_errors=True)
        # Independent of the environment in which this runs.
        subprocess.run([getattr(sys, "_base_executable", sys.executable), "-m", "venv", TOOLS / name], check=True)
        pip = [venv_program(name, "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", requirements], check=True)
        shutil.copy(requirements, installed)
    if not guard_program().exists():
        print("installing cfn-guard …", flush=True)
        folder = TOOLS / f"cfn-guard-{CFN_GUARD}"
        # Unoptimized: it runs for seconds and would build for minutes.
        cargo = ["cargo", "install", "--quiet", "--debug", "--locked", "--root", folder, f"cfn-guard@{CFN_GUARD}"]
        # Outside of the workspace, whose profile is for what ships.
        subprocess.run(cargo, check=True, cwd=TOOLS)


def guard_program():
    return TOOLS / f"cfn-guard-{CFN_GUARD}" / "bin" / "cfn-guard"


def environment(**more):
    """The environment of every program, without this machine's AWS settings and without telemetry."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_", "NOTION_", "GRANTS_"))
    }
    kept["PATH"] = f"{TOOLS / 'sam' / 'bin'}{os.pathsep}{kept['PATH']}"
    kept |= {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
    }
    return kept | more


def run(command, *, expect=0, env=None, stdin=None, cwd=ROOT, timeout=1500):
    """Runs a program and returns its output, with separate streams. Fails unless it exits with `expect`."""
    command = [str(part) for part in command]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env or environment(),
        input=stdin,
        timeout=timeout,
        **({} if stdin is not None else {"stdin": subprocess.DEVNULL}),
    )
    if done.returncode != expect:
        said = (done.stdout + done.stderr)[-6000:]
        raise Failed(f"{' '.join(command)}\nexited with {done.returncode} instead of {expect}:\n{said}")
    return done


def run_in_terminal(lines, *, env, prompt, answer):
    """Runs shell lines in a terminal and answers one prompt without echo. Returns what the terminal showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execvpe("bash", ["bash", "-c", lines], env)
    shown, answered, deadline = "", False, now() + 900
    while now() < deadline:
        try:
            read = os.read(terminal, 4096).decode()
        except OSError:
            # Linux reports this when the other end has closed.
            break
        shown += read
        if prompt in shown and not answered:
            # A person types only after the echo is off.
            while termios.tcgetattr(terminal)[3] & termios.ECHO:
                time.sleep(0.01)
            os.write(terminal, f"{answer}\n".encode())
            answered = True
    os.close(terminal)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    check(ended == 0 and answered, f"{lines}\nexited with {ended}:\n{shown}")
    return shown


def readme(block, document="README.md"):
    """The lines of a document's code block `sh BLOCK`, so that what is documented is what runs."""
    found = re.search(rf"^( *)```sh {block}\n(.*?)^ *```$", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE)
    check(found, f"{document} has no block: sh {block}")
    return textwrap.dedent(found.group(2))


# Below the range of the system's ports for outgoing connections. Otherwise such a connection, even a probe of ours,
# can take the port before it is used.
_unused_ports = iter(range(20000, 32000))


def free_port():
    """A port of this machine on which nothing listens. No two calls return the same one."""
    for port in _unused_ports:
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Failed("no port from 20000 to 32000 is free")


@functools.cache
def program(package):
    """The binary of a package of the workspace, built once."""
    run(["cargo", "build", "--quiet", "--package", package])
    return ROOT / "target" / "debug" / package


class Process:
    """A program in the background. It is stopped at the end of the `with` block, with everything that it started."""

    def __init__(self, name, command, *, port, env=None, cwd=ROOT):
        self.name, self.log = name, WORK / f"{name}.log"
        check(not listens(port), f"port {port}, which {name} needs, is taken: stop the program that listens there")
        WORK.mkdir(parents=True, exist_ok=True)
        self.child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env or environment(),
            start_new_session=True,
        )
        deadline = now() + 60
        while not listens(port):
            if self.child.poll() is not None or now() > deadline:
                self.stop()
                raise Failed(f"{name} did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.1)

    def stop(self):
        if self.child.poll() is None:
            os.killpg(self.child.pid, 15)
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.child.pid, 9)
                self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def listens(port):
    """Whether something listens on `port` of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
