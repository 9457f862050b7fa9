"""What a worker that a file has taken over can still do: each deed is tried from inside one.

The worker is a real one, in which only the function that decodes is replaced by the deed.
"""

import os
import platform
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reeltune.media import _process
from reeltune.media._answers import Refusal
from reeltune.media.decoder import sandbox
from reeltune.media.limits import Limits

if not sys.platform.startswith("linux"):
    pytest.skip("the measures are those of Linux", allow_module_level=True)
PROBE = """
import ctypes, fcntl, os, resource, socket, subprocess, threading
from reeltune.media import _worker
from reeltune.media._media import Refused

def call(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *map(ctypes.c_long, arguments)) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def fork():
    if not os.fork():
        os._exit(0)

def copies(file):
    made = []
    try:
        while len(made) < 100:
            made.append(os.dup(file))
    finally:
        [os.close(one) for one in made]

def thread():
    seen = []
    started = threading.Thread(target=seen.append, args=(1,))
    started.start()
    started.join()
    assert seen

def serve(file, request, limits, answers):
    try:
        exec(request["deed"], globals() | {"file": file})
    except (OSError, RuntimeError) as error:
        raise Refused(f"refused: {error}")
    raise Refused("done")

_worker.serve = serve
_worker.main()
"""
DISK, READING, NETWORK = "no changes on disk", "no reading of other files", "no network"
PROGRAMS, CALLS, FEW = "no other programs", "few system calls", "few open files"
REFUSED = {  # deed: the measure by which it fails
    "open('{there}', 'rb')": READING,
    "os.listdir('{folder}')": READING,
    "os.listdir('/')": READING,
    "open('/etc/passwd')": READING,
    "open('/proc/self/environ')": READING,
    "open('/proc/self/mem', 'rb')": READING,
    "open('/proc/{parent}/environ')": READING,
    "open('/proc/self/fd/' + str(file))": READING,
    "open(os.devnull)": READING,
    "open('{made}', 'w')": DISK,
    "open('{there}', 'a').write('more')": DISK,
    "open('/proc/self/fd/' + str(file), 'a').write('more')": DISK,
    "os.remove('{there}')": DISK,
    "os.mkdir('{made}')": DISK,
    "os.rename('{there}', '{made}')": DISK,
    "os.symlink('{there}', '{made}')": DISK,
    "os.link('{there}', '{made}')": DISK,
    "os.mkfifo('{made}')": DISK,
    "os.truncate('{there}', 0)": DISK,
    "os.ftruncate(file, 0)": DISK,
    "os.chmod('{there}', 0o777)": DISK,
    "os.fchmod(file, 0o777)": DISK,
    "os.chown('{there}', 1, 1)": DISK,
    "os.fchown(file, 1, 1)": DISK,
    "os.utime('{there}', (1, 1))": DISK,
    "os.utime(file, (1, 1))": DISK,
    "os.setxattr('{there}', 'user.a', b'b')": DISK,
    "os.setxattr(file, 'user.a', b'b')": DISK,
    "os.removexattr(file, 'user.there')": DISK,
    "fcntl.ioctl(file, 0x40086602, bytes(8))": DISK,  # what chattr does
    "fcntl.flock(file, fcntl.LOCK_EX)": CALLS,
    "fcntl.fcntl(file, fcntl.F_SETOWN, {parent})": CALLS,
    "os.execv('/bin/true', ['true'])": PROGRAMS,
    "os.execve(file, ['true'], {{}})": PROGRAMS,
    "subprocess.run(['/bin/true'])": PROGRAMS,
    "os.posix_spawn('/bin/true', ['true'], {{}})": PROGRAMS,
    "fork()": PROGRAMS,
    "os.kill({parent}, 0)": CALLS,
    "os.kill(-1, 0)": CALLS,
    "os.pidfd_open({parent})": CALLS,
    "os.sched_setaffinity({parent}, [0])": CALLS,
    "os.setpriority(os.PRIO_PROCESS, {parent}, 5)": CALLS,
    "resource.prlimit({parent}, resource.RLIMIT_CPU, (1, 1))": CALLS,
    "os.setuid(1)": CALLS,
    "os.chroot('/')": CALLS,
    "os.memfd_create('code')": CALLS,
    "socket.socketpair()": NETWORK,
    "copies(file)": FEW,
}
FAMILIES = (
    "INET",
    "INET6",
    "UNIX",
    "NETLINK",
    "PACKET",
    "VSOCK",
    "ALG",
    "BLUETOOTH",
    "CAN",
    "TIPC",
)
KINDS = ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_SEQPACKET")
REFUSED |= {
    f"socket.socket({int(getattr(socket, f'AF_{name}'))}, socket.{kind})": NETWORK
    for name in FAMILIES
    if hasattr(socket, f"AF_{name}")
    for kind in KINDS
}
BY_NUMBER = {  # on x86-64, of what Python has no name for
    "ptrace": 101,
    "process_vm_readv": 310,
    "io_uring_setup": 425,
    "add_key": 248,
    "keyctl": 250,
    "bpf": 321,
    "userfaultfd": 323,
    "perf_event_open": 298,
    "unshare": 272,
    "setns": 308,
    "mount": 165,
    "pivot_root": 155,
    "finit_module": 313,
    "kexec_load": 246,
    "open_by_handle_at": 304,
    "fanotify_init": 300,
    "shmget": 29,
    "mq_open": 240,
    "splice": 275,
    "vfork": 58,
    "execveat": 322,
    "fchmodat2": 452,
    "seccomp": 317,
}
NUMPY_IS_HERE = "import sys; 'numpy' in sys.modules or 1 / 0"
DONE = (
    "os.read(file, 1) or 1 / 0",
    "os.kill(os.getpid(), 0)",
    "import json.tool, xml.dom.minidom",  # of Python's own code
    "import numpy",  # which takes as long as the rest, and few files need
    "os.stat('{there}')",  # whether a path exists, and its size, is no secret to it
)
Probe = Callable[[str], str]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    (tmp_path / "there").write_text("text")
    (tmp_path / "there").chmod(0o640)
    path = tmp_path / "video.mp4"
    path.write_bytes(bytes(10))
    return path


