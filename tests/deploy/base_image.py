"""The base image of `provided.al2023` for a Docker engine without a registry, from this system's own files.

SAM needs a shell, `mv` and `chmod` (it adds the Runtime Interface Emulator itself). The functions need the C
library, `libgcc_s` and nothing else. SAM does not pull an image whose name exists locally.
"""

import io
import pathlib
import re
import subprocess
import tarfile

IMAGE = "public.ecr.aws/lambda/provided:al2023-x86_64"
PROGRAMS = ["/bin/sh", "/bin/mv", "/bin/chmod"]
FILES = ["/etc/ssl/certs/ca-certificates.crt"]


def libraries(program):
    """The files that the dynamic linker loads for `program`."""
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return re.findall(r"(/\S+)", listed)


def root_file_system(bootstrap):
    """A tar file with everything that `bootstrap` and SAM need."""
    paths = set(PROGRAMS) | set(FILES)
    for program in [*PROGRAMS, bootstrap]:
        paths |= set(libraries(program))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for folder in ("tmp", "var/task", "var/runtime", "opt"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        for path in sorted(paths):
            if path == str(bootstrap):
                continue
            # The targets of the links, under the names that the programs use.
            real = pathlib.Path(path).resolve()
            entry = tar.gettarinfo(real, arcname=path.lstrip("/"))
            entry.uid = entry.gid = 0
            with real.open("rb") as file:
                tar.addfile(entry, file)
    return packed.getvalue()


def is_there(docker):
    return subprocess.run([docker, "image", "inspect", IMAGE], capture_output=True).returncode == 0


def build(docker, bootstrap):
    """Imports the image, unless an image with that name exists."""
    if is_there(docker):
        return "present"
    tar = root_file_system(bootstrap)
    # Like AWS's: the environment that the runtime expects, and no entry point.
    change = [
        "--change",
        "ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime PATH=/usr/bin:/bin TZ=:/etc/localtime",
    ]
    subprocess.run([docker, "import", *change, "-", IMAGE], input=tar, check=True, capture_output=True)
    return f"built, {len(tar) / 2**20:.0f} MiB"