@pytest.fixture
def probe(video: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Probe]:
    """Does a deed in a worker, and gives back what became of it."""
    monkeypatch.setattr(_process, "WORKER", ("-c", PROBE))
    worker = _process.WorkerProcess(Limits())
    places = {"there": video.parent / "there", "made": video.parent / "made"}
    facts = {**places, "folder": video.parent, "parent": os.getpid()}

    def ask(deed: str) -> str:
        worker.ask(str(video), {"deed": deed.format(**facts)})
        said, _ = worker.answer(20.0)
        assert isinstance(said, Refusal)
        return said.reason

    yield ask
    worker.kill()


def state(path: Path) -> tuple[object, ...]:
    found = path.stat()
    return path.read_bytes(), stat.S_IMODE(found.st_mode), found.st_mtime_ns, found.st_uid


def test_no_deed_is_done(probe: Probe, video: Path) -> None:
    there, holds = video.parent / "there", sandbox()
    before = state(there), state(video)
    tried = {deed: measure for deed, measure in REFUSED.items() if holds[measure]}
    outcome = {deed: probe(deed) for deed in tried}
    assert {deed: said for deed, said in outcome.items() if not said.startswith("refused")} == {}
    assert (state(there), state(video)) == before
    assert sorted(os.listdir(video.parent)) == ["there", "video.mp4"]
    by_filter = {d: s for d, s in outcome.items() if tried[d] in (NETWORK, CALLS, PROGRAMS)}
    said = {deed: said for deed, said in by_filter.items() if "Operation not permitted" not in said}
    assert said == {}, "each fails for the reason that is meant, and not by chance"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86-64")
def test_no_call_is_made_by_its_number(probe: Probe) -> None:
    if not sandbox()[CALLS]:
        pytest.skip("this system has no filter of calls")
    said = {name: probe(f"call({number}, 0, 0, 0, 0, 0)") for name, number in BY_NUMBER.items()}
    assert {name for name, text in said.items() if "Operation not permitted" not in text} == set()
    assert "Operation not permitted" in probe("call(56, 17, 0, 0, 0, 0)"), "clone as fork does it"
    for number in (435, 463, 9999, 0x40000000 + 520):  # clone3, setxattrat, of tomorrow, of x32
        assert "Function not implemented" in probe(f"call({number}, 0, 0, 0)")


def test_what_decoding_needs_is_done(probe: Probe) -> None:
    assert "division by zero" in probe(NUMPY_IS_HERE)
    assert {deed: probe(deed) for deed in DONE} == dict.fromkeys(DONE, "done")
    if os.geteuid() == 0:  # whom no limit on the number of processes binds
        assert probe("thread()") == "done", "the filter tells threads from processes"
    else:
        assert probe("thread()").startswith("refused")


def test_what_links_to_libraries_of_the_system_is_loaded_before_they_are_out_of_reach(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not sandbox()[READING]:
        pytest.skip("this system keeps nothing out of reach")
    elsewhere = "from reeltune.media import _landlock; _landlock.CODE['numpy'] = 'nowhere'"
    monkeypatch.setattr(_process, "WORKER", ("-c", elsewhere + PROBE))
    worker = _process.WorkerProcess(Limits())
    worker.ask(str(video), {"deed": NUMPY_IS_HERE})
    said, _ = worker.answer(20.0)
    worker.kill()
    assert isinstance(said, Refusal)
    assert said.reason == "done"


def test_every_measure_is_taken_on_a_linux_of_today() -> None:
    version = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    if version < (6, 2) or not Path("/proc/sys/kernel/seccomp").is_dir():
        pytest.skip("an older Linux lacks some of them")
    assert [name for name, is_taken in sandbox().items() if not is_taken] == []
